"""Asking to be friends. What is swallowed looks to its asker like what waits."""

from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import MAX_ASKED, REQUEST_LIFE, Asked, LinkInvalid, OwnSelf, TooManyAsked
from backend.friends.bonds import Bonds
from backend.friends.finds import Finds, Sought
from backend.friends.links import Links
from backend.friends.parts import SECRET_LENGTH, Parts, check_text, lock
from backend.ids import is_id

MAX_MESSAGE = 50
ANEW = timedelta(days=1)  # requests of a day count against the limit, taken back or not
NOBODY = "person:nobody"

# How the asker ($1) and the other ($2, "" for nobody) stand to each other.
_STANDING = """
select
    exists (select from friends.bond
        where person_id = $1 and other_id = $2 and friends) as friends,
    exists (select from friends.bond where blocked
        and (person_id = $1 and other_id = $2 or person_id = $2 and other_id = $1)) as blocked,
    exists (select from friends.request where asker_id = $1 and person_id = $2
        and declined_at > $3) as declined,
    exists (select from friends.request where asker_id = $2 and person_id = $1
        and delivered and answer = '' and created_at > $3) as asks_too,
    (select count(*) from friends.request where asker_id = $1 and created_at > $3
        and (answer = '' or created_at > $4)) as waiting
"""
_INSERT = """
insert into friends.request
    (request_id, asker_id, person_id, seek, shown, message, delivered, answer, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict do nothing returning request_id
"""


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    asker_id: str
    seek: str
    message: str


class _Standing(msgspec.Struct, frozen=True, kw_only=True):
    friends: bool
    blocked: bool
    declined: bool
    asks_too: bool
    waiting: int


class Requests:
    def __init__(self, parts: Parts, bonds: Bonds, finds: Finds, links: Links) -> None:
        self._parts, self._bonds, self._finds, self._links = parts, bonds, finds, links

    async def ask(self, request_id: str, asker_id: str, to: str, message: str) -> None:
        if len(to) != SECRET_LENGTH or not to.isascii():
            raise LinkInvalid()
        sought = await self._finds.sought(asker_id, to)
        if sought is None:
            owner_id = await self._links.owner(to)
            sought = Sought(person_id=owner_id, seek=owner_id)
        await self._ask(request_id, asker_id, sought, message)

    async def ask_person(self, request_id: str, asker_id: str, other_id: str, message: str) -> None:
        if not await self._parts.identity.names((other_id,)):
            raise NotFound()
        sought = Sought(person_id=other_id, seek=other_id)
        await self._ask(request_id, asker_id, sought, message)

    async def asked(self, person_id: str) -> tuple[Asked, ...]:
        rows = await TX.query(
            "select request_id, seek, shown, message, created_at from friends.request"
            " where asker_id = $1 and answer = '' and created_at > $2"
            " order by created_at desc, request_id desc",
            person_id,
            self._since(),
        )
        # Behind a number there may be nobody: then, and otherwise, the number is all that is told.
        names = await self._parts.identity.names(
            tuple(row["seek"] for row in rows if not row["shown"])
        )
        return tuple(
            Asked(
                request_id=row["request_id"],
                person_id="" if row["shown"] else row["seek"],
                name=row["shown"] or names.get(row["seek"], ""),
                message=row["message"],
                since=row["created_at"],
            )
            for row in rows
        )

    async def withdraw(self, person_id: str, request_id: str) -> None:
        rows = await TX.query(
            "update friends.request set answer = 'withdrawn' where request_id = $1"
            " and asker_id = $2 and answer in ('', 'withdrawn') returning request_id",
            request_id,
            person_id,
        )
        if not rows:
            raise NotFound()

    async def _ask(self, request_id: str, asker_id: str, sought: Sought, message: str) -> None:
        if not is_id(request_id, "frq"):
            raise BadRequest()
        check_text(message, MAX_MESSAGE)
        if sought.person_id == asker_id:
            raise OwnSelf()
        async with TX.transaction():
            await lock(asker_id, sought.person_id or sought.seek)
            known = await _find(request_id)
            if known is not None:
                if known != _Request(asker_id=asker_id, seek=sought.seek, message=message):
                    raise IdReused()
                return
            await self._write(request_id, asker_id, sought, message)

    async def _write(self, request_id: str, asker_id: str, sought: Sought, message: str) -> None:
        """The same steps whether there is somebody or not, and whether they will hear of it."""
        now, since = self._parts.clock.now(), self._since()
        standing = await _standing(asker_id, sought.person_id, since, now - ANEW)
        if standing.waiting >= MAX_ASKED:
            raise TooManyAsked(limit=MAX_ASKED)
        if standing.asks_too and not standing.blocked:
            await self._bonds.befriend(asker_id, sought.person_id)
        await _lapse(asker_id, since)
        became = standing.asks_too and not standing.blocked
        # To a friend found by number it must not be said that the number is this friend's.
        at_once = became or (standing.friends and not sought.shown)
        swallowed = standing.friends or standing.blocked or standing.declined
        delivered = bool(sought.person_id) and not swallowed
        written = await TX.query(
            _INSERT,
            request_id,
            asker_id,
            sought.person_id,
            sought.seek,
            sought.shown,
            message,
            delivered,
            "accepted" if at_once else "",
            now,
        )
        heard = delivered and bool(written) and not at_once
        topic = f"person:{sought.person_id}" if heard else NOBODY
        await self._parts.events.record(topic, "friend_asked", asker_id)

    def _since(self) -> datetime:
        return self._parts.clock.now() - REQUEST_LIFE


async def _find(request_id: str) -> _Request | None:
    return await TX.one(
        _Request,
        "select asker_id, seek, message from friends.request where request_id = $1",
        request_id,
    )


async def _standing(asker_id: str, other_id: str, since: datetime, anew: datetime) -> _Standing:
    found = await TX.one(_Standing, _STANDING, asker_id, other_id, since, anew)
    assert found is not None
    return found


async def _lapse(asker_id: str, since: datetime) -> None:
    await TX.query(
        "update friends.request set answer = 'lapsed'"
        " where asker_id = $1 and answer = '' and created_at <= $2",
        asker_id,
        since,
    )
