"""The outbox: what pages learn live. Written in the transaction of the change, read by topic."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Protocol

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """event_id rises; a stream resumes after the last one it saw."""

    event_id: int
    topic: str  # "person:usr_…", "shop:mch_…", "order:ord_…"
    kind: str  # "order_paid", "payment_posted", "topup_settled", …
    ref: str  # id of the thing that changed; pages fetch the rest themselves
    created_at: datetime


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life, first when the stream begins. event_id: where to resume from, as if it were
    an event's; None while the database is away. lost: of what came after the id that was asked for
    some is not kept any more, so the reader loads afresh and goes on from here."""

    event_id: int | None
    lost: bool = False


class News(msgspec.Struct, frozen=True):
    """An event that is about to be recorded. quiet: open pages learn it, and no notice is made: the
    person did it themselves, or is told in other words."""

    topic: str
    kind: str
    ref: str
    quiet: bool = False


class Events(Protocol):
    async def record(self, topic: str, kind: str, ref: str) -> None:
        """Inside the caller's transaction: seen on commit only."""
        ...

    async def record_all(self, news: tuple[News, ...]) -> None:
        """Several at once, in this order."""
        ...

    async def sweep(self) -> int:
        """Forget what is older than a day: pages that slept longer load afresh."""
        ...

    def subscribe(
        self, topics: tuple[str, ...], after: int | None
    ) -> AsyncGenerator[Event | Beat, None]:
        """Events after `after` (None: from now on), as they come; a Beat at the beginning and after
        each 15 s of quiet. Holds no database connection while waiting; survives a restart of
        PostgreSQL."""
        ...
