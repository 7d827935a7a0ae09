"""People who may come to know each other."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.events.service import EventsService
from backend.friends import Friend
from backend.friends.parts import Parts
from backend.friends.service import FriendsService
from backend.identity import NewPerson
from backend.identity.service import IdentityService
from backend.settings import Settings


class Somebody(msgspec.Struct, frozen=True):
    person_id: str
    phone: str
    name: str


Make = Callable[..., Awaitable[Somebody]]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
async def friends(databases: Settings, clock: FixedClock) -> AsyncIterator[FriendsService]:
    events = EventsService(databases.tx_url)
    identity = IdentityService(clock, events, Path(databases.keys_dir))
    yield FriendsService(Parts(identity=identity, events=events, clock=clock))
    await events.close()


@pytest.fixture
def person(databases: Settings, clock: FixedClock) -> Make:
    async def make(name: str = "安娜") -> Somebody:
        made = Somebody(ids.new("usr"), f"+86138{secrets.randbelow(10**8):08d}", name)
        identity = IdentityService(clock, EventsService(databases.tx_url), Path(databases.keys_dir))
        await identity.create_person(
            NewPerson(person_id=made.person_id, phone=made.phone, display_name=name)
        )
        return made

    return make


def request_id() -> str:
    return ids.new("frq")


async def befriend(friends: FriendsService, one: Somebody, other: Somebody) -> Friend:
    """The other accepts."""
    await friends.ask_person(request_id(), one.person_id, other.person_id, "")
    return await friends.accept(other.person_id, one.person_id)


async def seen(friends: FriendsService, who: Somebody) -> list[tuple[str, str]]:
    """(name, state) of everybody on the list."""
    return [(each.name, each.state) for each in await friends.friends(who.person_id)]


async def news(who: str) -> list[tuple[str, str]]:
    """(kind, ref) on a topic."""
    topic = who if ":" in who else f"person:{who}"
    rows = await TX.query(
        "select kind, ref from events.event where topic = $1 order by event_id", topic
    )
    return [(row["kind"], row["ref"]) for row in rows]
