"""The ledger as a process of its own."""

import asyncio
import gc
import signal

import structlog

from backend import db, rpc
from backend.clock import SystemClock
from backend.ledger import Ledger
from backend.ledger.service import running
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
    try:
        async with running(settings, SystemClock()) as service:
            close = await rpc.serve(Ledger, service, settings.ledger_rpc, settings)
            _log.info("ledger_ready", address=settings.ledger_rpc)
            try:
                stopped = asyncio.create_task(told_to_stop.wait())
                failed = asyncio.create_task(service.ended())
                await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await close()
                stopped.cancel()
                failed.cancel()
    finally:
        await db.LEDGER.close()
    _log.info("ledger_stopped")
