"""A slot of the test's own, dropped at its end: slots are of the whole cluster and hold its log."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.settings import Settings
from tests.conftest import Servers


def superuser_url(servers: Servers, settings: Settings) -> str:
    database = settings.tx_url.partition("@/")[2].partition("?")[0]
    return servers.admin_url(servers.tx, database)


@pytest.fixture
async def root(servers: Servers, settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A database superuser of the transaction system; this test's slots end with it."""
    connection = await asyncpg.connect(superuser_url(servers, settings))
    yield connection
    await connection.execute(
        "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots"
        " where database = current_database() and active"
    )
    await connection.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
        " where database = current_database()"
    )
    await connection.close()
