"""The single writer: takes what waits, decides it, and commits it, batch after batch.

While one batch is being committed the next is already decided, on the books as they will be. If
the commit fails, both are decided again on the books as they are: whatever was committed after
all is then found by its id, so a lost connection leaves no doubt.
"""

import asyncio
import time

import asyncpg
import structlog

from backend.clock import Clock, from_ms, to_ms
from backend.db import Database
from backend.errors import IdReused, OutcomeUnknown, Unavailable
from backend.ledger import MalformedPosting, Outcome, Posted, VerdictUsed
from backend.ledger.append import Appender, Written, after
from backend.ledger.batch import Batch, Work
from backend.ledger.book import Book, Why
from backend.ledger.lookup import REFUSALS, accounts_of, head_of, holds_of, known_of, spent_of
from backend.ledger.memory import Memory
from backend.ledger.rules import RANK
from backend.ledger.session import LOST, session

MAX_BATCH = 400  # while one is committed the next is decided: two cores work at once
WORTH_HALVING = 16
MAX_WAITING = 20_000
MAX_TRIES = 5
ALONE_AFTER = 2  # a posting whose batch failed twice is tried alone
LOST_S = 8.0  # so long callers wait for a database that is away; less than their own time-out
RETRY_S = 0.1

_log = structlog.get_logger(__name__)


class Flight:
    """A batch under way to the disk."""

    def __init__(self, appender: Appender, batch: Batch, before: Written, after: Written) -> None:
        self.batch, self.before, self.after = batch, before, after
        self.task = asyncio.create_task(appender.append(batch, before, after))


