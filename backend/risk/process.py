"""The security system as a process of its own."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from backend import db, garbage, rpc
from backend.clock import Clock, clock_for
from backend.keys import published
from backend.risk import Risk
from backend.risk.auditor import Auditor
from backend.risk.demo import RiskWithDemo
from backend.risk.purge import EVERY_S, purge
from backend.risk.service import build
from backend.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was taken."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    await db.SEC.open(settings.sec_url)
    try:
        face = RiskWithDemo if settings.demo else Risk
        clock = clock_for(settings)
        close = await rpc.serve(face, build(settings, clock), settings.risk_rpc, settings)
        garbage.only_what_is_new()
        try:
            async with (
                _beside(_purge_on(clock)),
                _beside(_auditor(settings, clock).run()),
            ):
                _log.info("risk_ready", address=settings.risk_rpc, demo=settings.demo)
                await told_to_stop.wait()
        finally:
            await close()
    finally:
        await db.SEC.close()
    _log.info("risk_stopped")


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run it as a task until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _auditor(settings: Settings, clock: Clock) -> Auditor:
    """Trusts our own keys, this one and earlier ones, as far as we remember giving the verdict."""
    trusted = published(Path(settings.verdict_keys))
    return Auditor(settings, lambda: trusted, clock)


async def _purge_on(clock: Clock) -> None:
    while True:
        try:
            await purge(clock)
        except Exception:  # it is only housekeeping: the next round may succeed
            _log.exception("purge_failed")
        await asyncio.sleep(EVERY_S)
