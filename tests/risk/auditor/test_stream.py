"""The log as the server decodes it: whole transactions, exact values, nothing lost at a restart."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from backend.risk.auditor.pgoutput import ParseError, Parser, Transaction
from backend.risk.auditor.stream import Stream, StreamLost, from_text, to_text
from backend.settings import Settings

SLOT, PUBLICATION = "probe_slot_{}", "probe_pub"


@pytest.fixture
async def slot(root: asyncpg.Connection) -> str:
    await root.execute(
        "create schema probe; create table probe.t (id text primary key, amount bigint, flag bool,"
        " body bytea, at timestamptz, n int, note text);"
        "create table probe.u (id int primary key); alter table probe.u replica identity full;"
        f"create publication {PUBLICATION} for table probe.t, probe.u"
    )
    return SLOT.format(await root.fetchval("select current_database()"))


@pytest.fixture
async def stream(root: asyncpg.Connection, slot: str, databases: Settings) -> AsyncIterator[Stream]:
    maker = await Stream.connect(databases.books_url)
    made = await maker.create_slot(slot)
    await maker.close()
    stream = await Stream.connect(databases.books_url)
    await stream.start(slot, PUBLICATION, made.lsn)
    yield stream
    await stream.close()


async def drain(stream: Stream, count: int) -> list[Transaction]:
    out: list[Transaction] = []
    while len(out) < count:
        more = await stream.receive(10_000, 5.0)
        assert more, f"only {len(out)} of {count} transactions came"
        out += more
    return out


async def test_values_come_exactly(root: asyncpg.Connection, stream: Stream) -> None:
    at = datetime(2026, 11, 22, 20, 0, 0, 123456, UTC)
    long = "x" * 100_000
    await root.execute(
        "insert into probe.t values ('钱', -9007199254740993, true, '\\x00ff', $1, -1, $2)",
        at,
        long,
    )
    await root.execute("insert into probe.t (id) values ('b')")
    first, second = await drain(stream, 2)
    assert first.changes[0].new == {
        "id": "钱",
        "amount": -9007199254740993,
        "flag": True,
        "body": b"\x00\xff",
        "at": int(at.timestamp()) * 1_000_000 + 123456,
        "n": -1,
        "note": long,
    }
    assert second.changes[0].new is not None
    assert second.changes[0].new["amount"] is None
    assert first.end_lsn < second.end_lsn


async def test_every_verb_shows_though_triggers_are_off(
    root: asyncpg.Connection, stream: Stream
) -> None:
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute("insert into probe.t (id, amount) values ('a', 1), ('b', 2)")
        await root.execute("update probe.t set amount = 3 where id = 'a'")
        await root.execute("update probe.t set id = 'c' where id = 'b'")
        await root.execute("delete from probe.t where id = 'a'")
        await root.execute("insert into probe.u values (7); delete from probe.u")
        await root.execute("truncate probe.t, probe.u")
    [done] = await drain(stream, 1)
    seen = [(c.verb, c.table) for c in done.changes]
    assert seen == [
        ("insert", "probe.t"),
        ("insert", "probe.t"),
        ("update", "probe.t"),
        ("update", "probe.t"),
        ("delete", "probe.t"),
        ("insert", "probe.u"),
        ("delete", "probe.u"),
        ("truncate", "probe.t"),
        ("truncate", "probe.u"),
    ]
    assert done.changes[3].old is not None
    assert done.changes[3].old["id"] == "b"
    assert done.changes[6].old == {"id": 7}


async def test_what_was_not_confirmed_comes_again(
    root: asyncpg.Connection, stream: Stream, slot: str, databases: Settings
) -> None:
    for id_ in ("a", "b", "c"):
        await root.execute("insert into probe.t (id) values ($1)", id_)
    first = await drain(stream, 3)
    stream.confirm(first[0].end_lsn)
    await stream.close()
    again = await Stream.connect(databases.books_url)
    await again.start(slot, PUBLICATION, first[0].end_lsn)
    assert [t.end_lsn for t in await drain(again, 2)] == [t.end_lsn for t in first[1:]]
    await again.close()


async def test_an_idle_stream_moves_on_with_the_log(
    root: asyncpg.Connection, stream: Stream
) -> None:
    start = stream.seen
    await root.execute(
        "create table probe.elsewhere (a int); insert into probe.elsewhere values (1)"
    )
    end = from_text(await root.fetchval("select pg_current_wal_insert_lsn()::text"))
    for _ in range(50):
        assert await stream.receive(10, 0.2) == []
        stream.confirm(stream.flushed)
        if stream.seen >= end:
            break
    assert stream.seen >= end > start


async def test_a_lost_slot_or_server_is_said(databases: Settings) -> None:
    stream = await Stream.connect(databases.books_url)
    with pytest.raises(StreamLost, match="does not exist"):
        await stream.start("nowhere", PUBLICATION, 0)
    await stream.close()
    with pytest.raises(StreamLost):
        await Stream.connect("postgresql://nobody:x@/nowhere?host=/nonexistent")


async def test_a_cut_connection_is_said(root: asyncpg.Connection, stream: Stream) -> None:
    await root.execute(
        "select pg_terminate_backend(active_pid) from pg_replication_slots"
        " where database = current_database()"
    )
    with pytest.raises(StreamLost):
        await stream.receive(1, 10.0)


def test_positions_as_text() -> None:
    assert to_text(from_text("16/B374D848")) == "16/B374D848"
    assert from_text("") == 0


def test_an_unknown_message_is_no_silence() -> None:
    with pytest.raises(ParseError):
        Parser().feed(b"?")
