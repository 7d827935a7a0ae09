"""The auditor: follows the transaction system's log and trusts none of it.

It keeps its own books in the security system's cluster. Each change that reaches the log is either
explained by a journal batch that links, balances and brings its verdicts, or it is an alarm, and
the accounts it touches are frozen.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import asyncpg
import msgspec
import structlog

from backend.clock import Clock
from backend.db import BOOKS, SEC
from backend.risk.auditor import fence, opening
from backend.risk.auditor.alarms import raise_alarm, raise_unless_known
from backend.risk.auditor.books import Books
from backend.risk.auditor.findings import Finding, together
from backend.risk.auditor.full import verify
from backend.risk.auditor.judge import judge_all
from backend.risk.auditor.pgoutput import Transaction
from backend.risk.auditor.releases import settle_releases
from backend.risk.auditor.state import State, load_state, save_state
from backend.risk.auditor.stream import Stream, StreamLost, from_text
from backend.settings import Settings

MAX_CHANGES = 8_000  # judged and stored together
BOOKS_CONNECTIONS = 3
WAIT_S = 0.2
FENCE_EVERY_S = 1.0
SAVE_EVERY_S = 0.5  # while nothing happens: how old `audited_at` may look
RETRY_S = 0.5
ROUND_POSTINGS_PER_S = 2_000  # of the full pass over all history, again and again
ROUND_PAUSE_S = 60.0
CATCH_UP_TRIES = 300

VerdictKeys = Callable[[], Mapping[str, bytes]]

_log = structlog.get_logger(__name__)
# What passes when a cluster comes back. Any other error of SQL is a fault of ours or a trap of
# theirs, and is said aloud.
_OUTAGE = (
    StreamLost,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)


class Auditor:
    """One per security system. db.SEC must be open; db.BOOKS is opened when it can be."""

    def __init__(self, settings: Settings, verdict_keys: VerdictKeys, clock: Clock) -> None:
        self._settings, self._keys, self._clock = settings, verdict_keys, clock
        self._stream: Stream | None = None
        self._state: State | None = None
        self._books: Books | None = None
        self._synced = asyncio.Event()
        self._truncated: set[str] = set()
        self._fenced_at = self._saved_at = 0.0

    async def run(self) -> None:
        """Until cancelled. An outage of either cluster is waited out, and said once."""
        if not self._settings.books_url:
            _log.error("auditor_off", reason="no books_url")
            return
        opened_here = BOOKS.pool is None
        rounds = asyncio.create_task(self._patient(self._round, ROUND_PAUSE_S))
        try:
            await self._patient(self.step, 0)
        finally:
            rounds.cancel()
            await asyncio.wait([rounds])
            await self.close()
            if opened_here:
                await BOOKS.close()

    async def _patient(self, part: Callable[[], Awaitable[object]], pause_s: float) -> None:
        down = False
        while True:
            try:
                await part()
                down = False
                await asyncio.sleep(pause_s)
            except Exception as error:
                if not outage(error):
                    # Not understanding the books is no reason to look away in silence.
                    _log.exception("auditor_stuck")
                    await self._say_stuck(error)
                elif not down:
                    _log.warning("auditor_waits", error=str(error).partition("\n")[0])
                down = True
                await asyncio.sleep(RETRY_S)

    async def _say_stuck(self, error: Exception) -> None:
        with suppress(Exception):  # it is in the log already
            async with SEC.transaction():
                await raise_unless_known(
                    Finding("auditor_stuck", repr(type(error))), self._clock.now()
                )

    async def _round(self) -> None:
        """All history once more, slowly: what was changed in files, or while nobody looked."""
        await self._synced.wait()
        report = await verify(self._keys(), ROUND_POSTINGS_PER_S)
        await self._caught_up()  # what the log tells, it tells better
        async with SEC.transaction():
            for found in report.findings:
                finding = Finding(found.kind, found.detail, frozenset(found.accounts))
                await raise_unless_known(finding, self._clock.now())
        _log.info("audit_round", journal_seq=report.journal_seq, seconds=round(report.seconds, 1))

    async def _caught_up(self) -> None:
        """Until all that is in the log by now is judged, or the log is not followed at all."""
        [row] = await BOOKS.query("select pg_current_wal_insert_lsn()::text as lsn")
        for _ in range(CATCH_UP_TRIES):
            if self._state is not None and self._state.lsn >= from_text(row["lsn"]):
                return
            await asyncio.sleep(WAIT_S)

    async def step(self) -> int:
        """Judge what has come, or wait for it a moment; how many transactions were judged."""
        try:
            state, stream = await self._opened()
            arrived = await stream.receive(MAX_CHANGES, WAIT_S)
            fresh = [t for t in arrived if t.end_lsn > state.lsn]
            if fresh:
                await self._audit(fresh, stream.seen)
            elif stream.seen > state.lsn or self._due(self._saved_at, SAVE_EVERY_S):
                await self._save(msgspec.structs.replace(state, lsn=max(state.lsn, stream.seen)))
            assert self._state is not None
            stream.confirm(self._state.lsn)
            if self._due(self._fenced_at, FENCE_EVERY_S):
                await settle_releases(self._clock.now())
                await self._look_around()
        except BaseException:
            await self.close()  # what is not stored is read again
            raise
        return len(fresh)

    async def close(self) -> None:
        stream, self._stream, self._state = self._stream, None, None
        if stream is not None:
            with suppress(Exception):
                await stream.close()

    async def _opened(self) -> tuple[State, Stream]:
        if self._state is not None and self._stream is not None:
            return self._state, self._stream
        if BOOKS.pool is None:  # their cluster may be away when ours starts
            await BOOKS.open(self._settings.books_url, size=BOOKS_CONNECTIONS)
        state = await load_state()
        slot = await slot_name()
        stream = await Stream.connect(self._settings.books_url)
        try:
            if state.synced:
                state = await self._still_good(state, stream, slot)
            if not state.synced:
                state = await opening.resync(stream, slot, state, self._keys(), self._clock.now())
                await stream.close()
                stream = await Stream.connect(self._settings.books_url)
            await stream.start(slot, fence.PUBLICATION, state.lsn)
        except BaseException:
            await stream.close()
            raise
        self._state, self._stream, self._books = state, stream, Books(state.head)
        self._synced.set()
        _log.info("auditor_follows", slot=slot, journal_seq=state.head.last_seq)
        return state, stream

    async def _still_good(self, state: State, stream: Stream, slot: str) -> State:
        """The same cluster, not set back, with our slot where we left it."""
        system, kept = await stream.identify(), await fence.slot_state(slot)
        if system.system_id != state.system_id:
            finding = Finding("cluster_replaced", f"system {system.system_id}")
        elif system.lsn < state.lsn:
            finding = Finding("cluster_rewound", f"log at {system.lsn}, read to {state.lsn}")
        elif kept is None or not kept.usable:
            finding = Finding("slot_lost", slot)
        elif kept.confirmed > state.lsn:
            finding = Finding("slot_moved", slot)
        else:
            return state
        return await self._tell(finding, msgspec.structs.replace(state, synced=False))

    async def _audit(self, transactions: list[Transaction], seen: int) -> None:
        state, books = self._state, self._books
        assert state is not None
        assert books is not None
        books.forget()
        at = self._clock.now()
        await books.load(transactions, at)
        findings = await asyncio.to_thread(judge_all, books, transactions, self._keys())
        async with SEC.transaction():
            await books.store()
            for finding in findings:
                await raise_alarm(finding, at)
            state = msgspec.structs.replace(state, lsn=seen, head=books.head)
            await save_state(state, at)
        self._state, self._saved_at = state, time.monotonic()
        self._truncated |= {
            c.table for t in transactions for c in t.changes if c.verb == "truncate"
        }

    async def _look_around(self) -> None:
        """Publication, tables and guards are as they were; else the tables are compared anew."""
        assert self._state is not None
        facts = await fence.facts()
        findings = fence.changed(self._state.facts, facts, self._truncated)
        self._truncated.clear()
        self._fenced_at = time.monotonic()
        state = msgspec.structs.replace(self._state, facts=facts)
        finding = together(findings)
        if finding is None:
            if facts != self._state.facts:
                await self._save(state)
            return
        # A guard that is down hides nothing from the log; anything else may have.
        blind = any(f.kind != "guard_changed" for f in findings)
        self._state = await self._tell(finding, msgspec.structs.replace(state, synced=not blind))
        if blind:
            await self.close()

    async def _tell(self, finding: Finding, state: State) -> State:
        """An alarm; where the state is not synced, all is compared at the next opening."""
        async with SEC.transaction():
            await raise_alarm(finding, self._clock.now())
            await save_state(state, self._clock.now())
        return state

    async def _save(self, state: State) -> None:
        async with SEC.transaction():
            await save_state(state, self._clock.now())
        self._state, self._saved_at = state, time.monotonic()

    def _due(self, last: float, every_s: float) -> bool:
        return time.monotonic() - last >= every_s


def outage(error: Exception) -> bool:
    """Whether waiting may help. A query that took too long is no outage: it would again."""
    return isinstance(error, _OUTAGE) and type(error) is not asyncpg.QueryCanceledError


async def slot_name() -> str:
    """Slots are of the whole cluster, so ours is named after its database."""
    rows = await BOOKS.query("select current_database()")
    return "yipay_audit_" + re.sub(r"[^a-z0-9_]", "_", rows[0][0].lower())[:48]
