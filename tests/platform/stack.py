"""`yipay up` as a child of a test: its lines, its processes, its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
START_S, STOP_S = 90, 40


class Stack:
    """A running `yipay up`; `lines` is what it has printed so far."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.folder, self.port = folder, port
        self._output = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.txt")
        command = [sys.executable, "-m", "backend.cli", "up", "--port", str(port)]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(folder), *options],
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def lines(self) -> list[str]:
        return self._output.read_text().splitlines()

    def wait_for(self, words: str, times: int = 1) -> None:
        deadline = time.monotonic() + START_S
        while sum(words in line for line in self.lines) < times:
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, (words, self.lines)
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        self.wait_for("ready after")

    def refused(self) -> str:
        """The one line of a start that must fail."""
        assert self.process.wait(START_S) != 0
        return self.lines[-1]

    def parts(self) -> dict[str, int]:
        """Process ids of the supervisor's children by the last word of their command."""
        children = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().decode().split("\0")[:-1]
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid and words:
                children[_name(words)] = int(path.name)
        return children

    def kill(self, part: str) -> int:
        """kill -9 of one part; the id it had."""
        pid = self.parts()[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_S)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _name(words: list[str]) -> str:
    if words[0].endswith("/postgres"):
        return f"cluster {Path(words[2]).parent.name}"
    return words[-1]
