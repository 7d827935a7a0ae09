"""An operator who can cut connections."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import Servers


@pytest.fixture
async def servers_admin(servers: Servers) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(servers.admin_url(servers.tx))
    yield connection
    await connection.close()
