"""One LISTEN connection per process: it only says that a topic has news, never what they are."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import structlog

CHANNEL = "yipay_events"
CHECK_S = 5.0  # how long a dead connection may go unnoticed; readers poll meanwhile anyway
RECONNECT_S = (0.1, 0.5, 1.0, 2.0)

_log = structlog.get_logger(__name__)


class Bell:
    """Rung when one of its topics has news."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.topics = frozenset(topics)
        self.event = asyncio.Event()


class Listener:
    """Reconnects by itself and rings every bell after it, since news may have been missed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bells: set[Bell] = set()
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def add(self, bell: Bell) -> None:
        self._bells.add(bell)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="events-listener")

    def remove(self, bell: Bell) -> None:
        self._bells.discard(bell)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("events_listener_lost", error=type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(RECONNECT_S[min(failures, len(RECONNECT_S) - 1)])
            failures += 1

    async def _listen(self) -> None:
        """Until the connection is lost."""
        connection = await asyncpg.connect(self._url, timeout=5)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self.connected = True
            self._ring(None)
            while not connection.is_closed():
                await asyncio.sleep(CHECK_S)
                # Asked now and then: a connection whose other end vanished says nothing by itself.
                await connection.execute("select 1", timeout=CHECK_S)
        finally:
            self.connected = False
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, topic: Any) -> None:
        self._ring(str(topic))

    def _ring(self, topic: str | None) -> None:
        for bell in self._bells:
            if topic is None or topic in bell.topics:
                bell.event.set()
