"""Consent to verdict: what is signed, and every assertion that is refused."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend import ids, keys
from backend.clock import to_ms
from backend.db import SEC
from backend.intent import intent_hash
from backend.posting import Transfer, posting_hash
from backend.risk import (
    Authorize,
    CeremonyInvalid,
    IntentUsed,
    NeedsPasskey,
    PasskeyRefused,
    PasskeyRequired,
    Prepare,
    Requirement,
)
from backend.settings import Settings
from backend.verdict import fault
from tests.passkey import Passkey, b64, unb64
from tests.risk.people import SHOP, World, with_fee

BIG = 600_00  # takes a passkey
HOURS_12 = timedelta(hours=12)


def verdict_keys(settings: Settings) -> Any:
    return keys.published(Path(settings.verdict_keys))


async def log() -> list[tuple[str, str, str, str]]:
    rows = await SEC.query(
        "select stage, decision, code, level from risk.decision order by decision_seq"
    )
    return [tuple(row) for row in rows]


async def test_a_small_payment_needs_the_bound_device_alone(sec: Settings, world: World) -> None:
    person = await world.person()
    wanted = with_fee(world.intent(person), 12)
    requirement = await world.risk.prepare(Prepare(wanted, person.secret))
    assert requirement == Requirement("none", "C", first_payment=True)
    signed = await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    now_ms = to_ms(world.clock.now())
    assert fault(signed, wanted.posting, verdict_keys(sec), now_ms) == ""
    assert signed.verdict.level == "C"
    assert signed.verdict.intent_hash == intent_hash(wanted)
    assert signed.verdict.posting_hash == posting_hash(wanted.posting)
    assert signed.verdict.expires_at_ms == now_ms + 60_000
    assert await log() == [("authorize", "allow", "", "C")]


async def test_the_verdict_is_for_these_transfers_and_this_minute(
    sec: Settings, world: World
) -> None:
    person = await world.person()
    wanted = world.intent(person)
    signed = await world.free(person, wanted)
    published, now_ms = verdict_keys(sec), to_ms(world.clock.now())
    more = Transfer(wanted.source, f"shop:{SHOP}", wanted.amount_fen + 1)
    other = msgspec.structs.replace(wanted.posting, transfers=(more,))
    assert fault(signed, other, published, now_ms) == "posting"
    assert fault(signed, wanted.posting, published, now_ms + 60_000) == "expired"
    assert fault(signed, wanted.posting, {}, now_ms) == "key"
    level = msgspec.structs.replace(signed.verdict, level="A")
    forged = msgspec.structs.replace(signed, verdict=level)
    assert fault(forged, wanted.posting, published, now_ms) == "signature"


@pytest.mark.parametrize(("synced", "level"), [(False, "A"), (True, "B")])
async def test_a_large_payment_takes_a_passkey(
    sec: Settings, world: World, synced: bool, level: str
) -> None:
    person = await world.person(synced=synced)
    wanted = world.intent(person, BIG)
    requirement = await world.risk.prepare(Prepare(wanted, person.secret))
    assert (requirement.takes, requirement.level) == ("passkey", level)
    assert requirement.ceremony is not None
    options = json.loads(requirement.ceremony.options_json)
    assert unb64(options["challenge"]) == intent_hash(wanted)
    assert [unb64(k["id"]) for k in options["allowCredentials"]] == [person.key.credential_id]
    assert (options["rpId"], options["userVerification"]) == ("localhost", "required")
    signed = await world.pay(person, wanted)
    assert signed.verdict.level == level
    assert fault(signed, wanted.posting, verdict_keys(sec), to_ms(world.clock.now())) == ""


async def test_an_assertion_without_its_ceremony_pays_nothing(world: World) -> None:
    """Its challenge, the hash of the intent, can be known to others."""
    person = await world.person()
    wanted = world.intent(person, 5_00)
    await world.risk.prepare(Prepare(wanted, person.secret))
    options = json.dumps({"challenge": b64(intent_hash(wanted))}).encode()
    asked = Authorize(wanted.intent_id, person.secret, ids.new("cer"), person.key.sign(options))
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize(asked)


async def test_without_the_passkey_a_large_payment_is_refused(world: World) -> None:
    person, demo = await world.person(), await world.demo_person()
    wanted = world.intent(person, BIG)
    await world.risk.prepare(Prepare(wanted, person.secret))
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    with pytest.raises(NeedsPasskey):
        await world.risk.prepare(Prepare(world.intent(demo, BIG), demo.secret))
    assert (await world.free(demo, world.intent(demo))).verdict.level == "C"
    assert [row[2] for row in await log()] == ["passkey_required", "needs_passkey", ""]


async def test_the_same_call_gives_the_same_verdict_while_it_lives(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person, BIG)
    asked = await world.sign(person, wanted)
    first = await world.risk.authorize(asked)
    world.clock.move(timedelta(seconds=59))
    assert await world.risk.authorize(asked) == first
    again = await world.risk.prepare(Prepare(wanted, person.secret))
    assert (again.takes, again.level) == ("none", "A")
    world.clock.move(timedelta(seconds=1))
    with pytest.raises(IntentUsed):
        await world.risk.authorize(asked)
    assert (await world.used(person))["tier_year"] == BIG


async def test_a_double_click_uses_the_limits_once(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person)
    await world.risk.prepare(Prepare(wanted, person.secret))
    asked = Authorize(wanted.intent_id, person.secret)
    signed = await asyncio.gather(*(world.risk.authorize(asked) for _ in range(6)))
    assert len({s.verdict.verdict_id for s in signed}) == 1
    assert (await world.used(person))["free_count"] == 1


async def test_an_assertion_is_for_its_own_intent(world: World) -> None:
    person = await world.person()
    cheap, dear = world.intent(person, BIG), world.intent(person, 60_000_00)
    signed_cheap = await world.sign(person, cheap)
    signed_dear = await world.sign(person, dear)
    moved = msgspec.structs.replace(signed_dear, response_json=signed_cheap.response_json)
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize(moved)
    other_ceremony = msgspec.structs.replace(
        signed_dear,
        response_json=signed_cheap.response_json,
        ceremony_id=signed_cheap.ceremony_id,
    )
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize(other_ceremony)
    assert (await world.risk.authorize(signed_cheap)).verdict.level == "A"


async def test_an_assertion_of_another_person_is_refused(world: World) -> None:
    person, thief = await world.person(), await world.person()
    asked = await world.sign(person, world.intent(person, BIG), thief.key)
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize(asked)
    handle = person.key.user_handle
    thief.key.credential_id, thief.key.user_handle = person.key.credential_id, handle
    asked = await world.sign(person, world.intent(person, BIG), thief.key)
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize(asked)


async def test_a_ceremony_is_over_after_one_answer_or_two_minutes(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person, BIG)
    asked = await world.sign(person, wanted)
    bad = msgspec.structs.replace(asked, response_json=Passkey().sign(b'{"challenge":"AAAA"}'))
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize(bad)
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize(asked)
    late = await world.sign(person, wanted)
    world.clock.move(timedelta(minutes=2))
    with pytest.raises(CeremonyInvalid):
        await world.risk.authorize(late)
    assert (await world.pay(person, wanted)).verdict.level == "A"


async def test_ceremonies_of_other_kinds_pay_nothing(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person, BIG)
    asked = await world.sign(person, wanted)
    sign_in = await world.risk.begin_sign_in()
    approval = await world.risk.begin_approval(person.person_id, "unfreeze")
    for other in (sign_in, approval):
        response = person.key.sign(other.options_json)
        swapped = Authorize(wanted.intent_id, person.secret, other.ceremony_id, response)
        with pytest.raises(CeremonyInvalid):
            await world.risk.authorize(swapped)
    rows = await SEC.query("select count(*) from risk.ceremony where used_at is null")
    assert rows[0][0] >= 3
    assert (await world.risk.authorize(asked)).verdict.level == "A"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("user_verified", False),
        ("user_present", False),
        ("cross_origin", True),
        ("top_origin", "https://evil.example"),
        ("origin", "https://evil.example"),
        ("rp_id", "evil.example"),
        ("client_type", "payment.get"),
        ("challenge", bytes(32)),
        ("backup_eligible", True),
        ("user_handle", bytes(32)),
    ],
)
async def test_misbehaving_assertions_pay_nothing(world: World, attribute: str, value: Any) -> None:
    person = await world.person()
    asked_key = person.key
    setattr(asked_key, attribute, value)
    with pytest.raises(PasskeyRefused):
        await world.pay(person, world.intent(person, BIG))
    assert (await log())[-1] == ("authorize", "refuse", "passkey_refused", "")


async def test_a_counter_going_back_is_a_signal(world: World) -> None:
    person = await world.person()
    await world.pay(person, world.intent(person, BIG))
    person.key.sign_count = 0
    await world.pay(person, world.intent(person, BIG))
    [row] = await SEC.query("select sign_count from risk.credential")
    assert row["sign_count"] == 1
    contents = await SEC.query("select content from risk.decision order by decision_seq")
    assert [b"counter_regression" in row["content"] for row in contents] == [False, True]


async def test_decisions_together_share_one_signature(sec: Settings, world: World) -> None:
    people = [await world.person() for _ in range(7)]
    intents = [(p, world.intent(p)) for p in people]
    await asyncio.gather(*(world.risk.prepare(Prepare(i, p.secret)) for p, i in intents))
    signed = await asyncio.gather(
        *(world.risk.authorize(Authorize(i.intent_id, p.secret)) for p, i in intents)
    )
    assert len({s.signature for s in signed}) == 1
    assert {s.size for s in signed} == {7}
    published, now_ms = verdict_keys(sec), to_ms(world.clock.now())
    for (_, wanted), mine in zip(intents, signed, strict=True):
        assert fault(mine, wanted.posting, published, now_ms) == ""
    swapped = msgspec.structs.replace(signed[0], index=signed[1].index, path=signed[1].path)
    assert fault(swapped, intents[0][1].posting, published, now_ms) == "signature"
