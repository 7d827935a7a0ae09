"""A payout from the shop's account to the card. Every step may be repeated; none pays twice.

    created ──verdict, posting──▶ posted ──the bank's signed word──▶ paid
       └──────▶ refused              └──────the bank refused──────▶ returned

The money leaves the shop's account before the bank is asked, so a bank that has paid was never
asked for money that is not there. What the bank has not decided by the deadline it is told to end.
"""

import asyncio
import secrets
from pathlib import Path

import msgspec
import structlog

from backend import ids, keys
from backend.banking import (
    BankAnswer,
    BankGateway,
    CardNotBound,
    Payout,
    PayoutClosed,
    PayoutRefused,
    StartPayout,
    payout_rows,
    rules,
)
from backend.banking.payout_books import NotPaidOut, PayoutBooks
from backend.banking.payout_rows import PayoutRow
from backend.banking.rows import CLAIM
from backend.bankword import BankStatement
from backend.clock import Clock
from backend.db import TX
from backend.errors import DomainError, IdReused, NotFound
from backend.events import Events, News
from backend.risk import BankWord, BankWordInvalid

PREFIX = "pyo"
NONCE_BYTES = 32
SWEEP_ROUNDS = 50
SWEEP_AT_ONCE = 32

_encode = msgspec.msgpack.Encoder().encode
_words = msgspec.msgpack.Decoder(BankWord)
_log = structlog.get_logger(__name__)


def is_of_payout(word: BankWord) -> bool:
    """By the id inside, which nobody has verified yet."""
    said = rules.unverified(word)
    return said is not None and ids.is_id(said.order_id, PREFIX)


