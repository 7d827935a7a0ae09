"""What is a withdrawal's own on its way: the wallet it leaves, its bill, and who learns of it.

created ──passkey, verdict──▶ authorized ──posting──▶ posted ──the bank's word──▶ paid
   └──────▶ refused ◀────────────┘                      └──the bank refused──▶ returned
"""

from datetime import datetime

from backend.banking import (
    TRANSIT_LIFE,
    WithdrawalClosed,
    WithdrawalLapsed,
    WithdrawalRefused,
    rules,
)
from backend.banking import withdrawal_rows as rows
from backend.banking.finality import Refused
from backend.banking.record import WATCHED
from backend.banking.rows import PATIENCE
from backend.banking.withdrawal_books import WithdrawalBooks, kept
from backend.banking.withdrawal_rows import Move, WithdrawalRow
from backend.bankleave import Leave, Order
from backend.bills import Bill, Bills
from backend.clock import Clock
from backend.db import TX
from backend.events import Events, News
from backend.ledger import VerdictExpired, VerdictRequired
from backend.risk import BankWord, Risk
from backend.verdict import SignedVerdict

_LATE = frozenset({VerdictExpired.code, VerdictRequired.code})
_BILL_STATUS = {"paid": "succeeded", "returned": "refused", "refused": "refused"}


class WithdrawalRoute:
    """Implements `Route`."""

    def __init__(
        self, books: WithdrawalBooks, risk: Risk, bills: Bills, events: Events, clock: Clock
    ) -> None:
        self._books, self._risk, self._bills = books, risk, bills
        self._events, self._clock = events, clock

    async def find(self, order_id: str) -> WithdrawalRow | None:
        return await rows.find(order_id)

    async def locked(self, order_id: str) -> WithdrawalRow | None:
        return await rows.locked(order_id)

    async def claim(self, now: datetime) -> list[WithdrawalRow]:
        return await rows.claim(now)

    async def note_word(self, order_id: str, word: bytes, now: datetime) -> None:
        await rows.note_word(order_id, word, now)

    async def dispute(self, order_id: str, was: str, to: str, now: datetime) -> bool:
        return await rows.dispute(order_id, was, to, now)

    async def agreed(self, row: WithdrawalRow, verdict: SignedVerdict) -> WithdrawalRow:
        """The verdict is kept before it is used; from here on the person sees a bill."""
        async with TX.transaction():
            change = Move(to="authorized", verdict=kept(verdict))
            if await rows.move(row, change, self._clock.now()):
                await self._bills.record((_bill(row),))
        return await surely(row.withdrawal_id)

    async def advance(self, row: WithdrawalRow) -> WithdrawalRow:
        now = self._clock.now()
        if row.status == "refused" and row.release == "due":
            await self._release(row)
        elif row.status == "authorized":
            row = await self._leave(row)
        elif row.status == "created" and now >= row.confirm_by:
            row = await self._lapse(row)
        return row

    async def sent(self, row: WithdrawalRow) -> None:
        await self._books.sent(row)

    async def come_back(self, row: WithdrawalRow, word: BankWord) -> None:
        await self._books.come_back(row, word)

    async def may_go(self, row: WithdrawalRow) -> bool:
        """Not while its owner, or an alarm, has frozen the account. Its time begins again, so that
        it goes on after the thaw instead of being ended for lateness."""
        if not (await self._risk.freeze_state(row.person_id)).frozen:
            return True
        await rows.put_off(row.withdrawal_id, self._clock.now() + TRANSIT_LIFE)
        return False

    async def leave(self, order: Order) -> Leave:
        return await self._risk.payout_leave(order.order_id, order.token)

    async def book_dispute(self, row: WithdrawalRow) -> None:
        await self._books.dispute(row)

    async def end(self, row: WithdrawalRow, status: str, reason: str = "") -> None:
        await self._end(row, status, "" if status == "paid" else self._why(row, reason))

    async def _leave(self, row: WithdrawalRow) -> WithdrawalRow:
        try:
            posted = await self._books.leave(row)
        except Refused as never:
            return await self._refuse(row, never.code)
        now = self._clock.now()
        change = Move(
            to="posted",
            posted_at=posted.posted_at,
            next_try_at=max(row.hand_over_at, now + PATIENCE),
        )
        async with TX.transaction():
            if await rows.move(row, change, now):
                await self._tell(row, "withdrawal_posted")
        return await surely(row.withdrawal_id)

    async def _lapse(self, row: WithdrawalRow) -> WithdrawalRow:
        try:
            await self._books.close(row)
        except Refused as never:
            return await self._refuse(row, never.code)
        return await surely(row.withdrawal_id)  # agreed to at the very end, and posted by another

    async def _refuse(self, row: WithdrawalRow, code: str) -> WithdrawalRow:
        await self._end(row, "refused", WithdrawalLapsed.code if code in _LATE else code)
        row = await surely(row.withdrawal_id)
        if row.release == "due":
            await self._release(row)
        return row

    async def _release(self, row: WithdrawalRow) -> None:
        """Of the day's limit; until it is heard the sweeper says it again."""
        await self._risk.release(row.withdrawal_id)
        await rows.released(row.withdrawal_id)

    async def _end(self, row: WithdrawalRow, status: str, code: str) -> None:
        now = self._clock.now()
        async with TX.transaction():
            change = Move(to=status, refusal_code=code, ended_at=now)
            if not await rows.move(row, change, now):
                return
            if row.status != "created":
                await self._bills.record((_bill(row, _BILL_STATUS[status], code, now),))
                await self._tell(row, f"withdrawal_{status}")

    async def _tell(self, row: WithdrawalRow, kind: str) -> None:
        # Who still waits on its page has seen that all went well.
        watched = kind != "withdrawal_returned" and self._clock.now() - row.created_at < WATCHED
        news = News(f"person:{row.person_id}", kind, row.withdrawal_id, quiet=watched)
        await self._events.record_all((news,))

    def _why(self, row: WithdrawalRow, reason: str) -> str:
        if reason in rules.REASONS:
            return reason
        late = self._clock.now() >= row.deadline_at
        return WithdrawalClosed.code if late else WithdrawalRefused.code


def _bill(
    row: WithdrawalRow, status: str = "pending", code: str = "", at: datetime | None = None
) -> Bill:
    return Bill(
        person_id=row.person_id,
        bill_id=row.withdrawal_id,
        kind="withdrawal",
        direction="out",
        counterparty=row.bank_name,
        amount_fen=row.amount_fen,
        fee_fen=row.fee_fen,
        status=status,
        method=f"card:{row.last4}",
        order_id=row.withdrawal_id,
        event_at=row.created_at,
        settled_at=at,
        refusal_code=code,
    )


async def surely(withdrawal_id: str) -> WithdrawalRow:
    row = await rows.find(withdrawal_id)
    assert row is not None, "it was inserted"
    return row
