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
    FoundShop,
    IntentInvalid,
    IssueCodes,
    MemberForbidden,
    NeedsPasskey,
    PasskeyRequired,
    PayCodeInvalid,
    PayerFrozen,
    Prepare,
    RedeemCode,
    Redeemed,
    TooManyCodesAhead,
    TooManyGuesses,
)
from backend.risk.code_guesses import MAX_WRONG_CODES, MAX_WRONG_CODES_OF_SHOP
from backend.risk.pay_codes import hash_of, new_code
from backend.shop_roles import Role
from tests.risk.people import SHOP, Person, World, alarm, altered, hire

TILL, OTHER_TILL = "trm_1", "trm_2"
BIG = 600_00  # takes a passkey


async def show(world: World, person: Person, *, ahead: bool = False) -> str:
    [shown] = await world.risk.issue_codes(IssueCodes(person.person_id, person.secret, 1, ahead))
    return shown.code


@pytest.fixture(autouse=True)
async def cashier(world: World) -> None:
    """Who charges in the shop."""
    by = world.cashier = await world.person()
    await world.risk.found_shop(FoundShop(SHOP, by.person_id, by.secret))


def read(by: Person, wanted: Intent, code: str, till: str = TILL) -> RedeemCode:
    return RedeemCode(
        wanted.intent_id,
        code,
        wanted.payee_id,
        till,
        wanted.amount_fen,
        by.person_id,
        by.secret,
    )


async def charge(
    world: World, person: Person, amount_fen: int = 20_00, *, ahead: bool = False
) -> Intent:
    """A code of the person, read by a till; the intent of the payment that follows."""
    wanted = altered(world.intent(person, amount_fen), code="shown")
    await world.risk.redeem_code(
        read(world.cashier, wanted, await show(world, person, ahead=ahead))
    )
    return wanted


async def refused(world: World, redeem: RedeemCode) -> None:
    with pytest.raises(PayCodeInvalid) as refusal:
        await world.risk.redeem_code(redeem)
    assert refusal.value.params == {}


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
    calls = [read(world.cashier, wanted, await show(world, person), f"trm_{n}") for n in range(4)]
    answers = await asyncio.gather(*map(world.risk.redeem_code, calls), return_exceptions=True)
    assert sum(isinstance(a, Redeemed) for a in answers) == 1
    assert sum(isinstance(a, IdReused) for a in answers) == 3


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


async def test_revealed_digits_always_take_a_passkey(world: World) -> None:
    person = await world.person()
    code = await show(world, person)
    await world.risk.reveal_code(person.person_id, person.secret, code)
    await world.risk.reveal_code(person.person_id, person.secret, code)
    wanted = altered(world.intent(person, 1_00), code="shown")
    await world.risk.redeem_code(read(world.cashier, wanted, code))
    asked = await world.risk.prepare(Prepare(wanted, ""))
    assert (asked.takes, asked.reasons) == ("passkey", ("digits_revealed",))
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    assert (await world.pay(person, wanted)).verdict.level == "A"
    with pytest.raises(PayCodeInvalid):  # it is used
        await world.risk.reveal_code(person.person_id, person.secret, code)


async def test_only_the_device_reveals_its_code(world: World) -> None:
    person, stranger = await world.person(), await world.person()
    code = await show(world, person)
    for who in (stranger, await world.second_device(person)):
        with pytest.raises(PayCodeInvalid):
            await world.risk.reveal_code(who.person_id, who.secret, code)
    with pytest.raises(PayCodeInvalid):
        await world.risk.reveal_code(person.person_id, person.secret, new_code())
    with pytest.raises(PayCodeInvalid):
        await world.risk.reveal_code(person.person_id, stranger.secret, code)
    world.clock.move(timedelta(seconds=75))
    with pytest.raises(PayCodeInvalid):
        await world.risk.reveal_code(person.person_id, person.secret, code)


