"""How payment codes end: revealed, revoked, with their device, and against who guesses."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend.db import SEC
from backend.risk import (
    Authorize,
    DeviceUnknown,
    IntentInvalid,
    IssueCodes,
    MemberForbidden,
    PasskeyRequired,
    PayCodeInvalid,
    PayerFrozen,
    Prepare,
    TooManyGuesses,
)
from backend.risk.code_guesses import MAX_WRONG_CODES, MAX_WRONG_CODES_OF_SHOP
from backend.risk.pay_codes import new_code
from backend.shop_roles import Role
from tests.risk.codes import OTHER_TILL, charge, read, refused, show
from tests.risk.codes import cashier as cashier  # an autouse fixture
from tests.risk.people import SHOP, World, alarm, altered, hire


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
