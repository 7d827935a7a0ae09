"""The pool survives failing commits; transactions refuse to nest."""

import asyncpg
import pytest
from piccolo.engine.exceptions import TransactionError

from backend.db import TX
from backend.settings import Settings
from tests.conftest import Servers


async def test_failing_commits_give_their_connection_back(databases: Settings) -> None:
    owner = await asyncpg.connect(databases.tx_owner_url)
    await owner.execute("create schema probe; grant usage on schema probe to yipay_app")
    await owner.execute("create table probe.t (a int unique deferrable initially deferred)")
    await owner.execute("grant all on probe.t to yipay_app")
    await owner.close()
    for _ in range(15):
        with pytest.raises(asyncpg.UniqueViolationError):
            async with TX.transaction():
                await TX.query("insert into probe.t values (1), (1)")
    assert len(await TX.query("select 1")) == 1
    assert TX.pool is not None
    assert TX.pool.get_idle_size() == TX.pool.get_size()


async def test_transactions_refuse_to_nest(databases: Settings) -> None:
    async with TX.transaction():
        with pytest.raises(TransactionError):
            TX.transaction()


async def test_what_holds_for_plans_by_key_ends_with_its_transaction(databases: Settings) -> None:
    """A connection of the pool is the next one's, who scans and joins as it likes."""
    names = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "plan_cache_mode")
    asked = "select " + ", ".join(f"current_setting('{name}')" for name in names)
    asked += ", pg_backend_pid()"
    async with TX.transaction(by_key=True):
        [inside] = await TX.query(asked)
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with TX.transaction(by_key=True):
            await TX.query("select 1 / 0")
    async with TX.transaction():
        [after] = await TX.query(asked)
    [alone] = await TX.query(asked)
    assert tuple(inside)[:4] == ("off", "off", "off", "force_generic_plan")
    for row in (after, alone):
        assert tuple(row) == ("on", "on", "on", "auto", inside["pg_backend_pid"])


async def test_a_connection_that_the_server_ended_begins_nothing_and_another_is_taken(
    databases: Settings, servers: Servers
) -> None:
    admin = await asyncpg.connect(servers.admin_url(servers.tx))
    for _ in range(20):  # the news of the end is met unread, half-read and read
        async with TX.transaction():
            pid = (await TX.query("select pg_backend_pid() as pid"))[0]["pid"]
        assert await admin.fetchval("select pg_terminate_backend($1)", pid)
        async with TX.transaction():
            assert await TX.query("select 1")
    await admin.close()
