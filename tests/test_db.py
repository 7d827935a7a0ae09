"""The pool survives failing commits; transactions refuse to nest."""

import asyncpg
import pytest
from piccolo.engine.exceptions import TransactionError

from backend.db import TX
from backend.settings import Settings


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
