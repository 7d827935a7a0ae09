"""What the worker does: arrivals in their time, ends of what stopped half-way, of what nobody paid.

By the clock alone: what fell due while the worker was down is done when it is back.
"""

import structlog

from backend.transfers import rows as store
from backend.transfers.ending import Ending
from backend.transfers.parts import Parts
from backend.transfers.payees import forget_found
from backend.transfers.requests import Requests
from backend.transfers.rows import TransferRow
from backend.transfers.sending import Sending

_log = structlog.get_logger(__name__)


class Sweeper:
    def __init__(self, parts: Parts, sending: Sending, ending: Ending, requests: Requests) -> None:
        self._parts, self._sending = parts, sending
        self._ending, self._requests = ending, requests

    async def sweep(self) -> int:
        now = self._parts.clock.now()
        touched = await self._requests.expire_due() + await forget_found(now)
        for row in await store.claim_due(now):
            touched += await self._one(row)
        return touched

    async def _one(self, row: TransferRow) -> int:
        """One that can't be moved on keeps nobody waiting; it comes again."""
        try:
            if row.status == "created":
                after = await self._sending.catch_up(row)
            else:
                after = await self._ending.arrive(row)
        except Exception as error:
            _log.warning("transfer_stuck", transfer_id=row.transfer_id, error=type(error).__name__)
            return 0
        return int(after.status != row.status)
