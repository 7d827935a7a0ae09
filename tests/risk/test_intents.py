"""Intents are checked against their own posting and kept as they are; so are decisions."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.db import SEC
from backend.errors import BadRequest, DomainError, IdReused
from backend.intent import Intent
from backend.posting import Op, Transfer
from backend.risk import (
    Assess,
    Authorize,
    DeviceUnknown,
    IntentExpired,
    IntentInvalid,
    Prepare,
    Requirement,
)
from backend.risk.intents import FEE_ALLOWANCE_FEN, MAX_FEE_BPS
from backend.settings import Settings
from backend.verdict import SignedVerdict
from tests.risk.people import SHOP, Person, World, altered, intent, with_fee

BIG = 600_00  # takes a passkey
HOURS_12 = timedelta(hours=12)


def posting(wanted: Intent, **changes: Any) -> Intent:
    return altered(wanted, posting=msgspec.structs.replace(wanted.posting, **changes))


def transfer(wanted: Intent, **changes: Any) -> Intent:
    first, *rest = wanted.posting.transfers
    return posting(wanted, transfers=(msgspec.structs.replace(first, **changes), *rest))


def most_fee(wanted: Intent) -> int:
    return wanted.amount_fen * MAX_FEE_BPS // 10_000 + FEE_ALLOWANCE_FEN


OTHER = "usr_01k0000000000000000000000x"
FORGERIES: list[Any] = [
    lambda i: altered(i, kind="gift"),
    lambda i: altered(i, kind="topup"),
    lambda i: altered(i, amount_fen=i.amount_fen + 1),
    lambda i: altered(i, fee_fen=1),
    lambda i: altered(i, fee_fen=-1),
    lambda i: altered(i, payee_id=OTHER),
    lambda i: altered(i, payee_id="bank"),
    lambda i: altered(i, payee_id=i.payer_id),
    lambda i: altered(i, payer_id=OTHER),
    lambda i: altered(i, payer_id="bank"),
    lambda i: altered(i, source=f"person:{OTHER}"),
    lambda i: altered(i, source="bank:transit"),
    lambda i: altered(i, code="paper"),
    lambda i: altered(i, currency="USD"),
    lambda i: altered(i, nonce=b"short"),
    lambda i: altered(i, intent_id=ids.new("pay")),
    lambda i: posting(i, posting_id=ids.new("pay")),
    lambda i: posting(i, reason="refund"),
    lambda i: posting(i, currency="USD"),
    lambda i: posting(i, transfers=()),
    lambda i: posting(i, transfers=i.posting.transfers * 2),
    lambda i: posting(i, transfers=(*i.posting.transfers, Transfer(f"person:{OTHER}", "fee:x", 1))),
    lambda i: transfer(i, amount_fen=i.amount_fen - 1),
    lambda i: transfer(i, debit=f"person:{OTHER}"),
    lambda i: transfer(i, debit=f"shop:{SHOP}"),
    lambda i: transfer(i, credit=f"person:{OTHER}"),
    lambda i: transfer(i, credit="fee:income"),
    lambda i: transfer(i, op=Op.HOLD, hold_id="hold", deadline_ms=1),
    lambda i: transfer(i, hold_id="hold"),
    lambda i: transfer(i, deadline_ms=1),
    lambda i: with_fee(i, i.amount_fen + 1),
    lambda i: with_fee(i, most_fee(i) + 1),
    lambda i: altered(with_fee(i, 2), fee_fen=1),
    lambda i: altered(with_fee(i, 2), fee_fen=0),
]


async def test_transfers_that_are_not_the_intents_are_refused(world: World) -> None:
    person = await world.person()
    for forge in FORGERIES:
        forged = forge(world.intent(person))
        with pytest.raises((IntentInvalid, BadRequest)):  # what has no form fails at the socket
            await world.risk.prepare(Prepare(forged, person.secret))
    assert await SEC.query("select 1 from risk.intent") == []


async def test_a_fee_has_its_ceiling(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person)
    await world.risk.prepare(Prepare(with_fee(wanted, most_fee(wanted)), person.secret))
    small = world.intent(person, 50)
    await world.risk.prepare(Prepare(with_fee(small, 50), person.secret))


async def test_an_intent_is_stored_once(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person)
    first = await world.risk.prepare(Prepare(wanted, person.secret))
    assert await world.risk.prepare(Prepare(wanted, person.secret)) == first
    other_name = altered(wanted, payee_name="老王")
    other_shop = intent(person.person_id, 20_00, SHOP[:-1] + "t", world.clock)
    other_shop = posting(
        altered(other_shop, intent_id=wanted.intent_id), posting_id=wanted.intent_id
    )
    for other in (other_name, other_shop):
        with pytest.raises(IdReused):
            await world.risk.prepare(Prepare(other, person.secret))
    assert len(await SEC.query("select 1 from risk.intent")) == 1


async def test_intents_expire(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person)
    await world.risk.prepare(Prepare(wanted, person.secret))
    world.clock.move(timedelta(minutes=15))
    with pytest.raises(IntentExpired):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    with pytest.raises(IntentExpired):
        await world.risk.prepare(Prepare(wanted, person.secret))
    with pytest.raises(IntentInvalid):
        await world.risk.authorize(Authorize(ids.new("pay"), person.secret))


async def test_the_device_is_the_payers(world: World) -> None:
    person, thief = await world.person(), await world.person()
    for secret in ("", "x" * 43, thief.secret):
        with pytest.raises(DeviceUnknown):
            await world.risk.prepare(Prepare(world.intent(person), secret))
    wanted = world.intent(person)
    await world.free(person, wanted)
    for secret in ("", thief.secret):
        with pytest.raises(DeviceUnknown):
            await world.risk.authorize(Authorize(wanted.intent_id, secret))


async def test_assessing_stores_nothing(world: World) -> None:
    person = await world.person()
    asked = Assess(person.person_id, SHOP, BIG, "dynamic", person.secret)
    requirement = await world.risk.assess(asked)
    assert (requirement.takes, requirement.level, requirement.ceremony) == ("passkey", "A", None)
    assert await SEC.query("select 1 from risk.intent") == []
    with pytest.raises(DeviceUnknown):
        await world.risk.assess(msgspec.structs.replace(asked, device_secret="x" * 43))
    with pytest.raises(BadRequest):
        await world.risk.assess(msgspec.structs.replace(asked, kind="gift"))


async def test_one_bad_call_does_not_fail_its_neighbours(world: World) -> None:
    person = await world.person()
    sound = world.intent(person)
    poison = altered(world.intent(person), payee_name="\x00", code="dynamic")
    answers = await asyncio.gather(
        world.risk.prepare(Prepare(poison, person.secret)),
        world.risk.prepare(Prepare(sound, person.secret)),
        world.risk.prepare(Prepare(altered(sound, nonce=b""), person.secret)),
        return_exceptions=True,
    )
    assert isinstance(answers[1], Requirement)
    assert isinstance(answers[2], DomainError)
    strange = msgspec.structs.replace(Authorize(sound.intent_id, person.secret), ceremony_id="\x00")
    outcome = await asyncio.gather(
        world.risk.authorize(strange),
        *(free(world, person) for _ in range(2)),
        return_exceptions=True,
    )
    assert isinstance(outcome[0], Exception)
    assert all(isinstance(a, SignedVerdict) for a in outcome[1:])


async def free(world: World, person: Person) -> SignedVerdict:
    return await world.free(person, world.intent(person, 1_00))


@pytest.mark.parametrize("table", ["intent", "decision", "security_event"])
async def test_the_database_keeps_what_was_decided(sec: Settings, world: World, table: str) -> None:
    person = await world.person()
    await world.free(person, world.intent(person))
    owner = await asyncpg.connect(sec.sec_owner_url)
    for sql in (f"delete from risk.{table}", f"truncate risk.{table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await SEC.query(sql)
        with pytest.raises(asyncpg.RaiseError):
            await owner.execute(sql)
    column = {"intent": "kind", "decision": "level", "security_event": "kind"}[table]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await SEC.query(f"update risk.{table} set {column} = 'x'")
    with pytest.raises(asyncpg.RaiseError):
        await owner.execute(f"update risk.{table} set {column} = 'x'")
    await owner.close()


async def test_the_database_allows_an_intent_once_and_counts_itself(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person)
    await world.free(person, wanted)
    with pytest.raises(asyncpg.UniqueViolationError):
        await SEC.query(
            "insert into risk.decision (intent_id, stage, decision, code, level, verdict_id, "
            "content, decided_at) select intent_id, stage, decision, code, level, 'vrd_other', "
            "content, decided_at from risk.decision where intent_id = $1",
            wanted.intent_id,
        )
    for change in ("free_count = 11", "free_fen = 100001", "static_fen = 50001", "year_fen = -1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await SEC.query(f"update risk.spending set {change}")
