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
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from backend.db import TX
from backend.events import Beat, Event, News
from backend.events.listener import CHANNEL, Bell, Listener

ALIVE_S = 15.0
POLL_S = 2.0  # while the listener has no connection
CALM_POLL_S = 5.0  # while it believes to have one
FIRST_PAUSE_S = 0.01  # news seen above the line: look again soon, then less often
MAX_BATCH = 100
MAX_TOPICS = 10
KEPT_FOR = timedelta(days=1)
FORGET_BATCH, MAX_BATCHES = 2_000, 20

# Ids rise with time: the oldest are looked at, and nothing else is read to find them. Both times
# are the database's own.
_FORGET = """
with gone as (
    delete from events.event where event_id in (
        select event_id from (
            select event_id, created_at from events.event order by event_id limit $2
        ) oldest where created_at < now() - $1::interval
    ) returning event_id
), told as (
    update events.horizon set forgotten_to = newest.event_id
    from (select max(event_id) as event_id from gone) newest
    where newest.event_id > forgotten_to
)
select event_id from gone
"""
# One statement, so one snapshot: what it finds up to the line is all there will ever be. An id from
# above the line is of a database that was since replaced by a backup.
_READ = """
with place as (
    select forgotten_to, line, least(coalesce($2, line), line) as start
    from events.horizon, (select events.settled_below() - 1 as line) now
)
select p.*, e.event_id, e.topic, e.kind, e.ref, e.created_at
from place p left join lateral (
    select * from events.event
    where topic = any($1) and event_id > p.start order by event_id limit $3
) e on true order by e.event_id
"""

_log = structlog.get_logger(__name__)

Also = Callable[[tuple[News, ...]], Awaitable[None]]


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """start: where it began. line: nothing can appear at or below it any more. unsettled: there is
    more, above it. lost: some of what came after the place that was asked for is forgotten."""

    start: int
    line: int
    events: tuple[Event, ...] = ()
    unsettled: bool = False
    lost: bool = False


class _Pace:
    """When a quiet stream looks again, and shows that it lives."""

    def __init__(self) -> None:
        self.news()

    def news(self) -> None:
        self._quiet_since, self._pause_s = time.monotonic(), FIRST_PAUSE_S

    def beat_due(self) -> bool:
        due = time.monotonic() - self._quiet_since >= ALIVE_S
        if due:
            self._quiet_since = time.monotonic()
        return due

    def wait_s(self, connected: bool, unsettled: bool) -> float:
        wait_s = CALM_POLL_S if connected else POLL_S
        if unsettled:
            wait_s, self._pause_s = self._pause_s, min(self._pause_s * 2, POLL_S)
        return min(wait_s, self._quiet_since + ALIVE_S - time.monotonic())


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
    ) -> AsyncGenerator[Event | Beat, None]:
        assert 0 < len(topics) <= MAX_TOPICS
        bell = Bell(topics)
        self._listener.add(bell)
        try:
            async with aclosing(self._follow(bell, list(topics), after)) as news:
                async for each in news:
                    yield each
        finally:
            self._listener.remove(bell)

    async def close(self) -> None:
        await self._listener.close()

    async def _follow(
        self, bell: Bell, topics: list[str], after: int | None
    ) -> AsyncGenerator[Event | Beat, None]:
        last, begun, pace = after, False, _Pace()
        while True:
            bell.event.clear()
            read = await _read(topics, last)
            if read is not None and (read.lost or not begun):
                last, begun = read.start, True
                yield Beat(event_id=last, lost=read.lost)
            if read is not None and read.events:
                for event in read.events:
                    last = event.event_id
                    yield event
                pace.news()
                continue
            unsettled = read is not None and read.unsettled
            if read is not None and not unsettled:
                last = read.line
            if pace.beat_due():
                yield Beat(event_id=last)
            await _rung(bell, pace.wait_s(self._listener.connected, unsettled))


async def _read(topics: list[str], last: int | None) -> _Read | None:
    """None while the database is away."""
    try:
        rows = await TX.query(_READ, topics, last, MAX_BATCH)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("events_unreadable", error=type(error).__name__)
        return None
    line, start = rows[0]["line"], rows[0]["start"]
    if rows[0]["forgotten_to"] > start:
        return _Read(start=line, line=line, lost=True)
    found = tuple(_event(row) for row in rows if row["event_id"] is not None)
    settled = tuple(event for event in found if event.event_id <= line)
    return _Read(start=start, line=line, events=settled, unsettled=len(settled) < len(found))


def _event(row: Any) -> Event:
    return Event(**{name: row[name] for name in Event.__struct_fields__})


async def _rung(bell: Bell, at_most_s: float) -> None:
    try:
        async with asyncio.timeout(max(at_most_s, 0)):
            await bell.event.wait()
    except TimeoutError:
        pass
