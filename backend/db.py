"""The databases, through Piccolo's engine on asyncpg. Plain SQL takes $1-style parameters."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import asyncpg
import msgspec
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

T = TypeVar("T")

STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
CLOSE_TIMEOUT_S = 5


# No table is scanned and no join is hashed, and a statement is planned once, for whatever values.
# A table that grows from empty has no statistics for a minute; plans that were cached meanwhile
# read all of it for every batch. Measured: a tenth of the speed after 30,000 payments. And what
# takes its values as arrays was planned anew for each batch, which took longer than running it.
_BEGIN = "begin"
_BEGIN_BY_KEY = (
    "begin; set local enable_seqscan = off; set local enable_hashjoin = off;"
    " set local enable_mergejoin = off; set local plan_cache_mode = force_generic_plan"
)

# How it shows that the server has ended a connection; the last where the news of it is half read.
_ENDED = (
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


class _Transaction(PostgresTransaction):
    """Piccolo keeps the connection when COMMIT itself fails, or BEGIN; give it back always."""

    __slots__ = ("_begin",)

    def __init__(self, engine: PostgresEngine, by_key: bool) -> None:
        super().__init__(engine, allow_nested=False)
        self._begin = _BEGIN_BY_KEY if by_key else _BEGIN

    async def __aenter__(self) -> PostgresTransaction:
        """Nothing has begun on a connection that the server ended while it lay idle: another is
        taken, once."""
        try:
            await self._take()
        except _ENDED:
            await self._take()
        self.context = self.engine.current_transaction.set(self)
        return self

    async def _take(self) -> None:
        assert self.engine.pool is not None, "the database is not open"
        self.connection = await self.engine.pool.acquire()
        try:
            await self.connection.execute(self._begin)
        except BaseException as error:
            if isinstance(error, _ENDED):
                self.connection.terminate()  # what is left of it would only fail to be reset
            await self.engine.pool.release(self.connection)
            raise

    async def commit(self) -> None:
        await self.connection.execute("commit")

    async def rollback(self) -> None:
        await self.connection.execute("rollback")

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> Literal[False]:
        try:
            await (self.rollback() if error else self.commit())
        finally:
            self.engine.current_transaction.reset(self.context)
            if self.engine.pool:
                await self.engine.pool.release(self.connection)
            else:
                await self.connection.close()
        return False


class Database(PostgresEngine):
    """One pool to one cluster under one role. Known at import, opened at start."""

    def __init__(self, name: str) -> None:
        super().__init__(config={"database": name})
        self.name = name

    async def check_version(self) -> None:
        """Piccolo asks the server at import; ours is known only at start."""

    async def open(self, url: str, *, size: int = 8) -> None:
        self.config = {"dsn": url, "server_settings": _server_settings(self.name)}
        await self.start_connection_pool(min_size=1, max_size=size, reset=_reset)

    async def close(self) -> None:
        """Waits a moment for connections in use; a server that hangs does not keep us."""
        if self.pool is None:
            return
        pool, self.pool = self.pool, None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def transaction(self, allow_nested: bool = False, *, by_key: bool = False) -> _Transaction:
        """Refuses to nest, so every unit of work is visible at its caller. by_key: all that it does
        is find rows by their keys, so that plans need no statistics."""
        assert not allow_nested, "a transaction is opened once, where the rule lives"
        return _Transaction(self, by_key)

    async def query(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Rows. Runs inside the current transaction of this task if there is one."""
        current = self.current_transaction.get()
        if current is not None:
            return await current.connection.fetch(sql, *args)  # type: ignore[no-any-return]
        assert self.pool is not None, f"database {self.name} is not open"
        return await self.pool.fetch(sql, *args)

    async def query_as(self, kind: type[T], sql: str, *args: Any) -> list[T]:
        """Rows as Structs; columns are named like the fields."""
        return [as_struct(kind, row) for row in await self.query(sql, *args)]

    async def one(self, kind: type[T], sql: str, *args: Any) -> T | None:
        """The first row as a Struct, or None."""
        rows = await self.query(sql, *args)
        return as_struct(kind, rows[0]) if rows else None


async def _reset(connection: asyncpg.Connection) -> None:
    """Nothing of ours outlives its transaction, so the usual round trip per release is saved."""
    if connection.is_in_transaction():
        await connection.reset()


def as_struct(kind: type[T], row: asyncpg.Record) -> T:
    if kind.__struct_config__.array_like:  # type: ignore[attr-defined]
        return msgspec.convert([row[name] for name in kind.__struct_fields__], kind)  # type: ignore[attr-defined]
    return msgspec.convert(dict(row), kind)


def _server_settings(name: str) -> dict[str, str]:
    return {
        "application_name": f"yipay {name}",
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    }


TX = Database("tx")  # the transaction system's modules, role yipay_app
LEDGER = Database("ledger")  # the ledger alone, same cluster, role yipay_ledger
SEC = Database("sec")  # the security system's own cluster, role yipay_risk
BOOKS = Database("books")  # the auditor's read-only eye on tx, role yipay_auditor

ALL: Sequence[Database] = (TX, LEDGER, SEC, BOOKS)
