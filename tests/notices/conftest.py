"""The small world with people who know each other."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

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


@pytest.fixture
async def two(world: World) -> Two:
    """Friends: the payer has money. What they were told on the way is read."""
    payer, payee = await world.person(2_000_00), await world.person(name="李雷")
    await befriend(world, payer, payee)
    for wallet in (payer, payee):
        page = await world.services.notices.page(wallet.person_id, "", 20)
        if page.notices:
            await world.services.notices.read(wallet.person_id, page.notices[0].notice_id)
    return Two(payer=payer, payee=payee)