async def test_revoked_codes_pay_nothing(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    codes = [await show(world, person), await show(world, person, ahead=True)]
    others = await show(world, second)
    await world.risk.revoke_codes(person.person_id, person.secret)
    for code in codes:
        await refused(world, read(world.cashier, world.intent(person), code))
    await world.risk.redeem_code(read(world.cashier, world.intent(person), others))
    with pytest.raises(DeviceUnknown):
        await world.risk.revoke_codes(second.person_id, "x" * 43)


async def test_codes_die_with_their_device(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    code, burnt = await show(world, second, ahead=True), await charge(world, second)
    approval = await world.approve(person, f"remove_device:{second.device_id}")
    await world.risk.remove_device(approval, second.device_id)
    await refused(world, read(world.cashier, world.intent(person), code))
    with pytest.raises(DeviceUnknown):  # read before, but not prepared yet
        await world.risk.prepare(Prepare(burnt, ""))
    with pytest.raises(DeviceUnknown):
        await show(world, second)


async def test_codes_die_when_their_person_freezes(world: World) -> None:
    person = await world.person()
    code = await show(world, person, ahead=True)
    burnt = await charge(world, person)
    await world.risk.freeze(person.person_id, person.secret)
    await refused(world, read(world.cashier, world.intent(person), code))
    with pytest.raises(PayerFrozen):
        await world.risk.prepare(Prepare(burnt, ""))
    with pytest.raises(PayerFrozen):
        await show(world, person)
    await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    world.clock.move(timedelta(hours=12))
    await refused(world, read(world.cashier, world.intent(person), code))  # thawed: it stays dead
    await charge(world, person)


async def test_an_alarm_stops_codes(world: World) -> None:
    person = await world.person()
    code = await show(world, person)
    await alarm(world, f"person:{person.person_id}")
    await refused(world, read(world.cashier, world.intent(person), code))
    with pytest.raises(PayerFrozen):
        await show(world, person)


async def test_wrong_codes_are_counted_by_terminal(world: World) -> None:
    person = await world.person()
    expired = await show(world, person)
    world.clock.move(timedelta(seconds=75))
    await refused(world, read(world.cashier, world.intent(person), expired))
    for _ in range(MAX_WRONG_CODES - 2):
        await refused(world, read(world.cashier, world.intent(person), new_code()))
    good, late = await show(world, person), await show(world, person, ahead=True)
    call = read(world.cashier, altered(world.intent(person), code="shown"), good)
    await world.risk.redeem_code(call)  # what is right is not counted
    world.clock.move(timedelta(minutes=1))
    await refused(world, read(world.cashier, world.intent(person), new_code()))
    with pytest.raises(TooManyGuesses) as refusal:
        await world.risk.redeem_code(read(world.cashier, world.intent(person), late))
    assert refusal.value.params == {"seconds": 9 * 60}
    await world.risk.redeem_code(call)  # an answer that was lost is given again all the same
    colleague = await hire(world, SHOP, world.cashier, Role.CASHIER)
    with pytest.raises(TooManyGuesses):  # who guesses takes the count along to the next till
        await world.risk.redeem_code(read(world.cashier, world.intent(person), late, OTHER_TILL))
    with pytest.raises(TooManyGuesses):
        await world.risk.redeem_code(read(colleague, world.intent(person), late))
    fresh = await show(world, person)
    await world.risk.redeem_code(read(colleague, world.intent(person), fresh, OTHER_TILL))
    world.clock.move(timedelta(minutes=9))
    await world.risk.redeem_code(read(world.cashier, world.intent(person), late))


async def test_wrong_codes_are_counted_by_shop(world: World) -> None:
    person = await world.person()
    await SEC.query(
        "insert into risk.code_guess select $1, $2 from generate_series(1, $3)",
        f"shop:{SHOP}",
        world.clock.now(),
        MAX_WRONG_CODES_OF_SHOP - 1,
    )
    await refused(world, read(world.cashier, world.intent(person), new_code()))
    with pytest.raises(TooManyGuesses):
        await world.risk.redeem_code(
            read(world.cashier, world.intent(person), await show(world, person), OTHER_TILL)
        )


async def test_only_who_may_charge_there_reads_a_code(world: World) -> None:
    person, stranger = await world.person(), await world.person()
    auditor = await hire(world, SHOP, world.cashier, Role.AUDITOR)
    code = await show(world, person)
    call = read(world.cashier, altered(world.intent(person), code="shown"), code)
    for by in (stranger, auditor, person):
        with pytest.raises(MemberForbidden):
            await world.risk.redeem_code(
                msgspec.structs.replace(call, actor_id=by.person_id, device_secret=by.secret)
            )
    with pytest.raises(DeviceUnknown):
        await world.risk.redeem_code(msgspec.structs.replace(call, device_secret=person.secret))
    await world.risk.redeem_code(call)  # nobody had burnt it


async def test_guesses_at_once_do_not_outrun_the_count(world: World) -> None:
    person = await world.person()
    answers = await asyncio.gather(
        *(
            world.risk.redeem_code(read(world.cashier, world.intent(person), new_code()))
            for _ in range(30)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(a, PayCodeInvalid) for a in answers) == MAX_WRONG_CODES
    assert sum(isinstance(a, TooManyGuesses) for a in answers) == 30 - MAX_WRONG_CODES


async def test_codes_need_a_live_device(world: World) -> None:
    person, other = await world.person(), await world.person()
    for secret in ("x" * 43, other.secret):
        with pytest.raises(DeviceUnknown):
            await world.risk.issue_codes(IssueCodes(person.person_id, secret))


async def test_a_code_serves_no_transfer(world: World) -> None:
    person, other = await world.person(), await world.person()
    wanted = altered(world.intent(person, 1_00, other.person_id), code="shown")
    with pytest.raises(IntentInvalid):
        await world.risk.prepare(Prepare(wanted, person.secret))
