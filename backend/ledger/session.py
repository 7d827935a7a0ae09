"""The writer's own database session, and the lock that makes it the only one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import structlog

from backend.clock import to_ms
from backend.db import Database
from backend.ledger.append import Appender, Written
from backend.ledger.lookup import HEAD, head_of

LOCK = 0x796C6564  # "yled"
LOCK_POLL_S = 0.1
LOCK_POLLS = 20  # then it is said, and tried again


class BooksTaken(Exception):
    """Another session writes these books."""


LOST = (
    BooksTaken,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    OSError,
)
"""The session is gone or cannot begin: what it had under way may be committed or not."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[tuple[Appender, Written]]:
    """Holds the lock until it ends. The head is final: no other session can be writing."""
    connection = await database.get_new_connection()
    try:
        await _lock(connection)
        appender = await Appender.on(connection)
        row = await connection.fetchrow(HEAD)
        yield appender, Written(head_of(row), 0 if row is None else to_ms(row["created_at"]))
    finally:
        connection.terminate()


async def _lock(connection: asyncpg.Connection) -> None:
    for _ in range(LOCK_POLLS):
        if await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):
            return
        await asyncio.sleep(LOCK_POLL_S)
    _log.warning("ledger_waits", reason="another ledger process writes these books")
    raise BooksTaken
