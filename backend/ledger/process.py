"""The ledger as a process of its own."""

import asyncio
import gc
import signal

import structlog

from backend import db, rpc
from backend.clock import clock_for
from backend.ledger import Ledger
from backend.ledger.service import LedgerService
from backend.settings import Settings

# A batch makes and drops thousands of objects, none of them in cycles: look for garbage by the
# batch, not every seven hundred objects.
GC_THRESHOLDS = (50_000, 20, 50)

_log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was taken. Raises if the writer fails."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    await db.LEDGER.open(settings.ledger_url)
    service = LedgerService(settings, clock_for(settings))
    told = asyncio.create_task(told_to_stop.wait())
    starting = asyncio.create_task(service.start())
    try:
        # It may wait for another ledger process to end, and be told to stop meanwhile.
        await asyncio.wait((told, starting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await _serve(service, settings, told)
    finally:
        told.cancel()
        await service.stop()
        await db.LEDGER.close()
    _log.info("ledger_stopped")


async def _serve(service: LedgerService, settings: Settings, told: asyncio.Task[bool]) -> None:
    close = await rpc.serve(Ledger, service, settings.ledger_rpc, settings)
    _log.info("ledger_ready", address=settings.ledger_rpc)
    failed = asyncio.create_task(service.ended())
    try:
        await asyncio.wait((told, failed), return_when=asyncio.FIRST_COMPLETED)
    finally:
        await close()  # answers the calls under way
        failed.cancel()
