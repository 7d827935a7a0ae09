"""A payout from the shop's account to the card. Every step may be repeated; none pays twice.

created ──verdict, posting──▶ posted ──the bank's signed word──▶ paid
   └──────▶ refused              └──────the bank refused──────▶ returned
"""

import secrets
from datetime import datetime
from pathlib import Path

from backend.banking import (
    BankGateway,
    Payout,
    PayoutClosed,
    PayoutRefused,
    StartPayout,
    payout_rows,
    rules,
)
from backend.banking.finality import Refused
from backend.banking.outgoing import Outgoing
from backend.banking.payout_books import PayoutBooks
from backend.banking.payout_rows import PayoutRow
from backend.bankleave import Leave, Order
from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.events import Events
from backend.risk import BankWord

PREFIX = "pyo"
NONCE_BYTES = 32


class Payouts:
    def __init__(
        self, bank: BankGateway, books: PayoutBooks, events: Events, clock: Clock, bank_keys: Path
    ) -> None:
        self._clock = clock
        self._outgoing = Outgoing(PayoutRoute(books, events, clock), bank, clock, bank_keys)
        self.said = self._outgoing.said
        self.sweep = self._outgoing.sweep

    async def start(self, start: StartPayout) -> Payout:
        if await self._insert(start):
            await self._outgoing.drive(await _surely(start.payout_id))
        row = await _surely(start.payout_id)
        asked = (start.shop_id, start.owner_id, start.card_id, start.amount_fen)
        if (row.shop_id, row.owner_id, row.card_id, row.amount_fen) != asked:
            raise IdReused()
        return payout_rows.shown(row)

    async def payout(self, shop_id: str, payout_id: str) -> Payout:
        row = await payout_rows.find(payout_id)
        if row is None or row.shop_id != shop_id:
            raise NotFound()
        return payout_rows.shown(row)

    async def _insert(self, start: StartPayout) -> bool:
        """False if the id is known."""
        if await payout_rows.find(start.payout_id) is not None:
            return False
        await payout_rows.check_card(start.owner_id, start.card_id)
        now = self._clock.now()
        return await payout_rows.insert(start, secrets.token_bytes(NONCE_BYTES), now)


class PayoutRoute:
    """Implements `Route`."""

    def __init__(self, books: PayoutBooks, events: Events, clock: Clock) -> None:
        self._books, self._events, self._clock = books, events, clock

    async def find(self, order_id: str) -> PayoutRow | None:
        return await payout_rows.find(order_id)

    async def locked(self, order_id: str) -> PayoutRow | None:
        return await payout_rows.locked(order_id)

    async def claim(self, now: datetime) -> list[PayoutRow]:
        return await payout_rows.claim(now)

    async def note_word(self, order_id: str, word: bytes, now: datetime) -> None:
        await payout_rows.note_word(order_id, word, now)

    async def dispute(self, order_id: str, was: str, to: str, now: datetime) -> bool:
        return await payout_rows.dispute(order_id, was, to, now)

    async def advance(self, row: PayoutRow) -> PayoutRow:
        if row.status != "created":
            return row
        try:
            await self._books.leave(row, in_time=self._clock.now() < row.deadline_at)
        except Refused as never:
            await self._end(row, "refused", never.code)
        else:
            async with TX.transaction():
                await payout_rows.move(row, "posted", self._clock.now())
        return await _surely(row.payout_id)

    async def sent(self, row: PayoutRow) -> None:
        await self._books.sent(row)

    async def come_back(self, row: PayoutRow, word: BankWord) -> None:
        await self._books.come_back(row, word)

    async def may_go(self, row: PayoutRow) -> bool:
        return True  # a shop that is stopped gets no verdict, and a payout goes at once

    async def leave(self, order: Order) -> Leave:
        return await self._books.leave_of(order)

    async def book_dispute(self, row: PayoutRow) -> None:
        await self._books.dispute(row)

    async def end(self, row: PayoutRow, status: str, reason: str = "") -> None:
        code = "" if status == "paid" else self._refusal_code(row, reason)
        await self._end(row, status, code)

    async def _end(self, row: PayoutRow, status: str, code: str) -> None:
        async with TX.transaction():
            if await payout_rows.move(row, status, self._clock.now(), code):
                await self._events.record(f"shop:{row.shop_id}", "payout_ended", row.payout_id)

    def _refusal_code(self, row: PayoutRow, reason: str) -> str:
        if reason in rules.REASONS:
            return reason
        late = self._clock.now() >= row.deadline_at
        return PayoutClosed.code if late else PayoutRefused.code


async def _surely(payout_id: str) -> PayoutRow:
    row = await payout_rows.find(payout_id)
    assert row is not None, "it was inserted"
    return row
