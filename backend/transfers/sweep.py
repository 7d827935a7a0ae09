"""What the worker does: arrivals in their time, ends of what stopped half-way, of what nobody paid.

By the clock alone: what fell due while the worker was down is done when it is back.
"""

from backend.apart import apart
from backend.transfers import rows as store
from backend.transfers.ending import Ending
from backend.transfers.parts import Parts
from backend.transfers.payees import forget_found
from backend.transfers.requests import Requests
from backend.transfers.rows import TransferRow
from backend.transfers.sending import Sending


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
        step = self._sending.catch_up if row.status == "created" else self._ending.arrive
        after = await apart(step(row), row, "transfer", row.transfer_id)
        return int(after.status != row.status)
