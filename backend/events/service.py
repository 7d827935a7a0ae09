"""The outbox on PostgreSQL.

Ids of a sequence become visible out of order: 6 may commit before 5, and a reader that goes on
after 6 loses 5. Here an id is the number of its transaction, then a turn within it, and a reader
takes only what lies below the oldest transaction still running (`events.settled_below()`). Below
that line nothing can appear any more, so "after the last one I saw" is enough to resume without
loss, over any set of topics. The price: news wait for the writers that started earlier, which are
milliseconds here. No lock is taken, so writers of one topic do not wait for each other.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import asyncpg
import msgspec
import structlog

from backend.db import TX
from backend.events import Event, News
from backend.events.listener import CHANNEL, Bell, Listener

ALIVE_S = 15.0
POLL_S = 2.0  # while the listener has no connection
CALM_POLL_S = 5.0  # while it believes to have one
FIRST_PAUSE_S = 0.01  # news seen above the line: look again soon, then less often
MAX_BATCH = 100
MAX_TOPICS = 10
KEPT_FOR = timedelta(days=1)
FORGET_BATCH, MAX_BATCHES = 2_000, 20

# Ids rise with time: the oldest are looked at, and nothing else is read to find them.
_FORGET = """
delete from events.event where event_id in (
    select event_id from (
        select event_id, created_at from events.event order by event_id limit $2
    ) oldest where created_at < now() - $1::interval
) returning event_id
"""

_log = structlog.get_logger(__name__)

Also = Callable[[tuple[News, ...]], Awaitable[None]]


class _Read(msgspec.Struct):
    """unsettled: there is more, above the line."""

    events: list[Event]
    unsettled: bool


class _Row(Event, frozen=True, kw_only=True):
    settled: bool


class EventsService:
    """also: what else is written with the news, in their transaction."""

    def __init__(self, listener_url: str, also: Also | None = None) -> None:
        self._listener = Listener(listener_url)
        self._also = also

    async def record(self, topic: str, kind: str, ref: str) -> None:
        await self.record_all((News(topic, kind, ref),))

    async def record_all(self, news: tuple[News, ...]) -> None:
        assert TX.current_transaction.get(), "events belong to the transaction of the change"
        await TX.query(
            "with put as (insert into events.event (topic, kind, ref)"
            " select * from unnest($1::text[], $2::text[], $3::text[]) returning topic)"
            " select pg_notify($4, topic) from put",
            [each.topic for each in news],
            [each.kind for each in news],
            [each.ref for each in news],
            CHANNEL,
        )
        if self._also is not None:
            await self._also(news)

    async def sweep(self) -> int:
        forgotten = 0
        for _ in range(MAX_BATCHES):
            rows = await TX.query(_FORGET, KEPT_FOR, FORGET_BATCH)
            forgotten += len(rows)
            if len(rows) < FORGET_BATCH:
                break
        return forgotten

    async def subscribe(
        self, topics: tuple[str, ...], after: int | None
    ) -> AsyncIterator[Event | None]:
        assert 0 < len(topics) <= MAX_TOPICS
        bell = Bell(topics)
        self._listener.add(bell)
        try:
            async for event in self._follow(bell, list(topics), after):
                yield event
        finally:
            self._listener.remove(bell)

    async def close(self) -> None:
        await self._listener.close()

    async def _follow(
        self, bell: Bell, topics: list[str], after: int | None
    ) -> AsyncIterator[Event | None]:
        last: int | None = None
        quiet_since, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            bell.event.clear()
            last = await self._start(after) if last is None else last
            read = None if last is None else await _read(topics, last)
            if read is not None and read.events:
                for event in read.events:
                    last = event.event_id
                    yield event
                quiet_since, pause_s = time.monotonic(), FIRST_PAUSE_S
                continue
            if time.monotonic() - quiet_since >= ALIVE_S:
                yield None
                quiet_since = time.monotonic()
            poll_s = CALM_POLL_S if self._listener.connected else POLL_S
            if read is not None and read.unsettled:
                poll_s, pause_s = pause_s, min(pause_s * 2, POLL_S)
            await _rung(bell, min(poll_s, quiet_since + ALIVE_S - time.monotonic()))

    async def _start(self, after: int | None) -> int | None:
        """Where reading starts; None while the database is away."""
        try:
            [row] = await TX.query("select events.settled_below() - 1 as line")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        line: int = row["line"]
        # An id from above the line is of a database that was since replaced by a backup.
        return line if after is None else min(after, line)


async def _read(topics: list[str], last: int) -> _Read | None:
    try:
        rows = await TX.query_as(
            _Row,
            "select event_id, topic, kind, ref, created_at,"
            " event_id < events.settled_below() as settled"
            " from events.event where topic = any($1) and event_id > $2"
            " order by event_id limit $3",
            topics,
            last,
            MAX_BATCH,
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("events_unreadable", error=type(error).__name__)
        return None
    settled: list[Event] = [_event(row) for row in rows if row.settled]
    return _Read(settled, unsettled=len(settled) < len(rows))


def _event(row: _Row) -> Event:
    return Event(
        event_id=row.event_id,
        topic=row.topic,
        kind=row.kind,
        ref=row.ref,
        created_at=row.created_at,
    )


async def _rung(bell: Bell, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(max(at_most_s, 0)):
            await bell.event.wait()
    except TimeoutError:
        pass
