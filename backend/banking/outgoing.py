"""Money on its way from our books to a card: what shops' payouts and people's withdrawals share.

    posted ──the bank's signed word──▶ paid, or returned where the bank refused

The money has left its account before the bank is asked, so a bank that has paid was never asked for
money that is not there. What the bank has not decided by the deadline it is told to end.
"""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec
import structlog

from backend import keys
from backend.apart import apart
from backend.banking import BankAnswer, BankGateway, rules
from backend.banking.rows import CLAIM
from backend.bankleave import Leave, Order
from backend.bankword import BankStatement
from backend.clock import Clock
from backend.db import TX
from backend.errors import DomainError
from backend.risk import BankWord, BankWordInvalid, PayoutCardUnknown, PostingNotSeen

SWEEP_ROUNDS = 50
SWEEP_AT_ONCE = 32
SEEN_AFTER_S = (0.1, 0.2, 0.4, 0.8)  # the auditor follows the books closely

_encode = msgspec.msgpack.Encoder().encode
_words = msgspec.msgpack.Decoder(BankWord)
_log = structlog.get_logger(__name__)


class Away(Protocol):
    """A row of money on its way. word: of a "posted" one, what is to be booked."""

    @property
    def order(self) -> Order: ...
    @property
    def status(self) -> str: ...
    @property
    def word(self) -> bytes | None: ...
    @property
    def disputed(self) -> str: ...
    @property
    def hand_over_at(self) -> datetime: ...
    @property
    def deadline_at(self) -> datetime: ...


Row = TypeVar("Row", bound=Away)


class Route(Protocol[Row]):
    """What each kind does in its own way. All of it may be repeated."""

    async def find(self, order_id: str) -> Row | None: ...
    async def locked(self, order_id: str) -> Row | None: ...
    async def claim(self, now: datetime) -> list[Row]: ...
    async def note_word(self, order_id: str, word: bytes, now: datetime) -> None: ...

    async def dispute(self, order_id: str, was: str, to: str, now: datetime) -> bool:
        """False if it has moved on."""
        ...

    async def advance(self, row: Row) -> Row:
        """All that comes before the bank, as far as it goes now."""
        ...

    async def sent(self, row: Row) -> None:
        """In the books: the bank has paid."""
        ...

    async def come_back(self, row: Row, word: BankWord) -> None:
        """In the books: the bank has refused."""
        ...

    async def may_go(self, row: Row) -> bool:
        """Now, to the bank. False: it waits, and is asked about again."""
        ...

    async def leave(self, order: Order) -> Leave:
        """The security system's, for this order; the bank pays on nothing less. Refuses also:
        PostingNotSeen (for a moment), PayoutCardUnknown (for good)."""
        ...

    async def book_dispute(self, row: Row) -> None: ...

    async def end(self, row: Row, status: str, reason: str = "") -> None:
        """ "paid" or "returned"; reason: the bank's."""
        ...


