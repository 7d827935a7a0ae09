"""The small world; ledger and risk answer over their sockets, where the worker finds them."""

from collections.abc import AsyncIterator

import pytest

from backend.settings import Settings
from tests.world import World, open_world


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases, form="remote") as made:
        yield made
