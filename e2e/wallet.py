"""A whole product for a story: `yipay up --demo` on a data folder and ports of its own."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import httpx
import psutil

from tests.ports import free_port

START_TIMEOUT_S = 300
STOP_TIMEOUT_S = 30


class Wallet:
    """Runs while the `with` block runs. `url` is what a person types."""

    module = "backend.cli"  # the command line

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.internal_port, self.sms_port, self.bank_port = (
            free_port() for _ in range(4)
        )
        self.url = f"http://localhost:{self.port}"
        self.sms_url = f"http://127.0.0.1:{self.sms_port}"
        self.bank_url = f"http://127.0.0.1:{self.bank_port}"
        self.internal_url = f"http://127.0.0.1:{self.internal_port}"
        self.log = folder / "up.log"
        self.ahead = timedelta()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,  # noqa: TID251 — the child's own environment
            "YIPAY_DATA_DIR": str(self.folder / "data"),
            "YIPAY_PORT": str(self.port),
            "YIPAY_INTERNAL_PORT": str(self.internal_port),
            "YIPAY_PUBLIC_ORIGIN": self.url,
            "YIPAY_SMS_URL": self.sms_url,
            "YIPAY_BANK_URL": self.bank_url,
            "YIPAY_DEMO": "true",
            "YIPAY_DEMO_CLOCK_AHEAD_S": str(int(self.ahead.total_seconds())),
        }

    def __enter__(self) -> "Wallet":
        self._start()
        return self

    def pass_time(self, span: timedelta) -> None:
        """Stop everything, and begin again when it is so much later for all of it."""
        self._stop()
        self.ahead += span
        self._start()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._said = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "up", "--demo"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        try:
            self._until_serving()
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def part(self, *words: str) -> psutil.Process:
        """The running child whose command line holds these words in a row: "serve", "risk"."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            line = child.cmdline()
            if any(tuple(line[i : i + len(words)]) == words for i in range(len(line))):
                return child
        raise LookupError(f"no part {words} runs")

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.internal_url}/health/ready", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def _stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=STOP_TIMEOUT_S)

    def _until_serving(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        # The demo's people come after the parts; `up` says when they are there too.
        while not (b"ready after" in self.log.read_bytes()[self._said :] and self.ready()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def sms_code(self, phone: str) -> str:
        """The newest code that the security system sent to this number."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            messages = httpx.get(f"{self.sms_url}/messages.json", params={"to": phone}).json()
            codes = [word for m in messages for word in _six_digits(str(m["text"]))]
            if codes:
                return codes[0]
            time.sleep(0.1)
        raise AssertionError(f"no code came to {phone}")


def _six_digits(text: str) -> list[str]:
    digits = "".join(c if c.isdigit() else " " for c in text)
    return [word for word in digits.split() if len(word) == 6]
