"""The outbox: nothing is lost, nothing comes before its commit, streams resume."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from backend.db import TX
from backend.events import Beat, Event, service
from backend.events.service import EventsService
from backend.settings import Settings

SHOP, PERSON = "shop:mch_1", "person:usr_1"


@pytest.fixture
async def events(databases: Settings) -> AsyncIterator[EventsService]:
    made = EventsService(databases.tx_url)
    yield made
    await made.close()


async def record(events: EventsService, topic: str, ref: str) -> None:
    async with TX.transaction():
        await events.record(topic, "order_paid", ref)


class Reader:
    """A page that listens."""

    def __init__(
        self, events: EventsService, topics: tuple[str, ...], after: int | None = None
    ) -> None:
        self.got: list[Event] = []
        self.beats: list[Beat] = []
        self._task = asyncio.create_task(self._read(events, topics, after))

    async def _read(
        self, events: EventsService, topics: tuple[str, ...], after: int | None
    ) -> None:
        async for event in events.subscribe(topics, after):
            if isinstance(event, Beat):
                self.beats.append(event)
            else:
                self.got.append(event)

    @property
    def refs(self) -> list[str]:
        return [event.ref for event in self.got]

    async def reads(self, count: int) -> "Reader":
        async with asyncio.timeout(20):
            while len(self.got) < count:  # noqa: ASYNC110 — a reader shows what it got, no more
                await asyncio.sleep(0.01)
        return self

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def from_now_on(events: EventsService, *topics: str) -> Reader:
    """A reader that surely listens already."""
    reader = Reader(events, (*topics, "probe:x"))
    while not reader.got:
        await record(events, "probe:x", "probe")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    reader.got.clear()
    return reader


async def test_a_reader_gets_its_topics_and_no_others(events: EventsService) -> None:
    reader = await from_now_on(events, SHOP, PERSON)
    await record(events, SHOP, "a")
    await record(events, "shop:mch_2", "b")
    await record(events, PERSON, "c")
    await reader.reads(2)
    assert reader.refs == ["a", "c"]
    await reader.stop()


async def test_an_event_needs_a_transaction_and_shares_its_fate(events: EventsService) -> None:
    reader = await from_now_on(events, SHOP)
    with pytest.raises(AssertionError):
        await events.record(SHOP, "order_paid", "alone")
    with suppress(ZeroDivisionError):
        async with TX.transaction():
            await events.record(SHOP, "order_paid", "rolled back")
            raise ZeroDivisionError
    await record(events, SHOP, "committed")
    await reader.reads(1)
    assert reader.refs == ["committed"]
    await reader.stop()


async def test_a_stream_resumes_after_the_last_event_it_saw(events: EventsService) -> None:
    for n in range(5):
        await record(events, SHOP, str(n))
    first = await Reader(events, (SHOP,), after=0).reads(5)
    second = await Reader(events, (SHOP,), after=first.got[2].event_id).reads(2)
    assert second.refs == ["3", "4"]
    assert [e.event_id for e in first.got] == sorted(e.event_id for e in first.got)
    await first.stop()
    await second.stop()


async def test_a_commit_out_of_order_is_not_lost(
    events: EventsService, databases: Settings
) -> None:
    """The slow writer takes its number first and commits last, on another topic of the reader."""
    reader = await from_now_on(events, SHOP, PERSON)
    slow = await asyncpg.connect(databases.tx_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(
        "insert into events.event (topic, kind, ref) values ($1, 'k', 'slow')", PERSON
    )
    await record(events, SHOP, "fast")
    await asyncio.sleep(0.3)
    assert reader.refs == [], "a later event must wait for those that may still come before it"
    await transaction.commit()
    await slow.close()
    await reader.reads(2)
    assert reader.refs == ["slow", "fast"]
    await reader.stop()


async def test_a_storm_reaches_a_reader_that_keeps_reconnecting(events: EventsService) -> None:
    topics = (SHOP, PERSON)
    start = await from_now_on(events, *topics)
    await record(events, SHOP, "first")
    await start.reads(1)
    last = start.got[0].event_id
    seen: list[str] = []

    async def write(n: int) -> None:
        async with TX.transaction():
            await events.record(topics[n % 2], "k", f"{n}a")
            await asyncio.sleep(secrets.randbelow(20) / 1000)
            await events.record(topics[(n + 1) % 2], "k", f"{n}b")

    async def storm() -> None:
        for wave in range(10):
            await asyncio.gather(*(write(wave * 8 + n) for n in range(8)))

    async def read() -> None:
        nonlocal last
        while len(seen) < 160:
            async with asyncio.timeout(20):
                async for event in events.subscribe(topics, last):
                    if not isinstance(event, Beat):
                        seen.append(event.ref)
                        last = event.event_id
                        break

    await asyncio.gather(storm(), read())
    expected = {f"{n}{side}" for n in range(80) for side in "ab"}
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    await start.stop()


async def test_the_listener_comes_back(
    events: EventsService, databases: Settings, servers_admin: asyncpg.Connection
) -> None:
    reader = await from_now_on(events, SHOP)
    await servers_admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = $1 and query ilike 'listen%'",
        databases.tx_url.rpartition("/")[2].partition("?")[0],
    )
    await record(events, SHOP, "while away")
    await reader.reads(1)
    await record(events, SHOP, "and after")
    await reader.reads(2)
    assert reader.refs == ["while away", "and after"]
    await reader.stop()


async def test_a_quiet_stream_shows_that_it_lives(
    events: EventsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ALIVE_S", 0.2)
    reader = Reader(events, (SHOP,))
    async with asyncio.timeout(10):
        while len(reader.beats) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert reader.got == []
    await reader.stop()


async def test_waiting_holds_no_connection(events: EventsService) -> None:
    readers = [await from_now_on(events, SHOP), *(Reader(events, (SHOP,)) for _ in range(30))]
    await asyncio.sleep(0.3)
    assert TX.pool is not None
    assert TX.pool.get_idle_size() == TX.pool.get_size()
    for reader in readers:
        await reader.stop()


async def test_an_id_of_another_life_does_not_silence_a_stream(events: EventsService) -> None:
    """After a restore from a backup, browsers come with ids that are not reached yet."""
    reader = Reader(events, (SHOP,), after=2**62)
    await asyncio.sleep(0.3)
    await record(events, SHOP, "news")
    await reader.reads(1)
    assert reader.refs == ["news"]
    await reader.stop()


async def test_what_is_older_than_a_day_is_forgotten(events: EventsService) -> None:
    await TX.query(
        "insert into events.event (topic, kind, ref, created_at) select 'a:b', 'k', n::text,"
        " now() - interval '25 hours' from generate_series(1, 2500) n"
    )
    await record(events, SHOP, "new")
    assert await events.sweep() == 2500
    assert await events.sweep() == 0
    assert [row["ref"] for row in await TX.query("select ref from events.event")] == ["new"]


async def test_a_quiet_stream_resumes_from_where_it_began(events: EventsService) -> None:
    """It was cut before any event: what came meanwhile is not lost."""
    first = Reader(events, (SHOP,))
    async with asyncio.timeout(10):
        while not first.beats:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await first.stop()
    await record(events, SHOP, "between")
    second = await Reader(events, (SHOP,), after=first.beats[0].event_id).reads(1)
    assert second.refs == ["between"]
    assert not second.beats[0].lost
    await second.stop()


async def test_a_quiet_stream_keeps_up_with_what_others_do(
    events: EventsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is not told, a day later, that it has lost what was never its own."""
    monkeypatch.setattr(service, "ALIVE_S", 0.1)
    reader = Reader(events, (SHOP,))
    await record(events, PERSON, "another's")
    [row] = await TX.query("select event_id from events.event")
    async with asyncio.timeout(10):
        while not reader.beats or (reader.beats[-1].event_id or 0) < row["event_id"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert reader.got == []
    await reader.stop()


async def test_who_comes_back_too_late_is_told(events: EventsService) -> None:
    reader = Reader(events, (SHOP,))
    async with asyncio.timeout(10):
        while not reader.beats:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await reader.stop()
    await TX.query(
        "insert into events.event (topic, kind, ref, created_at)"
        " values ($1, 'k', 'old', now() - interval '25 hours')",
        PERSON,
    )
    await record(events, SHOP, "kept")
    assert await events.sweep() == 1
    late = Reader(events, (SHOP,), after=reader.beats[0].event_id)
    async with asyncio.timeout(10):
        while not late.beats:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert late.beats[0].lost
    await record(events, SHOP, "news")
    await late.reads(1)
    assert late.refs == ["news"], "it loads afresh, so that what is older is not told again"
    in_time = Reader(events, (SHOP,), after=late.beats[0].event_id)
    await in_time.reads(1)
    assert (in_time.refs, in_time.beats[0].lost) == (["news"], False)
    await late.stop()
    await in_time.stop()


async def test_what_was_forgotten_stays_forgotten(databases: Settings) -> None:
    await TX.query("update events.horizon set forgotten_to = 5")
    with pytest.raises(asyncpg.PostgresError, match="stays forgotten"):
        await TX.query("update events.horizon set forgotten_to = 4")
    with pytest.raises(asyncpg.PostgresError, match="permission denied"):
        await TX.query("insert into events.horizon (one, forgotten_to) values (false, 0)")
