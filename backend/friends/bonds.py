"""How two people stand to each other: friends, blocked, remarks."""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import NotFound
from backend.events import News
from backend.friends import MAX_FRIENDS, REQUEST_LIFE, Friend, TooManyFriends
from backend.friends.parts import Parts, check_text, lock

# What a person sees of others; whoever asks is told by their newest request.
_SEEN = """
select other_id as person_id, remark, '' as message, since,
    case when blocked then 'blocked' else 'friends' end as state
from friends.bond where person_id = $1 and ($3 = '' or other_id = $3)
union all
select * from (
    select distinct on (asker_id) asker_id, '', message, created_at, 'asking'
    from friends.request r
    where person_id = $1 and ($3 = '' or asker_id = $3)
        and delivered and answer = '' and declined_at is null and created_at > $2
        and not exists (select from friends.bond b
            where b.person_id = $1 and b.other_id = r.asker_id)
    order by asker_id, created_at desc
) asking
"""
_BEFRIEND = """
insert into friends.bond (person_id, other_id, friends, since)
values ($1, $2, true, $3), ($2, $1, true, $3)
on conflict (person_id, other_id) do update set friends = true, since = excluded.since
"""
_ENDED = """
update friends.request set answer = 'accepted'
where answer = '' and (asker_id = $1 and person_id = $2 or asker_id = $2 and person_id = $1)
"""
# Who may be blocked: people one has to do with.
_MET = """
select exists (select from friends.bond where person_id = $1 and other_id = $2)
    or exists (select from friends.request
        where person_id = $1 and asker_id = $2 and delivered)
    or exists (select from friends.member a join friends.member b using (group_id)
        where a.person_id = $1 and b.person_id = $2)
    or exists (select from friends.met where person_id = $1 and other_id = $2) as met
"""
_ORDER = {"asking": 0, "friends": 1, "blocked": 2}


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    remark: str
    message: str
    since: datetime
    state: str


