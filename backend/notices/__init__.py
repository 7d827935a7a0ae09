"""Notices: what happened to a person while they looked elsewhere. Written with the event, in its
transaction; kept for a year. Who did a thing themselves is not told of it, but for what concerns
the account's security: that is always told, and can't be switched off.
"""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

AREAS = ("money", "friends", "packets", "shop", "security")
MAX_UNREAD = 100  # counted no further: "99+"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, as it stands now: a second event of the same thing renews its notice.

    state: of the thing, "" where the kind says it all or the thing is out of sight. name: the other
    person's, group's or device's, as the reader knows them. done, of: how many of how many.
    """

    notice_id: str
    kind: str  # a value of KINDS
    area: str  # one of AREAS
    ref: str  # id of the thing
    state: str = ""
    name: str = ""
    amount_fen: int = 0
    note: str = ""
    done: int = 0
    of: int = 0
    at: datetime
    read: bool


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    notices: tuple[Notice, ...]
    next_cursor: str  # "" at the end; opaque


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether notices of a kind are made. fixed: they always are."""

    kind: str
    area: str
    on: bool
    fixed: bool


class Notices(Protocol):
    async def page(
        self, person_id: str, cursor: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> NoticePage:
        """Newest first. Refuses: BadRequest (a foreign cursor)."""
        ...

    async def unread(self, person_id: str) -> int:
        """At most MAX_UNREAD."""
        ...

    async def read(self, person_id: str, up_to: str) -> None:
        """This notice and all older ones; later ones stay unread. Idempotent. Refuses: BadRequest
        (no notice's id)."""
        ...

    async def look(self, person_id: str, notice_id: str) -> Notice:
        """One, which is read by that. Refuses: NotFound."""
        ...

    async def switches(self, person_id: str) -> tuple[Switch, ...]:
        """All kinds, by area."""
        ...

    async def switch(self, person_id: str, kind: str, on: bool) -> Switch:
        """For what comes; what was told stays. Refuses: NotFound (no such kind), BadRequest (it
        can't be switched off)."""
        ...

    async def sweep(self) -> int:
        """Tell what the security system has seen, forget what is a year old."""
        ...
