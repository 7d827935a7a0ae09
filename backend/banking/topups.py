"""A top-up from the first tap to the books. Every step may be repeated; none credits twice.

    created ──ask──▶ pending ──the bank's signed word──▶ paid ──arrival, verdict, credit──▶ posted
       └──────── refused ◀──┴──────────── given back to the card ◀─────────┘

"created" is certainly not known to the bank: whoever asks it, commits "pending" first. From there
only the bank's signed word leads on, whichever way it comes: as the answer, as a call-back, or as
what the sweeper finds. One exception: the first asker, if no connection could be made at all.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from backend import keys
from backend.apart import apart
from backend.banking import (
    BankAnswer,
    BankGateway,
    BankUnavailable,
    CardNotBound,
    StartTopUp,
    TopUp,
    TopUpClosed,
    TopUpRefused,
    rows,
    rules,
)
from backend.banking.books import Books, NotCredited
from backend.banking.record import Record
from backend.banking.rows import Move, Row
from backend.bankword import BankStatement
from backend.clock import Clock
from backend.db import TX
from backend.errors import DomainError, IdReused, NotFound
from backend.risk import BankWord, BankWordInvalid

SWEEP_ROUNDS = 50
SWEEP_AT_ONCE = 32  # a bank that hangs must not make a round longer than half a minute
NONCE_BYTES = 32

_encode = msgspec.msgpack.Encoder().encode
_words = msgspec.msgpack.Decoder(BankWord)
_log = structlog.get_logger(__name__)


class TopUps:
    def __init__(
        self, bank: BankGateway, books: Books, record: Record, clock: Clock, bank_keys: Path
    ) -> None:
        self._bank, self._books, self._record = bank, books, record
        self._clock, self._bank_keys = clock, bank_keys

    async def start(self, start: StartTopUp) -> TopUp:
        if await self._insert(start):
            await self._ask_first(await _surely(start.topup_id))
        row = await _surely(start.topup_id)
        asked = (start.person_id, start.card_id, start.amount_fen)
        if (row.person_id, row.card_id, row.amount_fen) != asked:
            raise IdReused()
        return rows.shown(row)

    async def topup(self, person_id: str, topup_id: str) -> TopUp:
        row = await rows.find(topup_id)
        if row is None or row.person_id != person_id:
            raise NotFound()
        return rows.shown(row)

    async def said(self, word: BankWord, reason: str = "") -> None:
        """The bank's signed word, however it came. Refuses: BankWordInvalid."""
        statement = rules.statement_in(word, _published(self._bank_keys))
        if statement is None:
            raise BankWordInvalid()
        async with TX.transaction():
            row = await rows.locked(statement.order_id)
            if row is None or not _about(statement, row):
                raise BankWordInvalid()
            news = await self._take_in(row, statement.outcome, word, reason)
        # Whoever comes second finds no news, and leaves the books to the first or the sweeper.
        if news is not None:
            await self._book(news)

    async def sweep(self) -> int:
        """Drive on what waits; how many were touched."""
        touched, gate = 0, asyncio.Semaphore(SWEEP_AT_ONCE)
        for _ in range(SWEEP_ROUNDS):
            claimed = await rows.claim(self._clock.now())
            touched += len(claimed)
            await asyncio.gather(*(self._drive_on(row, gate) for row in claimed))
            if len(claimed) < rows.CLAIM:
                break
        return touched

    # -- asking the bank ------------------------------------------------------------------------

    async def _insert(self, start: StartTopUp) -> bool:
        """False if the id is known."""
        if await rows.find(start.topup_id) is not None:
            return False
        now = self._clock.now()
        async with TX.transaction():
            # The person's cards, locked, make two top-ups at once count each other.
            status = await rows.lock_cards(start.person_id, start.card_id)
            if status is None:
                raise NotFound()
            if status != "bound":
                raise CardNotBound()
            rules.check_limits(start.amount_fen, await rows.used(start.person_id, now))
            if not await rows.insert(start, secrets.token_bytes(NONCE_BYTES), now):
                return False
            await self._record.opened(await _surely(start.topup_id))
            return True

    async def _ask_first(self, row: Row) -> None:
        now = self._clock.now()
        if not await rows.move(row, Move(to="pending"), now):
            return
        row = msgspec.structs.replace(row, status="pending", tries=row.tries + 1)
        try:
            answer = await self._debit(row)
        except BankUnavailable as refused:
            # Nothing was asked of the bank, unless the sweeper did so meanwhile: then the row's
            # count of tries has moved on and this changes nothing.
            await self._refuse(row, refused.code, tries=row.tries)
            return
        await self._hear(row, answer)

    async def _drive_on(self, row: Row, gate: asyncio.Semaphore) -> None:
        """One step; what fails now comes again."""
        async with gate:
            await apart(self._step(row), None, "topup", row.topup_id)

    async def _step(self, row: Row) -> None:
        if row.status == "created":
            await self._refuse(row, BankUnavailable.code)
        elif row.status == "pending":
            await self._hear(row, await self._enquire(row))
        else:
            await self._book(row)

    async def _enquire(self, row: Row) -> BankAnswer:
        if self._clock.now() >= row.deadline_at:
            return await self._bank.end(row.topup_id, row.token, row.person_id, row.amount_fen)
        # An order that never arrived is sent again: the bank takes it once per id.
        return await self._bank.find(row.topup_id) or await self._debit(row)

    async def _debit(self, row: Row) -> BankAnswer:
        return await self._bank.debit(row.topup_id, row.token, row.person_id, row.amount_fen)

    async def _hear(self, row: Row, answer: BankAnswer) -> None:
        if answer.word is None:
            return
        try:
            await self.said(answer.word, answer.reason)
        except BankWordInvalid:
            _log.error("bank_word_invalid", topup_id=row.topup_id)

    # -- what the bank said ---------------------------------------------------------------------

    async def _take_in(self, row: Row, outcome: str, word: BankWord, reason: str) -> Row | None:
        """Inside a transaction, the row locked. The row as it is then, if the books follow."""
        now, signed = self._clock.now(), _encode(word)
        if row.status in ("created", "pending"):
            if outcome == "refused":
                code = _refusal_code(row, reason, now)
                await self._record.move(row, Move(to="refused", refusal_code=code, word=signed))
                return None
            if row.status == "created":  # known to the bank before we asked: take it as asked
                await rows.move(row, Move(to="pending"), now)
                row = msgspec.structs.replace(row, status="pending", tries=row.tries + 1)
            await rows.move(row, Move(to="paid", word=signed), now)
            return msgspec.structs.replace(row, status="paid", word=signed)
        if (outcome == "paid") == (row.status != "refused"):
            return None
        _log.error("bank_contradicts_itself", topup_id=row.topup_id, outcome=outcome)
        if outcome == "refused" or row.reversal:
            return None  # the money is here: it stays until people have looked at it
        await rows.owe_back(row, signed, now)
        return msgspec.structs.replace(row, reversal="due", word=signed)

    async def _refuse(self, row: Row, code: str, tries: int | None = None) -> None:
        async with TX.transaction():
            await self._record.move(row, Move(to="refused", refusal_code=code, tries=tries))

    # -- the books ------------------------------------------------------------------------------

    async def _book(self, row: Row) -> None:
        """Raises nothing that is only for now: the sweeper comes back to it."""
        try:
            if row.status == "paid":
                await self._books.arrive(row)
                row = await self._credit(row)
            if row.reversal == "due":
                await self._give_back(row)
        except DomainError as refusal:
            _log.warning("topup_waits", topup_id=row.topup_id, code=refusal.code)

    async def _credit(self, row: Row) -> Row:
        assert row.word is not None, "paid on the bank's word only"
        try:
            in_time = self._clock.now() < row.deadline_at
            posted = await self._books.credit(row, _words.decode(row.word), in_time=in_time)
        except NotCredited as never:
            change = Move(to="refused", refusal_code=never.code, reversal="due")
        else:
            change = Move(to="posted", posted_at=posted.posted_at, journal_seq=posted.journal_seq)
        async with TX.transaction():
            await self._record.move(row, change)
        return msgspec.structs.replace(row, status=change.to, reversal=change.reversal)

    async def _give_back(self, row: Row) -> None:
        await self._books.arrive(row)
        await self._bank.refund(row.topup_id)
        await self._books.give_back(row)
        async with TX.transaction():
            await self._record.given_back(row)


def _about(statement: BankStatement, row: Row) -> bool:
    said = (statement.order_id, statement.person_id, statement.amount_fen)
    return said == (row.topup_id, row.person_id, row.amount_fen)


def _refusal_code(row: Row, reason: str, now: datetime) -> str:
    if reason in rules.REASONS:
        return reason
    return TopUpClosed.code if now >= row.deadline_at else TopUpRefused.code


async def _surely(topup_id: str) -> Row:
    row = await rows.find(topup_id)
    assert row is not None, "it was inserted"
    return row


def _published(path: Path) -> Mapping[str, bytes]:
    """Read again each time: a bank may change its key at any moment."""
    return keys.published(path)
