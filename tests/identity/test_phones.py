"""Sessions of phones: bound to a key, kept alive by refresh tokens that turn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from backend import ids
from backend.clock import FixedClock
from backend.db import TX, Database
from backend.errors import NotFound
from backend.events.service import EventsService
from backend.identity import (
    NewPerson,
    OpenPhoneSession,
    OpenSession,
    Person,
    PhoneCaller,
    PhoneTokens,
    ProofReplayed,
    ProofsForgotten,
    RefreshReused,
    Session,
    SignedOut,
    SpentProof,
)
from backend.identity.service import IdentityService
from backend.settings import Settings

KEY, OTHER_KEY = "k" * 43, "o" * 43
MEMORY = "of-before"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
async def identity(databases: Settings, clock: FixedClock) -> AsyncIterator[IdentityService]:
    events = EventsService(databases.tx_url)
    await TX.query("insert into identity.proof_memory (memory_id) values ($1)", MEMORY)
    yield IdentityService(clock, events, Path(databases.keys_dir))
    await events.close()


@pytest.fixture
async def person(identity: IdentityService) -> Person:
    return await identity.create_person(
        NewPerson(person_id=ids.new("usr"), phone="+8613800138000", display_name="安娜")
    )


def opening(person: Person, device_id: str = "dev_1", key: str = KEY) -> OpenPhoneSession:
    return OpenPhoneSession(
        person_id=person.person_id, device_id=device_id, label="Pixel 9", thumbprint=key
    )


@pytest.fixture
async def opened(identity: IdentityService, person: Person) -> PhoneTokens:
    return await identity.open_phone_session(opening(person))


def spent(clock: FixedClock, jti: str, key: str = KEY) -> SpentProof:
    return SpentProof(
        thumbprint=key,
        jti=jti,
        ends_at=clock.now() + timedelta(seconds=61),
        memory_id=MEMORY,
    )


async def test_tokens_are_stored_as_hashes(opened: PhoneTokens) -> None:
    [row] = await TX.query("select * from identity.phone_session")
    for half in opened.refresh_token.split("."):
        assert len(half) == 43
        assert half not in str(dict(row))


async def test_a_session_is_live_for_its_own_key_alone(
    identity: IdentityService, opened: PhoneTokens
) -> None:
    session_id = opened.session.session_id
    assert await identity.phone_session(session_id, KEY) == opened.session
    assert opened.session.phone
    with pytest.raises(SignedOut):
        await identity.phone_session(session_id, OTHER_KEY)
    with pytest.raises(SignedOut):
        await identity.phone_session(ids.new("ses"), KEY)


async def test_each_refresh_turns_the_token(identity: IdentityService, opened: PhoneTokens) -> None:
    tokens = {opened.refresh_token}
    turned = opened
    for _ in range(5):
        turned = await identity.refresh(turned.refresh_token, KEY)
        assert turned.session.session_id == opened.session.session_id
        tokens.add(turned.refresh_token)
    assert len(tokens) == 6


async def test_a_lost_answer_may_be_asked_for_again(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock
) -> None:
    first = await identity.refresh(opened.refresh_token, KEY)
    clock.move(timedelta(seconds=30))
    again = await identity.refresh(opened.refresh_token, KEY)
    assert again.refresh_token == first.refresh_token
    clock.move(timedelta(hours=1))
    assert (await identity.refresh(again.refresh_token, KEY)).session == again.session


async def test_five_at_once_get_the_same_turn(
    identity: IdentityService, opened: PhoneTokens
) -> None:
    turned = await asyncio.gather(*(identity.refresh(opened.refresh_token, KEY) for _ in range(5)))
    assert len({each.refresh_token for each in turned}) == 1


async def revoked(identity: IdentityService, opened: PhoneTokens) -> None:
    """The family is gone, the person is told, and the log has the alarm."""
    session = opened.session
    with pytest.raises(SignedOut):
        await identity.phone_session(session.session_id, KEY)
    events = await TX.query("select topic, kind, ref from events.event")
    assert [tuple(row) for row in events] == [
        (f"person:{session.person_id}", "session_stolen", session.device_id)
    ]


@pytest.mark.parametrize("seconds", [31, 3600, 20 * 86_400])
async def test_a_spent_token_ends_the_family(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock, seconds: int
) -> None:
    turned = await identity.refresh(opened.refresh_token, KEY)
    clock.move(timedelta(seconds=seconds))
    with capture_logs() as logs, pytest.raises(RefreshReused):
        await identity.refresh(opened.refresh_token, KEY)
    await revoked(identity, opened)
    [alarm] = [entry for entry in logs if entry["event"] == "refresh_reused"]
    assert alarm["log_level"] == "error"
    assert opened.refresh_token not in str(logs)
    with pytest.raises(SignedOut):
        await identity.refresh(turned.refresh_token, KEY)


async def test_a_token_from_two_turns_ago_ends_the_family_at_once(
    identity: IdentityService, opened: PhoneTokens
) -> None:
    turned = await identity.refresh(opened.refresh_token, KEY)
    await identity.refresh(turned.refresh_token, KEY)
    with pytest.raises(RefreshReused):
        await identity.refresh(opened.refresh_token, KEY)
    await revoked(identity, opened)


@pytest.mark.parametrize("turns", [0, 1])
async def test_another_key_ends_the_family(
    identity: IdentityService, opened: PhoneTokens, turns: int
) -> None:
    for _ in range(turns):
        await identity.refresh(opened.refresh_token, KEY)
    with pytest.raises(RefreshReused):
        await identity.refresh(opened.refresh_token, OTHER_KEY)
    await revoked(identity, opened)


async def test_a_guess_of_the_second_half_ends_the_family(
    identity: IdentityService, opened: PhoneTokens
) -> None:
    family = opened.refresh_token.partition(".")[0]
    with pytest.raises(RefreshReused):
        await identity.refresh(f"{family}.{'x' * 43}", KEY)
    await revoked(identity, opened)


@pytest.mark.parametrize("token", ["", ".", "x", "x.y", "é.é", "\x00.\x00", "x" * 43 + "." * 9])
async def test_strange_tokens_end_nothing(
    identity: IdentityService, opened: PhoneTokens, token: str
) -> None:
    with pytest.raises(SignedOut):
        await identity.refresh(token, KEY)
    await identity.phone_session(opened.session.session_id, KEY)


async def test_where_the_key_was_replaced_no_answer_is_made_up(
    identity: IdentityService, opened: PhoneTokens, databases: Settings
) -> None:
    turned = await identity.refresh(opened.refresh_token, KEY)
    (Path(databases.keys_dir) / "refresh.key").unlink()
    elsewhere = IdentityService(
        FixedClock(opened.session.created_at),
        EventsService(databases.tx_url),
        Path(databases.keys_dir),
    )
    assert (await elsewhere.refresh(turned.refresh_token, KEY)).session == turned.session
    with pytest.raises(RefreshReused):
        await identity.refresh(turned.refresh_token, KEY)


async def test_a_session_ends_after_30_idle_days_and_after_90_in_all(
    identity: IdentityService, person: Person, clock: FixedClock
) -> None:
    idle = await identity.open_phone_session(opening(person))
    busy = await identity.open_phone_session(opening(person, "dev_2", OTHER_KEY))
    for _ in range(5):
        clock.move(timedelta(days=15))
        busy = await identity.refresh(busy.refresh_token, OTHER_KEY)
    with pytest.raises(SignedOut):
        await identity.refresh(idle.refresh_token, KEY)
    clock.move(timedelta(days=15))
    assert clock.now() == busy.session.created_at + timedelta(days=90)
    with pytest.raises(SignedOut):
        await identity.refresh(busy.refresh_token, OTHER_KEY)
    with pytest.raises(SignedOut):
        await identity.phone_session(busy.session.session_id, OTHER_KEY)
    assert await identity.sessions(person.person_id) == ()


async def test_calls_keep_a_session_awake(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock, person: Person
) -> None:
    for day in range(4):
        clock.move(timedelta(days=20))
        found = await identity.phone_caller(opened.session.session_id, spent(clock, f"j{day}"))
        assert found.person == person
    [session] = await identity.sessions(person.person_id)
    assert session.seen_at == clock.now()


async def test_a_proof_is_spent_once_by_its_key(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock
) -> None:
    session_id = opened.session.session_id
    await identity.phone_caller(session_id, spent(clock, "one"))
    with pytest.raises(ProofReplayed):
        await identity.phone_caller(session_id, spent(clock, "one"))
    with pytest.raises(ProofReplayed):
        await identity.spend_proof(spent(clock, "one"))
    await identity.spend_proof(spent(clock, "one", OTHER_KEY))
    with pytest.raises(SignedOut):
        await identity.phone_caller(ids.new("ses"), spent(clock, "two"))
    with pytest.raises(ProofReplayed):  # spent by whatever came of it
        await identity.phone_caller(session_id, spent(clock, "two"))


async def test_of_twenty_at_once_one_spends_the_proof(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock
) -> None:
    async def once() -> bool:
        try:
            await identity.phone_caller(opened.session.session_id, spent(clock, "one"))
        except ProofReplayed:
            return False
        return True

    assert sum(await asyncio.gather(*(once() for _ in range(20)))) == 1


async def test_who_comes_together_gets_their_own_answer(
    identity: IdentityService, person: Person, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    boris = await identity.create_person(
        NewPerson(person_id=ids.new("usr"), phone="+8613900139000", display_name="Boris")
    )
    annas = (await identity.open_phone_session(opening(person))).session
    ended = (await identity.open_phone_session(opening(person, "dev_2"))).session
    his = (await identity.open_phone_session(opening(boris, "dev_3", OTHER_KEY))).session
    await identity.end_session(person.person_id, ended.session_id)
    await identity.spend_proof(spent(clock, "used"))
    real, statements = Database.query, list[str]()

    async def query(self: Database, sql: str, *args: object) -> list[asyncpg.Record]:
        statements.append(sql)
        return await real(self, sql, *args)

    monkeypatch.setattr(Database, "query", query)
    hers, boriss = PhoneCaller(session=annas, person=person), PhoneCaller(session=his, person=boris)
    forgotten = msgspec.structs.replace(spent(clock, "six"), memory_id="another")
    asked: list[tuple[Session, SpentProof, PhoneCaller | type[Exception]]] = [
        (annas, spent(clock, "one"), hers),
        (ended, spent(clock, "two"), SignedOut),
        (his, spent(clock, "three", OTHER_KEY), boriss),
        (annas, spent(clock, "used"), ProofReplayed),
        (his, spent(clock, "four"), SignedOut),  # by another's key
        (annas, forgotten, ProofsForgotten),
    ]
    calls = (identity.phone_caller(session.session_id, proof) for session, proof, _ in asked)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert len(statements) == 1
    for (_, _, wanted), answer in zip(asked, answers, strict=True):
        assert answer == wanted or type(answer) is wanted


async def test_when_the_spent_proofs_are_lost_none_of_before_is_taken(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock, databases: Settings
) -> None:
    """As a crash of the server leaves it; test_proof_memory lets one crash."""
    assert await identity.proof_memory() == MEMORY
    await identity.spend_proof(spent(clock, "one"))
    owner = await asyncpg.connect(databases.tx_owner_url)
    await owner.execute("truncate identity.proof_spent, identity.proof_memory")
    await owner.close()
    for jti in ("one", "two"):
        with pytest.raises(ProofsForgotten):
            await identity.spend_proof(spent(clock, jti))
        with pytest.raises(ProofsForgotten):
            await identity.phone_caller(opened.session.session_id, spent(clock, jti))
    [found] = set(await asyncio.gather(*(identity.proof_memory() for _ in range(8))))
    assert found != MEMORY
    for _ in range(2):
        with pytest.raises(ProofsForgotten):
            await identity.spend_proof(spent(clock, "one"))
    fresh = msgspec.structs.replace(spent(clock, "one"), memory_id=found)
    await identity.spend_proof(fresh)
    with pytest.raises(ProofReplayed):
        await identity.spend_proof(fresh)


async def test_proofs_are_forgotten_when_their_age_refuses_them(
    identity: IdentityService, clock: FixedClock
) -> None:
    await identity.spend_proof(spent(clock, "one"))
    assert await identity.sweep() == 0
    clock.move(timedelta(seconds=62))
    assert await identity.sweep() == 1
    [row] = await TX.query(
        "select relpersistence::text from pg_class where oid = 'identity.proof_spent'::regclass"
    )
    assert row["relpersistence"] == "u"  # no log is written for what lasts a minute


async def test_a_device_has_one_session(
    identity: IdentityService, opened: PhoneTokens, person: Person
) -> None:
    anew = await identity.open_phone_session(opening(person))
    assert [s.session_id for s in await identity.sessions(person.person_id)] == [
        anew.session.session_id
    ]
    with pytest.raises(SignedOut):
        await identity.refresh(opened.refresh_token, KEY)
    with pytest.raises(SignedOut):
        await identity.phone_session(opened.session.session_id, KEY)


async def test_phones_and_browsers_are_listed_and_ended_alike(
    identity: IdentityService, person: Person, clock: FixedClock
) -> None:
    phone = await identity.open_phone_session(opening(person))
    clock.move(timedelta(seconds=1))
    browser = await identity.open_session(
        OpenSession(person_id=person.person_id, device_id="dev_2", label="Firefox")
    )
    listed = await identity.sessions(person.person_id)
    assert [(s.label, s.phone) for s in listed] == [("Firefox", False), ("Pixel 9", True)]
    stranger = await identity.create_person(
        NewPerson(person_id=ids.new("usr"), phone="+8613900139000", display_name="Boris")
    )
    with pytest.raises(NotFound):
        await identity.end_session(stranger.person_id, phone.session.session_id)
    await identity.end_all(stranger.person_id)
    await identity.end_device(stranger.person_id, "dev_1")
    await identity.end_session(person.person_id, phone.session.session_id)
    with pytest.raises(SignedOut):
        await identity.phone_session(phone.session.session_id, KEY)
    assert await identity.session(browser.token) == browser.session


@pytest.mark.parametrize("how", ["end_device", "end_all"])
async def test_a_removed_device_and_signing_out_everywhere(
    identity: IdentityService, opened: PhoneTokens, clock: FixedClock, how: str
) -> None:
    session = opened.session
    if how == "end_device":
        await identity.end_device(session.person_id, session.device_id)
    else:
        await identity.end_all(session.person_id)
    with pytest.raises(SignedOut):
        await identity.phone_caller(session.session_id, spent(clock, "one"))
    with pytest.raises(SignedOut):
        await identity.refresh(opened.refresh_token, KEY)


async def test_the_database_refuses_a_token_that_is_no_hash(opened: PhoneTokens) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await TX.query("update identity.phone_session set turn_hash = 'token'")
    with pytest.raises(asyncpg.CheckViolationError):
        await TX.query("update identity.phone_session set thumbprint = 'short'")


def test_a_thumbprint_has_its_form() -> None:
    raw = {"person_id": "usr_1", "device_id": "dev_1", "label": "", "thumbprint": "=" * 43}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, OpenPhoneSession)
