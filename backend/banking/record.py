"""What others learn of a top-up, in the transaction of the change: its bill and an event."""

from datetime import timedelta

import msgspec

from backend.banking import rows
from backend.banking.rows import Move, Row
from backend.bills import Bill, Bills
from backend.clock import Clock
from backend.events import Events, News

WATCHED = timedelta(seconds=30)

_STATUS = {"posted": "succeeded", "refused": "refused"}


class Record:
    def __init__(self, bills: Bills, events: Events, clock: Clock) -> None:
        self._bills, self._events, self._clock = bills, events, clock

    async def opened(self, row: Row) -> None:
        await self._bills.record((_bill(row),))

    async def move(self, row: Row, change: Move) -> None:
        """To a final state: the row, the bill and the event, or nothing if the row has moved on."""
        now = self._clock.now()
        if not await rows.move(row, change, now):
            return
        bill = msgspec.structs.replace(
            _bill(row),
            status=_STATUS[change.to],
            refusal_code=change.refusal_code,
            settled_at=change.posted_at or now,
        )
        await self._bills.record((bill,))
        # Who still waits on its page has seen it.
        watched = now - row.event_at < WATCHED
        news = News(f"person:{row.person_id}", "topup_settled", row.topup_id, quiet=watched)
        await self._events.record_all((news,))

    async def given_back(self, row: Row) -> None:
        if await rows.given_back(row.topup_id):
            await self._events.record(f"person:{row.person_id}", "topup_returned", row.topup_id)


def _bill(row: Row) -> Bill:
    return Bill(
        person_id=row.person_id,
        bill_id=row.topup_id,
        kind="topup",
        direction="in",
        counterparty=row.bank_name,
        amount_fen=row.amount_fen,
        status="pending",
        method=f"card:{row.last4}",
        order_id=row.topup_id,
        event_at=row.event_at,
    )