class Payouts:
    def __init__(
        self, bank: BankGateway, books: PayoutBooks, events: Events, clock: Clock, bank_keys: Path
    ) -> None:
        self._bank, self._books, self._events = bank, books, events
        self._clock, self._bank_keys = clock, bank_keys

    async def start(self, start: StartPayout) -> Payout:
        if await self._insert(start):
            await self._drive(await _surely(start.payout_id))
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

    async def said(self, word: BankWord, reason: str = "") -> None:
        """The bank's signed word, however it came. Refuses: BankWordInvalid."""
        statement = rules.statement_in(word, keys.published(self._bank_keys))
        if statement is None:
            raise BankWordInvalid()
        async with TX.transaction():
            row = await payout_rows.locked(statement.order_id)
            if row is None or not _about(statement, row):
                raise BankWordInvalid()
            news = await self._take_in(row, statement, word)
        if news:
            await self._careful(await _surely(row.payout_id), reason)

    async def sweep(self) -> int:
        """Drive on what waits; how many were touched."""
        touched, gate = 0, asyncio.Semaphore(SWEEP_AT_ONCE)
        for _ in range(SWEEP_ROUNDS):
            claimed = await payout_rows.claim(self._clock.now())
            touched += len(claimed)
            await asyncio.gather(*(self._in_turn(row, gate) for row in claimed))
            if len(claimed) < CLAIM:
                break
        return touched

    # -- one step after the other ----------------------------------------------------------------

    async def _insert(self, start: StartPayout) -> bool:
        """False if the id is known."""
        if await payout_rows.find(start.payout_id) is not None:
            return False
        status = await payout_rows.card_status(start.owner_id, start.card_id)
        if status is None:
            raise NotFound()
        if status != "bound":
            raise CardNotBound()
        now = self._clock.now()
        return await payout_rows.insert(start, secrets.token_bytes(NONCE_BYTES), now)

    async def _in_turn(self, row: PayoutRow, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                await self._drive(row)
            except Exception:
                # One row's bad luck must not keep the others waiting.
                _log.exception("payout_failed", payout_id=row.payout_id)

    async def _drive(self, row: PayoutRow) -> None:
        """As far as it goes now; what fails now comes again."""
        try:
            if row.status == "created":
                row = await self._leave(row)
            if row.status == "posted" and row.word is None:
                await self._hear(row, await self._enquire(row))
            elif row.status == "posted" or row.disputed == "due":
                await self._book(row)
        except DomainError as refusal:
            _log.info("payout_waits", payout_id=row.payout_id, code=refusal.code)

    async def _careful(self, row: PayoutRow, reason: str) -> None:
        """Raises nothing that is only for now: the sweeper comes back to it."""
        try:
            await self._book(row, reason)
        except DomainError as refusal:
            _log.warning("payout_waits", payout_id=row.payout_id, code=refusal.code)

    async def _leave(self, row: PayoutRow) -> PayoutRow:
        try:
            await self._books.leave(row, in_time=self._clock.now() < row.deadline_at)
        except NotPaidOut as never:
            await self._end(row, "refused", never.code)
        else:
            async with TX.transaction():
                await payout_rows.move(row, "posted", self._clock.now())
        return await _surely(row.payout_id)

    async def _enquire(self, row: PayoutRow) -> BankAnswer:
        order = (row.payout_id, row.token, row.shop_id, row.amount_fen)
        if self._clock.now() >= row.deadline_at:
            return await self._bank.end(*order)
        # An order that never arrived is sent again: the bank takes it once per id.
        return await self._bank.find(row.payout_id) or await self._bank.pay_out(*order)

    async def _hear(self, row: PayoutRow, answer: BankAnswer) -> None:
        if answer.word is None:
            return
        try:
            await self.said(answer.word, answer.reason)
        except BankWordInvalid:
            _log.error("bank_word_invalid", payout_id=row.payout_id)

    # -- what the bank said, and the books --------------------------------------------------------

    async def _take_in(self, row: PayoutRow, said: BankStatement, word: BankWord) -> bool:
        """Inside a transaction, the row locked: whether the books have something to follow."""
        now = self._clock.now()
        if row.status == "posted" and row.word is None:
            await payout_rows.note_word(row, _encode(word), now)
            return True
        if row.status in ("created", "refused"):
            # It was never asked for: without our posting there is nothing to move.
            _log.error("bank_ahead_of_us", payout_id=row.payout_id, outcome=said.outcome)
            return False
        if said.outcome == _outcome(row):
            return False
        _log.error("bank_contradicts_itself", payout_id=row.payout_id, outcome=said.outcome)
        if _outcome(row) == "paid":
            return False  # it stays with its first word until people have looked at it
        return await payout_rows.dispute(row.payout_id, "", "due", now)

    async def _book(self, row: PayoutRow, reason: str = "") -> None:
        if row.status == "posted" and row.word is not None:
            if _outcome(row) == "paid":
                await self._books.sent(row)
                await self._end(row, "paid")
            else:
                await self._books.come_back(row, _words.decode(row.word))
                await self._end(row, "returned", self._refusal_code(row, reason))
        if row.disputed == "due":
            await self._books.dispute(row)
            async with TX.transaction():
                await payout_rows.dispute(row.payout_id, "due", "booked", self._clock.now())

    async def _end(self, row: PayoutRow, status: str, code: str = "") -> None:
        async with TX.transaction():
            if await payout_rows.move(row, status, self._clock.now(), code):
                news = News(f"shop:{row.shop_id}", "payout_ended", row.payout_id)
                owner = News(f"person:{row.owner_id}", f"payout_{status}", row.payout_id)
                await self._events.record_all((news, owner))

    def _refusal_code(self, row: PayoutRow, reason: str) -> str:
        if reason in rules.REASONS:
            return reason
        late = self._clock.now() >= row.deadline_at
        return PayoutClosed.code if late else PayoutRefused.code


def _about(statement: BankStatement, row: PayoutRow) -> bool:
    said = (statement.order_id, statement.person_id, statement.amount_fen)
    return said == (row.payout_id, row.shop_id, row.amount_fen)


def _outcome(row: PayoutRow) -> str:
    """What the kept word says; it was verified when it was kept."""
    assert row.word is not None, "decided by a word"
    said = rules.unverified(_words.decode(row.word))
    assert said is not None, "verified words have a form"
    return said.outcome


async def _surely(payout_id: str) -> PayoutRow:
    row = await payout_rows.find(payout_id)
    assert row is not None, "it was inserted"
    return row
