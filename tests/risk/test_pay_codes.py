"""Payment codes: one payment each, for a minute, guessed by nobody."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend.db import SEC
from backend.errors import BadRequest, IdReused
from backend.intent import Intent
from backend.risk import (
    MAX_AHEAD,
    Assess,
    Authorize,
    DeviceUnknown,
    IntentInvalid,
    IssueCodes,
    MemberForbidden,
    NeedsPasskey,
    PasskeyRequired,
    PayCodeInvalid,
    Prepare,
    Redeemed,
    TooManyCodesAhead,
)
from backend.risk.pay_codes import hash_of, new_code
from tests.risk.codes import BIG, OTHER_TILL, charge, read, refused, show
from tests.risk.codes import cashier as cashier  # an autouse fixture
from tests.risk.people import SHOP, World, altered


async def test_a_code_is_88_and_16_digits_kept_as_a_keyed_hash(world: World) -> None:
    person = await world.person()
    shown = await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 3))
    assert len({s.code for s in shown}) == 3
    for code in shown:
        assert re.fullmatch(r"88\d{16}", code.code)
        assert code.issued_at == world.clock.now()
        assert code.expires_at == world.clock.now() + timedelta(seconds=60)
    stored = await SEC.query("select c::text as line, code_hash from risk.pay_code c")
    assert len(stored) == 3
    assert not any(s.code in row["line"] for s in shown for row in stored)
    plain = {hash_of(b"", s.code) for s in shown}
    assert not plain & {row["code_hash"] for row in stored}


async def test_the_till_pays_with_the_codes_device(world: World) -> None:
    person = await world.person()
    wanted = altered(world.intent(person), code="shown")
    code = await show(world, person)
    redeemed = await world.risk.redeem_code(read(world.cashier, wanted, code))
    assert redeemed == Redeemed(person.person_id, ahead=False)
    requirement = await world.risk.prepare(Prepare(wanted, ""))
    assert (requirement.takes, requirement.level) == ("none", "C")
    signed = await world.risk.authorize(Authorize(wanted.intent_id))
    assert signed.verdict.level == "C"
    assert await world.risk.authorize(Authorize(wanted.intent_id)) == signed
    assert (await world.used(person))["free_day"] == 20_00
    [row] = await SEC.query("select content from risk.decision")
    assert person.device_id.encode() in row["content"]


async def test_with_a_passkey_the_payer_answers_and_not_the_till(world: World) -> None:
    person = await world.person()
    wanted = await charge(world, person, BIG)
    asked = await world.risk.prepare(Prepare(wanted, ""))
    assert (asked.takes, asked.reasons) == ("passkey", ("over_free_each",))
    assert asked.ceremony is None
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize(Authorize(wanted.intent_id))
    question = Assess(person.person_id, SHOP, BIG, "shown", person.secret)
    assert (await world.risk.assess(question)).takes == "passkey"
    assert (await world.pay(person, wanted)).verdict.level == "A"
    [row] = await SEC.query("select count(*) from risk.intent")
    assert row[0] == 1


async def test_another_device_of_the_payer_may_answer(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    world.clock.move(timedelta(hours=12))
    wanted = await charge(world, person, BIG)
    await world.risk.prepare(Prepare(wanted, ""))
    assert (await world.pay(second, wanted)).verdict.level == "A"


async def test_a_stranger_can_not_answer_for_the_payer(world: World) -> None:
    person, stranger = await world.person(), await world.person()
    wanted = await charge(world, person, BIG)
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare(Prepare(wanted, stranger.secret))
    await world.risk.prepare(Prepare(wanted, ""))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(wanted.intent_id, stranger.secret))


async def test_without_a_passkey_nothing_large_is_paid(world: World) -> None:
    person = await world.demo_person()
    wanted = await charge(world, person, BIG)
    with pytest.raises(NeedsPasskey):
        await world.risk.prepare(Prepare(wanted, ""))


async def test_payee_and_amount_are_those_the_till_read_it_for(world: World) -> None:
    person, other = await world.person(), await world.person()
    wanted = await charge(world, person)
    for changed in (
        world.intent(person, 20_01),
        world.intent(person, 20_00, SHOP[:-1] + "t"),
        world.intent(other),
    ):
        other_intent = renamed(changed, wanted.intent_id)
        for secret in ("", person.secret):
            with pytest.raises(IntentInvalid):
                await world.risk.prepare(Prepare(other_intent, secret))
    await world.risk.prepare(Prepare(wanted, ""))


def renamed(changed: Intent, intent_id: str) -> Intent:
    posting = msgspec.structs.replace(changed.posting, posting_id=intent_id)
    return altered(changed, intent_id=intent_id, code="shown", posting=posting)


async def test_no_payment_by_code_without_a_code(world: World) -> None:
    person = await world.person()
    wanted = altered(world.intent(person), code="shown")
    for secret in ("", person.secret):
        with pytest.raises(IntentInvalid):
            await world.risk.prepare(Prepare(wanted, secret))
    dynamic = world.intent(person)  # nor does a code serve an intent of another kind
    await world.risk.redeem_code(read(world.cashier, dynamic, await show(world, person)))
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare(Prepare(dynamic, ""))


async def test_two_tills_read_one_code_and_one_gets_it(world: World) -> None:
    person = await world.person()
    code = await show(world, person)
    wanted = [altered(world.intent(person), code="shown") for _ in range(6)]
    answers = await asyncio.gather(
        *(
            world.risk.redeem_code(read(world.cashier, w, code, f"trm_{n}"))
            for n, w in enumerate(wanted)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(a, Redeemed) for a in answers) == 1
    assert sum(isinstance(a, PayCodeInvalid) for a in answers) == 5
    prepared = await asyncio.gather(
        *(world.risk.prepare(Prepare(w, "")) for w in wanted), return_exceptions=True
    )
    assert sum(isinstance(p, IntentInvalid) for p in prepared) == 5


async def test_asked_again_the_till_gets_the_same_answer(world: World) -> None:
    person = await world.person()
    wanted = altered(world.intent(person), code="shown")
    call = read(world.cashier, wanted, await show(world, person))
    answers = await asyncio.gather(*(world.risk.redeem_code(call) for _ in range(5)))
    assert set(answers) == {Redeemed(person.person_id, ahead=False)}
    world.clock.move(timedelta(hours=1))
    assert await world.risk.redeem_code(call) == answers[0]
    with pytest.raises(MemberForbidden):  # who charges here does not charge there
        await world.risk.redeem_code(msgspec.structs.replace(call, shop_id=SHOP[:-1] + "t"))
    changes: tuple[dict[str, Any], ...] = (
        {"amount_fen": 1},
        {"terminal_id": OTHER_TILL},
        {"code": new_code()},
    )
    for change in changes:
        with pytest.raises(IdReused):
            await world.risk.redeem_code(msgspec.structs.replace(call, **change))
    with pytest.raises(BadRequest):
        await world.risk.redeem_code(msgspec.structs.replace(call, amount_fen=0))


async def test_two_terminals_with_one_payment_id(world: World) -> None:
    person = await world.person()
    wanted = altered(world.intent(person), code="shown")
    calls = [read(world.cashier, wanted, await show(world, person), f"trm_{n}") for n in range(3)]
    answers = await asyncio.gather(*map(world.risk.redeem_code, calls), return_exceptions=True)
    assert sum(isinstance(a, Redeemed) for a in answers) == 1
    assert sum(isinstance(a, IdReused) for a in answers) == 2


async def test_a_failed_payment_has_burnt_the_code(world: World) -> None:
    person = await world.demo_person()
    code = await show(world, person)
    wanted = altered(world.intent(person, BIG), code="shown")
    await world.risk.redeem_code(read(world.cashier, wanted, code))
    with pytest.raises(NeedsPasskey):
        await world.risk.prepare(Prepare(wanted, ""))
    await refused(world, read(world.cashier, altered(world.intent(person), code="shown"), code))


@pytest.mark.parametrize(("ahead", "life"), [(False, 60), (True, 24 * 3600)])
async def test_a_code_lives_so_long_and_some_grace(world: World, ahead: bool, life: int) -> None:
    person = await world.person()
    [early, late] = await world.risk.issue_codes(
        IssueCodes(person.person_id, person.secret, 2, ahead)
    )
    assert early.expires_at == world.clock.now() + timedelta(seconds=life)
    world.clock.move(timedelta(seconds=life + 14))
    await world.risk.redeem_code(read(world.cashier, world.intent(person), early.code))
    world.clock.move(timedelta(seconds=1))
    await refused(world, read(world.cashier, world.intent(person), late.code))


async def test_codes_ahead_pay_only_without_a_passkey(world: World) -> None:
    person = await world.person()
    wanted = await charge(world, person, 20_00, ahead=True)
    assert (await world.risk.prepare(Prepare(wanted, ""))).takes == "none"
    assert (await world.risk.authorize(Authorize(wanted.intent_id))).verdict.level == "C"
    large = await charge(world, person, BIG, ahead=True)
    for secret in ("", person.secret):
        with pytest.raises(PasskeyRequired):
            await world.risk.prepare(Prepare(large, secret))


async def test_so_many_codes_ahead_and_no_more(world: World) -> None:
    person = await world.person()
    ask = IssueCodes(person.person_id, person.secret, 8, ahead=True)
    answers = await asyncio.gather(
        *(world.risk.issue_codes(ask) for _ in range(4)), return_exceptions=True
    )
    assert [isinstance(a, tuple) for a in answers].count(True) == 1
    refusals = [a for a in answers if isinstance(a, TooManyCodesAhead)]
    assert [r.params for r in refusals] == [{"limit": MAX_AHEAD}] * 3
    await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 7, ahead=True))
    with pytest.raises(TooManyCodesAhead):
        await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 1, ahead=True))
    await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 1))
    await world.risk.revoke_codes(person.person_id, person.secret)
    await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 15, ahead=True))


async def test_the_newest_three_codes_of_a_device_live(world: World) -> None:
    person = await world.person()
    second, ahead = await world.second_device(person), await show(world, person, ahead=True)
    others = await show(world, second)
    codes = []
    for _ in range(5):
        codes.append(await show(world, person))
        world.clock.move(timedelta(seconds=1))
    for old in codes[:2]:
        await refused(world, read(world.cashier, world.intent(person), old))
    for live in (*codes[2:], others, ahead):
        await world.risk.redeem_code(read(world.cashier, world.intent(person), live))
