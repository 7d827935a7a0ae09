"""The JSON face where it is served: mounted in the web face."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from backend.settings import Settings
from tests.web.browser import client_of
from tests.world import Line, World, open_world
from web.app import create_app


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made


@pytest.fixture
def payments(world: World) -> Line:
    """The real thing, with faults to switch on."""
    return Line(world.services.payments)


@pytest.fixture
async def api(world: World, payments: Line) -> AsyncIterator[httpx.AsyncClient]:
    services = msgspec.structs.replace(world.services, payments=payments)
    app = create_app(world.settings, services, world.clock)
    async with app.lifespan(), client_of(app) as client:
        yield client
