"""One part: an operating-system process that is started, watched, restarted and stopped."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from backend.postgres import AsUser
from backend.supervisor.errors import UpError

ROOT = Path(__file__).resolve().parents[2]
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
STEADY_S = 30  # a part that lived as long starts again without the long pause
MAX_EARLY_ENDS = 3  # before it was ever ready: then the start has failed
READY_POLL_S = 0.1
PROGRESS_S = 5
MAX_SILENCE_S = 120  # a part that starts and writes nothing for so long has failed
MAX_LOG_BYTES = 10_000_000
PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]

_LIBC = ctypes.CDLL(None)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """`orphan_signal`: what the kernel sends it when the supervisor is gone."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    before: Callable[[], None] = lambda: None
    as_user: AsUser = {}
    stop_signals: tuple[int, ...] = (signal.SIGTERM,)
    orphan_signal: int = signal.SIGKILL
    stop_within_s: float = 8


class Keeper:
    """Keeps one part running from `start` to `stop`."""

    def __init__(self, part: Part, say: Say) -> None:
        self.part, self._say = part, say
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._early_ends = 0
        self._was_ready = self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Returns when the part is ready. Raises UpError if it never gets there."""
        began = time.monotonic()
        self._task = asyncio.create_task(self._keep())
        progress = asyncio.create_task(self._show_progress(began))
        try:
            while not (self.pid and await self.part.ready()):
                await self._check_hope()
                await asyncio.sleep(READY_POLL_S)
        finally:
            progress.cancel()
        self._was_ready = True
        self._say(f"{self.part.name} … ready {time.monotonic() - began:.1f} s")

    async def stop(self) -> None:
        """Ask, wait, insist. Safe to call when it never started."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            for number in (*self.part.stop_signals, signal.SIGKILL):
                _send(process, number)
                if await _ended(process, self.part.stop_within_s):
                    break
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping:
            began = time.monotonic()
            self.part.before()
            self._process = await self._spawn()
            code = await self._process.wait()
            if self._stopping:
                return
            lived = time.monotonic() - began
            pause = FIRST_PAUSE_S if lived > STEADY_S else pause
            if self._was_ready:
                self._say(f"{self.part.name} ended ({_describe(code)}), again in {pause:.1f} s")
            else:
                self._early_ends += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _spawn(self) -> Process:
        _rotate(self.part.log)
        with self.part.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.part.command,
                env=self.part.environment,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT if not self.part.as_user else "/",
                # Ctrl-C in the terminal reaches the supervisor alone, which stops in order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid(), self.part.orphan_signal),
                **self.part.as_user,
            )

    async def _check_hope(self) -> None:
        assert self._task is not None
        if self._task.done():  # it could not even be spawned
            error = self._task.exception()
            raise UpError(f"{self.part.name}: {error}") from None
        if self._early_ends >= MAX_EARLY_ENDS:
            raise UpError(f"{self.part.name} does not start: {last_line(self.part.log)}")

    async def _show_progress(self, began: float) -> None:
        """No fixed limit: a long recovery is no failure while it shows signs of life."""
        size, silent = -1, 0
        while True:
            await asyncio.sleep(PROGRESS_S)
            grown = _size(self.part.log)
            silent = silent + PROGRESS_S if grown == size else 0
            size = grown
            self._say(f"{self.part.name} … still starting, {time.monotonic() - began:.0f} s")
            if silent >= MAX_SILENCE_S:
                self._early_ends = MAX_EARLY_ENDS


def _die_with(parent: int, number: int) -> Callable[[], None] | None:
    """Run in the child after it dropped its rights: the kernel forgets the wish on that."""
    if sys.platform != "linux":
        return None

    def prepare() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # the supervisor died in between
            os._exit(1)

    return prepare


def _send(process: Process, number: int) -> None:
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


async def _ended(process: Process, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await process.wait()
    except TimeoutError:
        return False
    return True


def _rotate(log: Path) -> None:
    if _size(log) > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return f"{lines[-1][:300]} (see {log})" if lines else f"see {log}"


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
