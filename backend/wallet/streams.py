"""Live streams, whatever they are written as: how long they live, how many there may be."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import TypeVar

from backend.events import Beat, Event, Events

STREAM_LIFE = timedelta(minutes=5)  # then the reader connects again, if their session still lives
RETRY_MS = 1000
MAX_OF_SESSION = 6
MAX_STREAMS = 2000  # in this process, of each face
FULL_RETRY_S = 30

Alive = Callable[[], Awaitable[bool]]
Message = TypeVar("Message")


class Streams:
    """The open streams of a face in this process, by session."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return self._open.total()

    def full(self, session_id: str) -> bool:
        return self._open[session_id] >= MAX_OF_SESSION or self.count >= MAX_STREAMS

    async def counted(
        self, session_id: str, messages: AsyncGenerator[Message, None]
    ) -> AsyncGenerator[Message, None]:
        """Counts from the first message on: what is never begun need not be ended."""
        if self.full(session_id):
            return
        self._open[session_id] += 1
        try:
            async for message in messages:
                yield message
        finally:
            self._open[session_id] -= 1
            if not self._open[session_id]:
                del self._open[session_id]
            await messages.aclose()


async def followed(
    events: Events, topics: tuple[str, ...], after: int | None, alive: Alive, check_s: float
) -> AsyncGenerator[Event | Beat | None, None]:
    """Until its time is over; ends with a None if its reader may not listen any more, which is
    asked at every sign of life and, of a busy stream, every `check_s`."""
    began = checked_at = time.monotonic()
    async with aclosing(events.subscribe(topics, after)) as news:
        async for each in news:
            if isinstance(each, Beat) or time.monotonic() - checked_at >= check_s:
                if not await alive():
                    yield None
                    return
                checked_at = time.monotonic()
            yield each
            if time.monotonic() - began >= STREAM_LIFE.total_seconds():
                return
