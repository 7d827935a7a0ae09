"""The ledger behind its face. One per set of books: it starts when no other writes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from backend.clock import Clock, clock_for
from backend.db import LEDGER
from backend.errors import BadRequest, IdReused
from backend.ledger import (
    MAX_ACCOUNTS,
    Balance,
    Entry,
    JournalHead,
    MalformedPosting,
    NewAccount,
    Outcome,
    Post,
    Posted,
    Sealed,
    accounts,
    after,
    deadlines,
    statement,
)
from backend.ledger.lookup import HEAD, head_of, known_of, sealed_of
from backend.ledger.rules import malformed
from backend.ledger.work import VerdictKeys, work_of
from backend.ledger.writer import Writer
from backend.settings import Settings
from backend.together import Together

TOGETHER = 200  # whose balances are read at once


class LedgerService:
    """Implements `backend.ledger.Ledger`. db.LEDGER must be open."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._keys = VerdictKeys(Path(settings.verdict_keys))
        self._writer = Writer(LEDGER, clock)
        self._watch: asyncio.Task[None] | None = None
        self._balances = Together[tuple[str, ...], tuple[Balance, ...]](accounts.balances, TOGETHER)

    async def start(self) -> None:
        """Returns when this is the one writer of these books."""
        await self._writer.start()
        self._watch = asyncio.create_task(deadlines.watch(self._writer, self._keys, self._clock))

    async def stop(self) -> None:
        """Answers what was taken first."""
        if self._watch is not None:
            self._watch.cancel()
        await self._writer.stop()

    async def ended(self) -> None:
        """Returns or raises when the writer is no more."""
        await self._writer.ended()

    async def expire_due(self) -> int:
        """Void the holds that are past their deadline now; how many."""
        return await deadlines.expire_due(self._writer, self._keys, self._clock)

    async def open_accounts(self, new: tuple[NewAccount, ...]) -> None:
        await accounts.open_accounts(new, self._clock)

    async def post(self, post: Post) -> Posted:
        if malformed(post.posting):
            if await known_of(LEDGER, [post.posting.posting_id]):
                raise IdReused(posting_id=post.posting.posting_id)
            raise MalformedPosting
        return await self._writer.submit(work_of(post, self._keys, self._clock))

    async def outcome(self, posting_id: str) -> Outcome | None:
        await self._writer.settled(posting_id)
        known = await known_of(LEDGER, [posting_id])
        return known[posting_id].outcome if known else None

    async def sealed(self, posting_id: str) -> Sealed | None:
        return await sealed_of(LEDGER, posting_id)

    async def balances(self, account_ids: tuple[str, ...]) -> tuple[Balance, ...]:
        if len(account_ids) > MAX_ACCOUNTS:
            raise BadRequest()
        return await self._balances.do(account_ids)

    async def balance_at(self, account_id: str, at: datetime) -> int:
        return await statement.balance_at(account_id, at)

    async def statement(self, account_id: str, before_seq: int, limit: int) -> tuple[Entry, ...]:
        return await statement.statement(account_id, before_seq, limit)

    async def balances_after(
        self, account_id: str, journal_seqs: tuple[int, ...]
    ) -> tuple[tuple[int, int], ...]:
        return await after.balances_after(account_id, journal_seqs)

    async def set_frozen(self, account_ids: tuple[str, ...], frozen: bool) -> None:
        for account_id in account_ids:
            self._writer.frozen(await accounts.set_frozen(account_id, frozen), frozen)

    async def head(self) -> JournalHead:
        rows = await LEDGER.query(HEAD)
        return head_of(rows[0] if rows else None)

    async def ping(self) -> None:
        await LEDGER.query("select 1")


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[LedgerService]:
    """A started service in this process."""
    service = LedgerService(settings, clock or clock_for(settings))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
