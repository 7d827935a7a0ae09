"""The small world, and a look at the books at the end of every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from backend import keys
from backend.db import BOOKS, LEDGER
from backend.ledger.audit import audit
from backend.settings import Settings
from tests.world import World, open_world


@pytest.fixture
def form() -> str:
    """ "local", or "remote" where a test asks for it."""
    return "local"


@pytest.fixture
async def owner_of_tables(databases: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(databases.tx_owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def world(databases: Settings, form: str) -> AsyncIterator[World]:
    async with open_world(databases, form=form) as made:
        yield made
        [books] = await LEDGER.query(
            "select coalesce(sum(posted_fen), 0) as sum, count(*) as accounts from ledger.account"
        )
        assert books["sum"] == 0
        assert books["accounts"] > 0
        proof = await audit(BOOKS, keys.published(Path(databases.verdict_keys)))
        assert proof.clean, proof.faults
