"""Groups of people who know each other."""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.events import News
from backend.friends import (
    MAX_GROUP,
    MAX_GROUPS,
    MAX_JOINED,
    Group,
    GroupFull,
    GroupMember,
    LinkInvalid,
    TooManyGroups,
)
from backend.friends.bonds import Bonds
from backend.friends.links import Links
from backend.friends.parts import Parts, check_text, lock
from backend.ids import is_id

MAX_NAME = 32

_GROUP = "group_id, name, owner_id, members, created_at"


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """remark: of the reader for the member."""

    person_id: str
    joined_at: datetime
    remark: str


class Groups:
    def __init__(self, parts: Parts, bonds: Bonds, links: Links) -> None:
        self._parts, self._bonds, self._links = parts, bonds, links

    async def make(self, group_id: str, person_id: str, name: str) -> Group:
        if not is_id(group_id, "grp") or not name:
            raise BadRequest()
        check_text(name, MAX_NAME)
        async with TX.transaction():
            await lock(person_id)
            known = await TX.query(
                "select made_by, name from friends.circle where group_id = $1", group_id
            )
            if known:
                if (known[0]["made_by"], known[0]["name"]) != (person_id, name):
                    raise IdReused()
            else:
                await self._make(group_id, person_id, name)
        return await self.group(person_id, group_id)

    async def _make(self, group_id: str, person_id: str, name: str) -> None:
        now = self._parts.clock.now()
        [row] = await TX.query(
            "select count(*) from friends.circle where owner_id = $1 and ended_at is null",
            person_id,
        )
        if row["count"] >= MAX_GROUPS:
            raise TooManyGroups(limit=MAX_GROUPS)
        await _check_room_of(person_id)
        made = await TX.query(
            "insert into friends.circle (group_id, name, made_by, owner_id, created_at)"
            " values ($1, $2, $3, $3, $4) on conflict do nothing returning group_id",
            group_id,
            name,
            person_id,
            now,
        )
        if not made:  # somebody else's, this moment
            raise IdReused()
        await _add(group_id, person_id, now)

    async def of(self, person_id: str) -> tuple[Group, ...]:
        found = await TX.query_as(
            Group,
            "select c.group_id, name, owner_id, members, created_at"
            " from friends.member m join friends.circle c using (group_id)"
            " where m.person_id = $1 order by m.turn desc",
            person_id,
        )
        return tuple(found)

    async def group(self, person_id: str, group_id: str) -> Group:
        """Refuses: NotFound."""
        if not await self.is_member(person_id, group_id):
            raise NotFound()
        found = await _find(group_id)
        if found is None:
            raise NotFound()
        return found

    async def members(self, person_id: str, group_id: str) -> tuple[GroupMember, ...]:
        await self.group(person_id, group_id)
        rows = await TX.query_as(
            _Row,
            "select m.person_id, joined_at, coalesce(remark, '') as remark"
            " from friends.member m left join friends.bond b"
            " on b.person_id = $2 and b.other_id = m.person_id"
            " where group_id = $1 order by turn",
            group_id,
            person_id,
        )
        names = await self._parts.identity.names(tuple(row.person_id for row in rows))
        return tuple(
            GroupMember(
                person_id=row.person_id,
                name=row.remark or names.get(row.person_id, ""),
                joined_at=row.joined_at,
            )
            for row in rows
        )

    async def is_member(self, person_id: str, group_id: str) -> bool:
        rows = await TX.query(
            "select from friends.member where group_id = $1 and person_id = $2",
            group_id,
            person_id,
        )
        return bool(rows)

    async def invite(self, person_id: str, group_id: str) -> str:
        await self.group(person_id, group_id)
        return await self._links.make(person_id, group_id)

    async def withdraw_invites(self, person_id: str, group_id: str) -> None:
        if (await self.group(person_id, group_id)).owner_id != person_id:
            raise NotFound()
        await self._links.withdraw_group(group_id)

    async def invited(self, secret: str) -> Group:
        found = await _find(await self._links.group_id(secret))
        if found is None:
            raise LinkInvalid()
        return found

    async def join(self, person_id: str, secret: str) -> Group:
        group_id = await self._links.group_id(secret)
        if not await self._join(person_id, group_id, by=person_id):
            raise LinkInvalid()
        return await self.group(person_id, group_id)

    async def add(self, person_id: str, group_id: str, friend_id: str) -> None:
        await self.group(person_id, group_id)
        if not await self._bonds.are_friends(person_id, friend_id):
            raise NotFound()
        if await self._bonds.blocked_between(person_id, friend_id):
            return
        if not await self._join(friend_id, group_id, by=person_id):
            raise NotFound()

    async def leave(self, person_id: str, group_id: str) -> None:
        async with TX.transaction():
            group = await _locked(group_id)
            gone = await TX.query(
                "delete from friends.member where group_id = $1 and person_id = $2"
                " returning person_id",
                group_id,
                person_id,
            )
            if group is None or not gone:
                raise NotFound()
            if group.owner_id == person_id:
                await self._hand_over(group_id)
            await self._parts.events.record(f"group:{group_id}", "group_left", group_id)

    async def _hand_over(self, group_id: str) -> None:
        """To who has been in it longest; the last one ends it."""
        oldest = await TX.query(
            "select person_id from friends.member where group_id = $1 order by turn limit 1",
            group_id,
        )
        if oldest:
            await TX.query(
                "update friends.circle set owner_id = $2 where group_id = $1",
                group_id,
                oldest[0]["person_id"],
            )
        else:
            await TX.query(
                "update friends.circle set ended_at = $2 where group_id = $1",
                group_id,
                self._parts.clock.now(),
            )

    async def _join(self, person_id: str, group_id: str, *, by: str) -> bool:
        """Whether the group is still there. Refuses: GroupFull, TooManyGroups."""
        async with TX.transaction():
            await lock(person_id)
            group = await _locked(group_id)
            if group is None:
                return False
            if await self.is_member(person_id, group_id):
                return True
            if group.members >= MAX_GROUP:
                raise GroupFull(limit=MAX_GROUP)
            await _check_room_of(person_id)
            await _add(group_id, person_id, self._parts.clock.now())
            await self._parts.events.record_all(
                tuple(
                    News(topic, "group_joined", group_id, quiet=by == person_id)
                    for topic in (f"group:{group_id}", f"person:{person_id}")
                )
            )
        return True


async def _find(group_id: str) -> Group | None:
    return await TX.one(
        Group,
        f"select {_GROUP} from friends.circle"  # noqa: S608
        " where group_id = $1 and ended_at is null",
        group_id,
    )


async def _locked(group_id: str) -> Group | None:
    """Until the transaction ends nobody else joins or leaves."""
    return await TX.one(
        Group,
        f"select {_GROUP} from friends.circle"  # noqa: S608
        " where group_id = $1 and ended_at is null for update",
        group_id,
    )


async def _check_room_of(person_id: str) -> None:
    """Refuses: TooManyGroups."""
    [row] = await TX.query("select count(*) from friends.member where person_id = $1", person_id)
    if row["count"] >= MAX_JOINED:
        raise TooManyGroups(limit=MAX_JOINED)


async def _add(group_id: str, person_id: str, now: datetime) -> None:
    await TX.query(
        "insert into friends.member (group_id, person_id, joined_at) values ($1, $2, $3)",
        group_id,
        person_id,
        now,
    )