class Writer:
    """`submit` from any task; one task of its own does all the writing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._memory = Memory()
        self._pending: dict[str, Work] = {}
        self._queue: list[Work] = []
        self._taken: list[Work] = []  # being decided
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._book, self._open = Book(), Batch(1)
        self._flight: Flight | None = None
        self._head = Written(head_of(None), 0)
        self._lost_at: float | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    # -- for callers ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Returns when this writer is the one."""
        self._task = asyncio.create_task(self._live())
        self._task.add_done_callback(self._ended)
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait((self._task, ready), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            ready.cancel()
            self._task.result()

    async def stop(self) -> None:
        """Answer what was taken, take nothing more, give the lock back."""
        self._stopping = True
        self._wake.set()
        await self.ended()

    async def ended(self) -> None:
        """Returns when it has stopped; raises what went wrong if it wasn't told to."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def submit(self, work: Work) -> Posted:
        """Refuses: IdReused, PRECEDENCE; Unavailable, OutcomeUnknown where the database is away."""
        posting_id = work.posting.posting_id
        remembered = self._memory.get(posting_id)
        if remembered is not None:
            return _answer(work, *remembered)
        future: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
        first = self._pending.get(posting_id)
        if first is None:
            self._take(work)
            work.futures.append(future)
        elif first.content_hash != work.content_hash:
            raise IdReused(posting_id=posting_id)
        else:
            first.futures.append(future)
        return await future

    async def settled(self, posting_id: str) -> None:
        """Returns when nothing of this id is under way."""
        work = self._pending.get(posting_id)
        if work is not None:
            future: asyncio.Future[Posted] = asyncio.get_running_loop().create_future()
            work.futures.append(future)
            await asyncio.wait((future,))
            future.exception()

    def frozen(self, key: int, frozen: bool) -> None:
        """An account was frozen or thawed in the books."""
        account = self._book.accounts.get(key)
        if account is not None:
            account.frozen = frozen

    def _take(self, work: Work) -> None:
        away = self._lost_at is not None and time.monotonic() - self._lost_at > LOST_S
        if self._stopping or away or len(self._queue) >= MAX_WAITING:
            raise Unavailable()
        self._pending[work.posting.posting_id] = work
        self._queue.append(work)
        self._wake.set()

    def _ended(self, _: asyncio.Task[None]) -> None:
        """Nobody waits for a writer that is no more."""
        self._stopping = True
        for work in list(self._pending.values()):
            self._fail(work, OutcomeUnknown())

    # -- the session's life -----------------------------------------------------------------------

    async def _live(self) -> None:
        self._lost_at = time.monotonic()
        while not self._stopping or self._pending:
            try:
                async with session(self._database) as (appender, head):
                    self._head, self._lost_at = head, None
                    self._ready.set()
                    await self._write(appender)
            except LOST as error:
                await self._interrupted(error)

    async def _interrupted(self, error: Exception) -> None:
        """Nothing remembered holds any more; what was under way is decided again."""
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            _log.warning("ledger_database_lost", error=type(error).__name__)
        self._redo()
        self._book = Book()
        if time.monotonic() - self._lost_at > LOST_S:
            self._give_up()
        await asyncio.sleep(RETRY_S)

    def _give_up(self) -> None:
        for work in self._queue:
            self._fail(work, OutcomeUnknown() if work.tries else Unavailable())
        self._queue.clear()

    async def _write(self, appender: Appender) -> None:
        while not self._stopping or self._pending:
            await self._wake.wait()
            self._wake.clear()
            landed = self._landed()
            self._launch(appender)  # first: the disk is idle
            if landed is not None:
                self._answer_all(landed)
            await self._admit()
            self._launch(appender)

    # -- taking -----------------------------------------------------------------------------------

    async def _admit(self) -> None:
        """Decide what waits, into the open batch."""
        works = self._taken = self._next()
        if not works:
            return
        careful = [work for work in works if work.tries]
        if careful:
            works = await self._not_known(works, careful)
        await self._load(works)
        now_ms = to_ms(self._clock.now())
        book, batch = self._book, self._open
        refused = []
        for work in works:
            why = book.admit(batch, work, now_ms)
            if why is not None:
                refused.append((work, why))
        if refused:
            await self._refuse(refused)
        self._taken = []

    def _next(self) -> list[Work]:
        room = MAX_BATCH - len(self._open.works) - len(self._open.refused)
        queue = self._queue
        if self._flight is None and not self._open and len(queue) >= WORTH_HALVING:
            # All callers at once would be answered at once and come back at once, with the disk
            # idle meanwhile. Halved, one half is decided while the other is committed.
            room = min(room, len(queue) // 2)
        if queue and queue[0].tries >= ALONE_AFTER:
            room = 0 if self._open else 1
        elif self._open.works and self._open.works[0].tries >= ALONE_AFTER:
            room = 0
        if room <= 0 or not queue:
            return []
        works, self._queue = queue[:room], queue[room:]
        if self._queue:
            self._wake.set()
        return works

    async def _load(self, works: list[Work]) -> None:
        accounts, holds = self._book.accounts, self._book.holds
        missing = {key for work in works for key in work.keys if key not in accounts}
        if missing:
            accounts.update(await accounts_of(self._database, missing))
        unknown = {t.hold_id for w in works for t in w.hold_ops if t.hold_id not in holds}
        if unknown:
            holds.update(await holds_of(self._database, unknown))

    async def _not_known(self, works: list[Work], asked: list[Work]) -> list[Work]:
        """Answer those whose id the books know already; the others, in their order."""
        known = await known_of(self._database, [w.posting.posting_id for w in asked])
        spent = await spent_of(self._database, [w.verdict_id for w in asked if w.verdict_id])
        rest = []
        for work in works:
            found = known.get(work.posting.posting_id)
            if found is None:
                work.spent = work.verdict_id in spent
                rest.append(work)
            else:
                self._close(work, found.content_hash, found.outcome)
        return rest

    async def _refuse(self, refused: list[tuple[Work, Why]]) -> None:
        """Refusals are kept with the batch, unless the id is known: then this is a replay."""
        reasons = {work: why for work, why in refused}
        works = list(reasons)
        for work in await self._not_known(works, [w for w in works if not w.tries]):
            why = reasons[work]
            if why is IdReused or why is MalformedPosting:
                self._fail(work, why())
                continue
            if work.spent and RANK[why.code] > RANK[VerdictUsed.code]:
                why = VerdictUsed
            self._open.refused.append((work, why))

    # -- writing ----------------------------------------------------------------------------------

    def _launch(self, appender: Appender) -> None:
        batch = self._open
        if self._flight is not None or not batch:
            return
        self._book.trim(batch.number)
        before, self._head = self._head, after(batch, self._head, to_ms(self._clock.now()))
        self._flight = Flight(appender, batch, before, self._head)
        self._flight.task.add_done_callback(lambda _: self._wake.set())
        self._open = Batch(batch.number + 1)

    def _landed(self) -> Flight | None:
        """The flight if it is committed. Where it failed, its postings wait again."""
        flight = self._flight
        if flight is None or not flight.task.done():
            return None
        error = flight.task.exception()
        if error is None:
            self._flight = None
            self._book.settle(flight.batch)
            return flight
        if not isinstance(error, asyncpg.PostgresError) or isinstance(error, LOST):
            raise error
        _log.info("ledger_batch_again", sqlstate=error.sqlstate, why=error.args[0])
        self._head = flight.before
        self._redo()
        return None

    def _redo(self) -> None:
        flight, self._flight = self._flight, None
        batches = [self._open] if flight is None else [flight.batch, self._open]
        works = [work for batch in batches for work in batch.everything()] + self._taken
        again = [w for w in dict.fromkeys(works) if w.posting.posting_id in self._pending]
        self._taken = []
        for batch in batches:
            self._book.forget(batch)
        self._open = Batch(self._open.number + 1)
        for work in again:
            work.tries += 1
            if work.tries >= MAX_TRIES:
                _log.error("ledger_posting_stuck", posting_id=work.posting.posting_id)
                self._fail(work, Unavailable())
        self._queue = [work for work in again if work.tries < MAX_TRIES] + self._queue
        self._wake.set()

    def _answer_all(self, flight: Flight) -> None:
        seq, at = flight.before.head.journal_seq, from_ms(flight.after.at_ms)
        for work in flight.batch.works:
            seq += 1
            posted = Posted(work.posting.posting_id, seq, at)
            self._close(work, work.content_hash, Outcome(posted))
        for work, why in flight.batch.refused:
            self._close(work, work.content_hash, Outcome(None, why.code))

    def _close(self, work: Work, content_hash: bytes, outcome: Outcome) -> None:
        """Answer by what the books say of this id, and remember it."""
        posting_id = work.posting.posting_id
        self._memory.put(posting_id, content_hash, outcome)
        if content_hash != work.content_hash:
            self._fail(work, IdReused(posting_id=posting_id))
        elif outcome.posted is None:
            self._fail(work, REFUSALS[outcome.refusal_code]())
        else:
            del self._pending[posting_id]
            for future in work.futures:
                if not future.done():
                    future.set_result(outcome.posted)

    def _fail(self, work: Work, error: Exception) -> None:
        self._pending.pop(work.posting.posting_id, None)
        for future in work.futures:
            if not future.done():
                future.set_exception(error)


def _answer(work: Work, content_hash: bytes, outcome: Outcome) -> Posted:
    if content_hash != work.content_hash:
        raise IdReused(posting_id=work.posting.posting_id)
    if outcome.posted is None:
        raise REFUSALS[outcome.refusal_code]()
    return outcome.posted
