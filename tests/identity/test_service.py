"""Who somebody is, and the sessions that say so."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.errors import IdReused, NotFound
from backend.events.service import EventsService
from backend.identity import NewPerson, OpenSession, PhoneTaken, SignedOut
from backend.identity.service import IdentityService
from backend.settings import Settings


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
def identity(databases: Settings, clock: FixedClock) -> IdentityService:
    return IdentityService(clock, EventsService(databases.tx_url), Path(databases.keys_dir))


def anna(**changes: object) -> NewPerson:
    new = NewPerson(person_id=ids.new("usr"), phone="+8613800138000", display_name="安娜")
    return msgspec.structs.replace(new, **changes)


def signing_in(person_id: str, device_id: str = "dev_1") -> OpenSession:
    return OpenSession(person_id=person_id, device_id=device_id, label="Firefox, Debian")


async def test_a_person_is_created_once(identity: IdentityService) -> None:
    new = anna()
    first, *others = await asyncio.gather(*(identity.create_person(new) for _ in range(5)))
    assert all(other == first for other in others)
    assert await identity.person(new.person_id) == first


async def test_the_same_id_with_other_content_is_refused(identity: IdentityService) -> None:
    new = anna()
    await identity.create_person(new)
    with pytest.raises(IdReused):
        await identity.create_person(msgspec.structs.replace(new, display_name="Boris"))


async def test_a_number_belongs_to_one_person(identity: IdentityService) -> None:
    await identity.create_person(anna())
    with pytest.raises(PhoneTaken):
        await identity.create_person(anna())


async def test_people_are_found_by_number_and_named_by_id(identity: IdentityService) -> None:
    person = await identity.create_person(anna())
    nobody = ids.new("usr")
    assert await identity.by_phone(person.phone) == person.person_id
    assert await identity.by_phone("+8613800138001") == ""
    assert await identity.names((person.person_id, nobody)) == {person.person_id: "安娜"}


async def test_an_unknown_person_is_not_found(identity: IdentityService) -> None:
    with pytest.raises(NotFound):
        await identity.person(ids.new("usr"))
    with pytest.raises(NotFound):
        await identity.set_language(ids.new("usr"), "en")


async def test_the_language_can_be_changed_and_creation_still_repeats(
    identity: IdentityService,
) -> None:
    new = anna()
    await identity.create_person(new)
    await identity.set_language(new.person_id, "en")
    assert (await identity.create_person(new)).language == "en"


async def test_a_token_opens_its_session_and_is_stored_as_a_hash(
    identity: IdentityService,
) -> None:
    person = await identity.create_person(anna())
    opened = await identity.open_session(signing_in(person.person_id))
    assert len(opened.token) == 43
    assert await identity.session(opened.token) == opened.session
    [row] = await TX.query("select * from identity.session")
    assert opened.token not in str(dict(row))
    assert len(row["token_hash"]) == 32


async def test_every_sign_in_gets_a_fresh_token(identity: IdentityService) -> None:
    person = await identity.create_person(anna())
    tokens = {(await identity.open_session(signing_in(person.person_id))).token for _ in range(5)}
    assert len(tokens) == 5


@pytest.mark.parametrize("token", ["", "x" * 43, "é", "\x00"])
async def test_a_strange_token_is_no_session(identity: IdentityService, token: str) -> None:
    with pytest.raises(SignedOut):
        await identity.session(token)


async def test_a_session_ends_after_15_idle_minutes(
    identity: IdentityService, clock: FixedClock
) -> None:
    person = await identity.create_person(anna())
    opened = await identity.open_session(signing_in(person.person_id))
    clock.move(timedelta(minutes=14, seconds=59))
    await identity.session(opened.token)
    clock.move(timedelta(minutes=14, seconds=59))
    await identity.session(opened.token)
    clock.move(timedelta(minutes=15))
    with pytest.raises(SignedOut):
        await identity.session(opened.token)
    assert await identity.sessions(person.person_id) == ()


async def test_a_busy_session_ends_after_12_hours(
    identity: IdentityService, clock: FixedClock
) -> None:
    person = await identity.create_person(anna())
    opened = await identity.open_session(signing_in(person.person_id))
    for _ in range(71):
        clock.move(timedelta(minutes=10))
        await identity.session(opened.token)
    clock.move(timedelta(minutes=10))
    with pytest.raises(SignedOut):
        await identity.session(opened.token)


async def test_seen_at_is_not_written_on_every_request(
    identity: IdentityService, clock: FixedClock
) -> None:
    person = await identity.create_person(anna())
    opened = await identity.open_session(signing_in(person.person_id))

    async def seen_at() -> datetime:
        [session] = await identity.sessions(person.person_id)
        return session.seen_at

    clock.move(timedelta(seconds=29))
    await identity.session(opened.token)
    assert await seen_at() == opened.session.seen_at
    clock.move(timedelta(seconds=1))
    await identity.session(opened.token)
    assert await seen_at() == clock.now()


async def test_sessions_are_listed_and_ended_one_by_one(identity: IdentityService) -> None:
    person = await identity.create_person(anna())
    one = await identity.open_session(signing_in(person.person_id))
    two = await identity.open_session(signing_in(person.person_id, "dev_2"))
    listed = await identity.sessions(person.person_id)
    assert {s.session_id for s in listed} == {one.session.session_id, two.session.session_id}
    await identity.end_session(person.person_id, one.session.session_id)
    with pytest.raises(SignedOut):
        await identity.session(one.token)
    assert await identity.session(two.token) == two.session
    with pytest.raises(NotFound):
        await identity.end_session(person.person_id, one.session.session_id)


async def test_nobody_ends_the_session_of_another(identity: IdentityService) -> None:
    person = await identity.create_person(anna())
    stranger = await identity.create_person(anna(phone="+8613900139000"))
    opened = await identity.open_session(signing_in(person.person_id))
    with pytest.raises(NotFound):
        await identity.end_session(stranger.person_id, opened.session.session_id)
    await identity.end_all(stranger.person_id)
    await identity.end_device(stranger.person_id, opened.session.device_id)
    assert await identity.session(opened.token) == opened.session


async def test_sign_out_everywhere_and_by_device(identity: IdentityService) -> None:
    person = await identity.create_person(anna())
    phone = await identity.open_session(signing_in(person.person_id, "dev_phone"))
    laptop = await identity.open_session(signing_in(person.person_id, "dev_laptop"))
    await identity.end_device(person.person_id, "dev_phone")
    with pytest.raises(SignedOut):
        await identity.session(phone.token)
    await identity.session(laptop.token)
    await identity.end_all(person.person_id)
    with pytest.raises(SignedOut):
        await identity.session(laptop.token)


async def test_dead_sessions_are_forgotten_at_the_next_sign_in(
    identity: IdentityService, clock: FixedClock
) -> None:
    person = await identity.create_person(anna())
    await identity.open_session(signing_in(person.person_id))
    clock.move(timedelta(hours=1))
    await identity.open_session(signing_in(person.person_id))
    assert len(await TX.query("select 1 from identity.session")) == 1


async def test_the_database_refuses_a_person_without_a_number(databases: Settings) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await TX.query("insert into identity.person values ('usr_x', '', 'n', 'en', false, now())")