class Bonds:
    def __init__(self, parts: Parts) -> None:
        self._identity, self._events, self._clock = parts.identity, parts.events, parts.clock

    async def all(self, person_id: str) -> tuple[Friend, ...]:
        return tuple(sorted(await self._seen(person_id), key=_place))

    async def one(self, person_id: str, friend_id: str) -> Friend:
        """Refuses: NotFound."""
        found = await self._seen(person_id, friend_id) if friend_id else []
        if not found:
            raise NotFound()
        return found[0]

    async def are_friends(self, person_id: str, other_id: str) -> bool:
        rows = await TX.query(
            "select from friends.bond"
            " where person_id = $1 and other_id = $2 and friends and not blocked",
            person_id,
            other_id,
        )
        return bool(rows)

    async def blocked_between(self, person_id: str, other_id: str) -> bool:
        rows = await TX.query(
            "select from friends.bond where blocked"
            " and (person_id = $1 and other_id = $2 or person_id = $2 and other_id = $1)",
            person_id,
            other_id,
        )
        return bool(rows)

    async def blocked_among(self, person_id: str, others: tuple[str, ...]) -> frozenset[str]:
        rows = await TX.query(
            "select other_id as id from friends.bond"
            " where blocked and person_id = $1 and other_id = any($2)"
            " union select person_id from friends.bond"
            " where blocked and other_id = $1 and person_id = any($2)",
            person_id,
            list(others),
        )
        return frozenset(row["id"] for row in rows)

    async def accept(self, person_id: str, friend_id: str) -> Friend:
        async with TX.transaction():
            await lock(person_id, friend_id)
            state = (await self.one(person_id, friend_id)).state
            if state == "blocked":
                raise NotFound()
            if state == "asking":
                await self.befriend(person_id, friend_id)
            return await self.one(person_id, friend_id)

    async def befriend(self, person_id: str, other_id: str) -> None:
        """person_id says so, the other has asked. In the caller's transaction, with both locked.
        Refuses: TooManyFriends."""
        [full] = await TX.query(
            "select exists (select from friends.bond where person_id = any($1) and friends"
            " group by person_id having count(*) >= $2) as full",
            [person_id, other_id],
            MAX_FRIENDS,
        )
        if full["full"]:
            raise TooManyFriends(limit=MAX_FRIENDS)
        await TX.query(_BEFRIEND, person_id, other_id, self._clock.now())
        await TX.query(_ENDED, person_id, other_id)
        await self._events.record_all(
            (
                News(f"person:{other_id}", "friend_accepted", person_id),
                News(f"person:{person_id}", "friend_accepted", other_id, quiet=True),
            )
        )

    async def set_remark(self, person_id: str, friend_id: str, remark: str) -> Friend:
        check_text(remark, 32)
        rows = await TX.query(
            "update friends.bond set remark = $3"
            " where person_id = $1 and other_id = $2 and friends returning person_id",
            person_id,
            friend_id,
            remark,
        )
        if not rows:
            raise NotFound()
        return await self.one(person_id, friend_id)

    async def block(self, person_id: str, other_id: str) -> None:
        now = self._clock.now()
        async with TX.transaction():
            await lock(person_id, other_id)
            [row] = await TX.query(_MET, person_id, other_id)
            if not row["met"]:
                raise NotFound()
            await TX.query(
                "insert into friends.bond (person_id, other_id, blocked, since)"
                " values ($1, $2, true, $3)"
                " on conflict (person_id, other_id) do update set blocked = true",
                person_id,
                other_id,
                now,
            )
            await decline(person_id, other_id, now)
            await TX.query(
                "update friends.request set answer = 'withdrawn'"
                " where asker_id = $1 and person_id = $2 and answer = ''",
                person_id,
                other_id,
            )

    async def unblock(self, person_id: str, other_id: str) -> None:
        """A friendship that was there is there again."""
        async with TX.transaction():
            await lock(person_id, other_id)
            gone = await TX.query(
                "delete from friends.bond where person_id = $1 and other_id = $2 and not friends"
                " returning person_id",
                person_id,
                other_id,
            )
            kept = await TX.query(
                "update friends.bond set blocked = false where person_id = $1 and other_id = $2"
                " returning person_id",
                person_id,
                other_id,
            )
        if not gone and not kept:
            raise NotFound()

    async def remove(self, person_id: str, other_id: str) -> None:
        pair = "(person_id = $1 and other_id = $2 or person_id = $2 and other_id = $1)"
        async with TX.transaction():
            await lock(person_id, other_id)
            await TX.query(
                f"delete from friends.bond where {pair} and not blocked",  # noqa: S608
                person_id,
                other_id,
            )
            await TX.query(
                f"update friends.bond set friends = false, remark = '' where {pair}",  # noqa: S608
                person_id,
                other_id,
            )

    async def _seen(self, person_id: str, other_id: str = "") -> list[Friend]:
        since = self._clock.now() - REQUEST_LIFE
        rows = await TX.query_as(_Seen, _SEEN, person_id, since, other_id)
        names = await self._identity.names(tuple(row.person_id for row in rows))
        return [
            Friend(
                person_id=row.person_id,
                name=names.get(row.person_id, ""),
                remark=row.remark,
                state=row.state,
                message=row.message,
                since=row.since,
            )
            for row in rows
        ]


async def decline(person_id: str, asker_id: str, now: datetime) -> None:
    """What the asker sees stays as it is."""
    await TX.query(
        "update friends.request set declined_at = $3"
        " where person_id = $1 and asker_id = $2 and answer = '' and declined_at is null",
        person_id,
        asker_id,
        now,
    )


async def met(pairs: tuple[tuple[str, str], ...]) -> None:
    """In order of ids, so that two who write the same do not wait for each other."""
    await TX.query(
        "insert into friends.met (person_id, other_id)"
        " select distinct * from unnest($1::text[], $2::text[]) as given(person_id, other_id)"
        " where person_id <> other_id order by 1, 2 on conflict do nothing",
        [person_id for person_id, _ in pairs],
        [other_id for _, other_id in pairs],
    )


def _place(friend: Friend) -> tuple[int, float, str]:
    newest_first = -friend.since.timestamp() if friend.state == "asking" else 0.0
    return _ORDER[friend.state], newest_first, (friend.remark or friend.name).casefold()
