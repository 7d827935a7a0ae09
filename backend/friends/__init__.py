"""Friends and groups: who knows whom. It moves no money."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.risk import Phone

MAX_FRIENDS = 5000
MAX_GROUP = 500
MAX_GROUPS = 100  # that a person made
MAX_FINDS = 20  # by phone number, per person and hour
INVITE_LIFE_DAYS = 7

Remark = Annotated[str, msgspec.Meta(max_length=32)]
GroupName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class Friend(msgspec.Struct, frozen=True, kw_only=True):
    """state: "asked" (by me), "asking" (they ask me), "friends", "blocked" (by me). A person who is
    blocked sees "asked" for ever. name: theirs; remark: mine for them."""

    person_id: str
    name: str
    remark: str
    state: str
    message: str
    since: datetime


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The same for known and unknown numbers: a token to send a request with, nothing of the
    person."""

    token: str
    expires_at: datetime


class Group(msgspec.Struct, frozen=True, kw_only=True):
    group_id: str
    name: str
    owner_id: str
    members: int
    created_at: datetime


class GroupMember(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    name: str  # remark where the reader has one
    joined_at: datetime


class Friends(Protocol):
    async def find(self, person_id: str, phone: Phone) -> Found:
        """Refuses: TooManyFinds."""
        ...

    async def ask(self, request_id: Id, person_id: str, to: str, message: str) -> None:
        """to: a Found's token, a personal code's id ("rcv_…"), or a friend link's secret. Unknown
        numbers swallow it silently. Refuses: NotFound (code or link), OwnSelf, TooManyFriends."""
        ...

    async def link(self, person_id: str) -> str:
        """The secret of the person's own friend link; lives 7 days."""
        ...

    async def friends(self, person_id: str) -> tuple[Friend, ...]: ...

    async def friend(self, person_id: str, friend_id: str) -> Friend:
        """Refuses: NotFound."""
        ...

    async def are_friends(self, person_id: str, other_id: str) -> bool: ...

    async def accept(self, person_id: str, friend_id: str) -> Friend:
        """Refuses: NotFound."""
        ...

    async def decline(self, person_id: str, friend_id: str) -> None: ...

    async def set_remark(self, person_id: str, friend_id: str, remark: Remark) -> Friend: ...

    async def block(self, person_id: str, friend_id: str, blocked: bool) -> Friend: ...

    async def remove(self, person_id: str, friend_id: str) -> None: ...

    # groups
    async def new_group(self, group_id: Id, person_id: str, name: GroupName) -> Group:
        """Idempotent. Refuses: IdReused, TooManyGroups."""
        ...

    async def groups(self, person_id: str) -> tuple[Group, ...]: ...

    async def group(self, person_id: str, group_id: str) -> Group:
        """Of a member. Refuses: NotFound."""
        ...

    async def members(self, person_id: str, group_id: str) -> tuple[GroupMember, ...]:
        """Of a member. Refuses: NotFound."""
        ...

    async def is_member(self, person_id: str, group_id: str) -> bool: ...

    async def invite_link(self, person_id: str, group_id: str) -> str:
        """A secret of 43 characters that lives 7 days. Refuses: NotFound."""
        ...

    async def invited(self, secret: str) -> Group:
        """What a link leads to. Refuses: LinkInvalid."""
        ...

    async def join_group(self, person_id: str, secret: str) -> Group:
        """Refuses: LinkInvalid, GroupFull."""
        ...

    async def add_to_group(self, person_id: str, group_id: str, friend_id: str) -> None:
        """A friend of the asker's. Refuses: NotFound, GroupFull."""
        ...

    async def leave_group(self, person_id: str, group_id: str) -> None:
        """The last one ends it; an owner who leaves hands it to the oldest member. Refuses:
        NotFound."""
        ...


class TooManyFinds(DomainError, code="too_many_finds"):
    """params: minutes."""


class TooManyFriends(DomainError, code="too_many_friends"):
    """params: limit."""


class OwnSelf(DomainError, code="own_self"):
    """It leads to the asker."""


class LinkInvalid(DomainError, code="link_invalid"):
    """Unknown, withdrawn or older than a week."""


class GroupFull(DomainError, code="group_full"):
    """params: limit."""


class TooManyGroups(DomainError, code="too_many_groups"):
    """params: limit."""
