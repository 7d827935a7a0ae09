"""The product with parts that can say where their CPU time goes.

`python -m tests.bench.sampled up --demo` is `yipay up --demo`, but each part runs as
`python -m tests.bench.sampled FILE serve bff`. After every few milliseconds of CPU time of its
process it notes what it is at: waiting costs nothing, and other processes don't count. SIGUSR1:
begin anew. SIGUSR2: write what was noted into FILE, as JSON.
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import msgspec

from backend import cli
from backend.supervisor import plan
from backend.supervisor.parts import ROOT

EVERY_S = 0.002
OURS = ("backend", "mobile_api", "web")
ABOVE = ("backend/cli.py", "backend/server.py")  # in every stack, so they say nothing
LOOP = "event loop, server"


class Noted(msgspec.Struct, frozen=True, array_like=True):
    """step: the innermost of our modules that was at work. library: whose code ran, ours too."""

    step: str
    library: str
    times: int


class Sampler:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._noted: Counter[tuple[str, str]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, lambda _, frame: self._note(frame))
        signal.siginterrupt(signal.SIGPROF, False)
        signal.signal(signal.SIGUSR1, lambda *_: self._noted.clear())
        signal.signal(signal.SIGUSR2, lambda *_: self._write())
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def _note(self, frame: FrameType | None) -> None:
        library = _library(frame.f_code.co_filename) if frame else ""
        while frame is not None and not (step := _step(frame.f_code.co_filename)):
            frame = frame.f_back
        self._noted[step if frame else LOOP, library] += 1

    def _write(self) -> None:
        noted = [Noted(*where, times) for where, times in self._noted.items()]
        draft = self._file.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(noted))
        draft.rename(self._file)


def _step(file: str) -> str:
    """Our module, "" for what is none of ours."""
    path = file.removeprefix(f"{ROOT}/")
    ours = path != file and path.split("/")[0] in OURS and path not in ABOVE
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") if ours else ""


def _library(file: str) -> str:
    if _step(file):
        return "ours"
    _, found, rest = file.partition("/site-packages/")
    return rest.split("/")[0].removesuffix(".py") if found else "Python's own"


def main() -> None:
    where, *verb = sys.argv[1:]
    if where == "up":
        logs = Path(os.environ["YIPAY_DATA_DIR"]) / "log"  # noqa: TID251 — this process is `up`
        command = plan.command

        def sampled(name: str) -> tuple[str, ...]:
            python, _, _, *rest = command(name)
            return (python, "-m", "tests.bench.sampled", str(logs / f"{name}.samples"), *rest)

        plan.command = sampled
    else:
        sys.argv[1:] = verb
        Sampler(Path(where)).start()
    try:
        cli.main()
    finally:  # at its end Python gives back its handlers, and then the next sample would kill
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
