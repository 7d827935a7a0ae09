"""Friends and groups: who knows whom. It moves no money.

What a stranger learns: of a phone number, nothing, whether it has a wallet or not; of a block or of
a request that was declined, nothing either: both look as if nobody had answered yet.
"""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.risk import Phone

MAX_FRIENDS = 5000
MAX_ASKED = 200  # requests of a person that wait
MAX_GROUP = 500
MAX_GROUPS = 100  # that a person made
MAX_JOINED = 500  # that a person is in
MAX_FINDS = 20  # by phone number, per person and hour
MAX_LINKS = 20  # of a person, or of a person for a group; older ones stop working
FIND_LIFE = timedelta(minutes=30)
REQUEST_LIFE = timedelta(days=30)
INVITE_LIFE_DAYS = 7

Remark = Annotated[str, msgspec.Meta(max_length=32)]
Message = Annotated[str, msgspec.Meta(max_length=50)]
GroupName = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]


class Friend(msgspec.Struct, frozen=True, kw_only=True):
    """state: "asking" (they ask me), "friends", "blocked" (by me, a friend or not). name: theirs;
    remark: mine for them; message: what they wrote when they asked."""

    person_id: str
    name: str
    remark: str
    state: str
    message: str
    since: datetime

    def fits(self, sought: str) -> bool:
        """Whether it is among what a search finds."""
        return sought.casefold() in f"{self.remark}\n{self.name}".casefold()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """My request that nobody has accepted, for 30 days. By phone number it shows the number masked,
    and neither person nor name."""

    request_id: str
    person_id: str
    name: str
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
        """Refuses: TooManyFinds, OwnSelf."""
        ...

    async def count_find(self, person_id: str) -> None:
        """For other looks-up by number: uses one of the person's finds. Refuses: TooManyFinds."""
        ...

    async def ask(self, request_id: Id, person_id: str, to: str, message: str) -> None:
        """to: a Found's token or a friend link's secret. Idempotent. Who asked me, I accept by
        asking. Numbers that are unknown, people who have blocked the asker or declined: swallowed
        silently. request_id: prefix "frq". Refuses: BadRequest, LinkInvalid, OwnSelf, TooManyAsked,
        TooManyFriends, IdReused."""
        ...

    async def ask_person(self, request_id: Id, person_id: str, other_id: str, message: str) -> None:
        """Somebody met by a personal code or in a group: the caller has looked at that, so nobody
        is asked by a bare id. Refuses: as `ask`, and NotFound."""
        ...

    async def asked(self, person_id: str) -> tuple[Asked, ...]:
        """Newest first."""
        ...

    async def withdraw(self, person_id: str, request_id: str) -> None:
        """Take a request back. Refuses: NotFound."""
        ...

    async def link(self, person_id: str) -> str:
        """The secret of the person's own friend link, 43 characters; lives 7 days. Kept as a hash:
        each call makes another one, which leaves the earlier ones valid."""
        ...

    async def linked(self, secret: str) -> str:
        """Whose link it is. Refuses: LinkInvalid."""
        ...

    async def withdraw_links(self, person_id: str) -> None:
        """None of the person's friend links leads to them any more."""
        ...

    async def friends(self, person_id: str) -> tuple[Friend, ...]:
        """Who asks first, then by name, then the blocked."""
        ...

    async def friend(self, person_id: str, friend_id: str) -> Friend:
        """Refuses: NotFound."""
        ...

    async def are_friends(self, person_id: str, other_id: str) -> bool:
        """As person_id sees it: a friend who has blocked them looks like any other."""
        ...

    async def blocked_between(self, person_id: str, other_id: str) -> bool:
        """Whether one of the two has blocked the other."""
        ...

    async def blocked_among(self, person_id: str, others: tuple[str, ...]) -> frozenset[str]:
        """Those of them between whom and the person there is a block."""
        ...

    async def met(self, pairs: tuple[tuple[str, str], ...]) -> None:
        """Money of the second has reached the first, who may block them from then on. Idempotent;
        in the caller's transaction."""
        ...

    async def accept(self, person_id: str, friend_id: str) -> Friend:
        """Idempotent. Refuses: NotFound (nobody asked, or it is over), TooManyFriends."""
        ...

    async def decline(self, person_id: str, friend_id: str) -> None:
        """Idempotent. The asker is not told."""
        ...

    async def set_remark(self, person_id: str, friend_id: str, remark: Remark) -> Friend:
        """Refuses: BadRequest (hidden characters), NotFound."""
        ...

    async def block(self, person_id: str, friend_id: str, blocked: bool) -> None:
        """A friend, who asks, who was blocked, who shares a group, or whose money the person got.
        Refuses: NotFound."""
        ...

    async def remove(self, person_id: str, friend_id: str) -> None:
        """For both. Idempotent. The other is not told."""
        ...

    # groups
    async def new_group(self, group_id: Id, person_id: str, name: GroupName) -> Group:
        """Idempotent; group_id: prefix "grp". Refuses: BadRequest, IdReused, TooManyGroups."""
        ...

    async def groups(self, person_id: str) -> tuple[Group, ...]:
        """Last joined first."""
        ...

    async def group(self, person_id: str, group_id: str) -> Group:
        """Of a member. Refuses: NotFound."""
        ...

    async def members(self, person_id: str, group_id: str) -> tuple[GroupMember, ...]:
        """Of a member; in the order of joining. Refuses: NotFound."""
        ...

    async def is_member(self, person_id: str, group_id: str) -> bool: ...

    async def invite_link(self, person_id: str, group_id: str) -> str:
        """A secret of 43 characters that lives 7 days, as long as who made it is a member. Each
        call makes another one. Refuses: NotFound."""
        ...

    async def withdraw_invites(self, person_id: str, group_id: str) -> None:
        """No link leads into the group any more; its owner decides that. Refuses: NotFound."""
        ...

    async def invited(self, secret: str) -> Group:
        """What a link leads to. Refuses: LinkInvalid."""
        ...

    async def join_group(self, person_id: str, secret: str) -> Group:
        """Idempotent. Refuses: LinkInvalid, GroupFull, TooManyGroups."""
        ...

    async def add_to_group(self, person_id: str, group_id: str, friend_id: str) -> None:
        """A friend of the asker's; one who has blocked them is not added, which the asker is not
        told. Idempotent. Refuses: NotFound, GroupFull, TooManyGroups."""
        ...

    async def leave_group(self, person_id: str, group_id: str) -> None:
        """The last one ends it; an owner who leaves hands it to the oldest member. Refuses:
        NotFound."""
        ...


class TooManyFinds(DomainError, code="too_many_finds"):
    """params: minutes."""


class TooManyFriends(DomainError, code="too_many_friends"):
    """One of the two has no room; params: limit."""


class TooManyAsked(DomainError, code="too_many_asked"):
    """Of the asker's requests wait; params: limit."""


class OwnSelf(DomainError, code="own_self"):
    """It leads to the asker."""


class LinkInvalid(DomainError, code="link_invalid"):
    """Unknown, withdrawn or older than a week; of a number that was looked for, half an hour."""


class GroupFull(DomainError, code="group_full"):
    """params: limit."""


class TooManyGroups(DomainError, code="too_many_groups"):
    """params: limit."""
