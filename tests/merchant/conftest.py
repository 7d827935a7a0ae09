"""The small world, and a look at the books at the end of every test."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from backend.db import LEDGER
from backend.merchant.parts import Parts
from backend.settings import Settings
from tests.world import World, open_world


def parts_of(world: World, **other: Any) -> Parts:
    """What the world's shops are made of, with parts replaced."""
    services = world.services
    found = Parts(
        payments=services.payments,
        risk=services.risk,
        identity=services.identity,
        events=services.events,
        sales=services.sales,
        clock=world.clock,
    )
    return msgspec.structs.replace(found, **other)


@pytest.fixture
def form() -> str:
    """ "local", or "remote" where a test asks for it."""
    return "local"


@pytest.fixture
async def world(databases: Settings, form: str) -> AsyncIterator[World]:
    async with open_world(databases, form=form) as made:
        yield made
        [books] = await LEDGER.query(
            "select coalesce(sum(posted_fen), 0) as sum, count(*) as accounts from ledger.account"
        )
        assert books["sum"] == 0
        assert books["accounts"] > 0
