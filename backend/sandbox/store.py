"""A small SQLite file, used from the event loop through a thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
BUSY_TIMEOUT_S = 5


class Store:
    """One writer at a time; every piece of work is one transaction."""

    def __init__(self, path: Path, schema: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode = wal")
        self._connection.executescript(schema)
        path.chmod(0o600)
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, committed; nothing is kept when it raises."""
        async with self._lock:
            # A cancelled caller must not let the next one in while the thread still writes.
            task = asyncio.create_task(asyncio.to_thread(self._transact, work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                await asyncio.wait([task])
                raise

    async def close(self) -> None:
        async with self._lock:
            self._connection.close()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._connection.execute("begin immediate")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")
        return result


def rows(kind: type[T], cursor: sqlite3.Cursor) -> list[T]:
    return [msgspec.convert(dict(row), kind) for row in cursor.fetchall()]


def first(kind: type[T], cursor: sqlite3.Cursor) -> T | None:
    row = cursor.fetchone()
    return None if row is None else msgspec.convert(dict(row), kind)