class Outgoing(Generic[Row]):
    def __init__(self, route: Route[Row], bank: BankGateway, clock: Clock, bank_keys: Path) -> None:
        self._route, self._bank = route, bank
        self._clock, self._bank_keys = clock, bank_keys

    async def said(self, word: BankWord, reason: str = "") -> None:
        """The bank's signed word, however it came. Refuses: BankWordInvalid."""
        statement = rules.statement_in(word, keys.published(self._bank_keys))
        if statement is None:
            raise BankWordInvalid()
        async with TX.transaction():
            row = await self._route.locked(statement.order_id)
            if row is None or not _about(statement, row.order):
                raise BankWordInvalid()
            news = await self._take_in(row, statement, word)
        if news:
            await self._careful(await self._surely(statement.order_id), reason)

    async def sweep(self) -> int:
        """Drive on what waits; how many were touched."""
        touched, gate = 0, asyncio.Semaphore(SWEEP_AT_ONCE)
        for _ in range(SWEEP_ROUNDS):
            claimed = await self._route.claim(self._clock.now())
            touched += len(claimed)
            await asyncio.gather(*(self._in_turn(row, gate) for row in claimed))
            if len(claimed) < CLAIM:
                break
        return touched

    async def drive(self, row: Row) -> None:
        """As far as it goes now; what fails now comes again."""
        try:
            row = await self._route.advance(row)
            if row.status == "posted" and row.word is None:
                await self._ask(row)
            elif row.status == "posted" or row.disputed == "due":
                await self._book(row)
        except DomainError as refusal:
            _log.info("outgoing_waits", order_id=row.order.order_id, code=refusal.code)

    async def _in_turn(self, row: Row, gate: asyncio.Semaphore) -> None:
        async with gate:
            await apart(self.drive(row), None, "outgoing", row.order.order_id)

    # -- asking the bank --------------------------------------------------------------------------

    async def _ask(self, row: Row) -> None:
        if self._clock.now() < row.hand_over_at:
            return
        answer = await self._enquire(row)
        if answer.word is None:
            return
        try:
            await self.said(answer.word, answer.reason)
        except BankWordInvalid:
            _log.error("bank_word_invalid", order_id=row.order.order_id)

    async def _enquire(self, row: Row) -> BankAnswer:
        ask = row.order
        order = (ask.order_id, ask.token, ask.owner_id, ask.amount_fen)
        # An order that never arrived is sent again: the bank takes it once per id.
        found = await self._bank.find(ask.order_id)
        if found is None and not await self._route.may_go(row):
            _log.info("outgoing_waits", order_id=ask.order_id, code="frozen")
            return BankAnswer(outcome="pending")
        if self._clock.now() >= row.deadline_at:
            return await self._bank.end(*order)
        if found is not None:
            return found
        try:
            leave = await self._leave(ask)
        except PayoutCardUnknown:  # for good: the bank's word that it never pays brings it back
            return await self._bank.end(*order)
        return await self._bank.pay_out(*order, leave)

    async def _leave(self, ask: Order) -> Leave:
        """Refuses PostingNotSeen where even a little patience did not help: the sweeper comes."""
        for pause_s in SEEN_AFTER_S:
            try:
                return await self._route.leave(ask)
            except PostingNotSeen:
                await asyncio.sleep(pause_s)
        return await self._route.leave(ask)

    # -- what the bank said, and the books --------------------------------------------------------

    async def _take_in(self, row: Row, said: BankStatement, word: BankWord) -> bool:
        """Inside a transaction, the row locked: whether the books have something to follow."""
        now, order_id = self._clock.now(), row.order.order_id
        if row.status == "posted" and row.word is None:
            await self._route.note_word(order_id, _encode(word), now)
            return True
        if row.word is None:
            # It was never asked for: without our posting there is nothing to move.
            _log.error("bank_ahead_of_us", order_id=order_id, outcome=said.outcome)
            return False
        if said.outcome == _outcome(row.word):
            return False
        _log.error("bank_contradicts_itself", order_id=order_id, outcome=said.outcome)
        if _outcome(row.word) == "paid":
            return False  # it stays with its first word until people have looked at it
        return await self._route.dispute(order_id, "", "due", now)

    async def _careful(self, row: Row, reason: str) -> None:
        """Raises nothing that is only for now: the sweeper comes back to it."""
        try:
            await self._book(row, reason)
        except DomainError as refusal:
            _log.warning("outgoing_waits", order_id=row.order.order_id, code=refusal.code)

    async def _book(self, row: Row, reason: str = "") -> None:
        if row.status == "posted" and row.word is not None:
            if _outcome(row.word) == "paid":
                await self._route.sent(row)
                await self._route.end(row, "paid")
            else:
                await self._route.come_back(row, _words.decode(row.word))
                await self._route.end(row, "returned", reason)
        if row.disputed == "due":
            await self._route.book_dispute(row)
            async with TX.transaction():
                order_id = row.order.order_id
                await self._route.dispute(order_id, "due", "booked", self._clock.now())

    async def _surely(self, order_id: str) -> Row:
        row = await self._route.find(order_id)
        assert row is not None, "it was inserted"
        return row


def _about(statement: BankStatement, order: Order) -> bool:
    said = (statement.order_id, statement.person_id, statement.amount_fen)
    return said == (order.order_id, order.owner_id, order.amount_fen)


def _outcome(word: bytes) -> str:
    """What the kept word says; it was verified when it was kept."""
    said = rules.unverified(_words.decode(word))
    assert said is not None, "verified words have a form"
    return said.outcome
