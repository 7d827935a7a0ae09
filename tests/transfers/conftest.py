"""The small world with people who know each other, and a look at the books after every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from backend import keys
from backend.db import BOOKS, LEDGER
from backend.ledger.audit import audit
from backend.settings import Settings
from tests.transfers.people import Two, befriend
from tests.world import World, open_world


@pytest.fixture
async def owner_of_tables(databases: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(databases.tx_owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made
        [books] = await LEDGER.query(
            "select coalesce(sum(posted_fen), 0) as sum, count(*) as accounts from ledger.account"
        )
        assert books["sum"] == 0
        assert books["accounts"] > 0
        proof = await audit(BOOKS, keys.published(Path(databases.verdict_keys)))
        assert proof.clean, proof.faults


@pytest.fixture
async def two(world: World) -> Two:
    """Friends: the payer has money."""
    payer, payee = await world.person(2_000_00), await world.person(name="李雷")
    await befriend(world, payer, payee)
    return Two(payer=payer, payee=payee)
