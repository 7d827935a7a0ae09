"""After a suspected takeover money leaves by passkey alone, to known payees, for a day."""

from datetime import timedelta

import pytest

from backend import ids
from backend.db import SEC
from backend.risk import (
    Authorize,
    DeviceTooNew,
    IssueCodes,
    KnownPayeesOnly,
    PasskeyRequired,
    PayCodeInvalid,
    Prepare,
    RedeemCode,
    takeover,
)
from tests.risk.drawing import draw, signed, withdrawal
from tests.risk.people import World, found_shop


async def test_one_tap_and_withdrawals_are_held_for_a_day(world: World) -> None:
    person, friend = await world.person(), await world.person()
    await world.free(person, world.intent(person))  # known from now on
    waiting = await signed(world, person, withdrawal(world, person, 1_00))
    prepared = world.intent(person, 10_00)
    assert (await world.risk.prepare(Prepare(prepared, person.secret))).takes == "none"
    await world.risk.suspect_takeover(person.person_id, person.device_id)
    with pytest.raises(PasskeyRequired):  # what one tap would have sent a moment ago
        await world.risk.authorize(Authorize(prepared.intent_id, person.secret))
    with pytest.raises(DeviceTooNew):
        await world.risk.authorize_withdrawal(waiting)
    known = await world.risk.prepare(Prepare(world.intent(person, 10_00), person.secret))
    assert (known.takes, known.reasons) == ("passkey", ("new_device",))
    assert (await world.pay(person, world.intent(person, 10_00))).verdict.level == "A"
    to_friend = world.intent(person, 1_00, friend.person_id)
    asked = await world.risk.prepare(Prepare(to_friend, person.secret))
    held_until = world.clock.now() + takeover.HOLD
    assert (asked.takes, asked.reasons, asked.wait_until) == (
        "wait",
        ("known_payees_only",),
        held_until,
    )
    with pytest.raises(KnownPayeesOnly):
        await world.risk.authorize(Authorize(to_friend.intent_id, person.secret))
    drawn = await world.risk.prepare_withdrawal(Prepare(withdrawal(world, person), person.secret))
    assert (drawn.takes, drawn.wait_until) == ("wait", held_until)
    world.clock.move(takeover.HOLD - timedelta(seconds=1))
    drawn = await world.risk.prepare_withdrawal(Prepare(withdrawal(world, person), person.secret))
    assert drawn.takes == "wait"
    world.clock.move(timedelta(seconds=1))
    assert await draw(world, person, withdrawal(world, person))
    assert (await world.free(person, world.intent(person))).verdict.level == "C"


async def test_every_device_is_held_those_added_later_too(world: World) -> None:
    person = await world.person()
    other = await world.second_device(person)
    await world.free(person, world.intent(person))
    world.clock.move(timedelta(hours=13))
    stranger = await world.person()
    await world.risk.suspect_takeover(person.person_id, other.device_id)
    third = await world.second_device(person)
    world.clock.move(timedelta(hours=23))
    for device in (person, other, third):
        asked = await world.risk.prepare(Prepare(world.intent(device), device.secret))
        assert asked.takes == "passkey"
    free = await world.risk.prepare(Prepare(world.intent(stranger), stranger.secret))
    assert free.takes == "none"
    world.clock.move(timedelta(hours=1))
    for device in (person, other, third):
        asked = await world.risk.prepare(Prepare(world.intent(device), device.secret))
        assert asked.takes == "none"


async def test_codes_that_were_shown_end_and_it_may_be_told_again(world: World) -> None:
    owner, payer = await world.person(), await world.person()
    shop_id = await found_shop(world, owner)
    [code] = await world.risk.issue_codes(IssueCodes(payer.person_id, payer.secret))
    for _ in range(2):
        await world.risk.suspect_takeover(payer.person_id, payer.device_id)
    await world.risk.suspect_takeover(ids.new("usr"), payer.device_id)  # nobody we know
    redeem = RedeemCode(
        ids.new("pay"), code.code, shop_id, "trm_1", 20_00, owner.person_id, owner.secret
    )
    with pytest.raises(PayCodeInvalid):
        await world.risk.redeem_code(redeem)
    rows = await SEC.query(
        "select person_id, device_id from risk.security_event where kind = 'takeover_suspected'"
    )
    assert [tuple(row) for row in rows] == [(payer.person_id, payer.device_id)] * 2


async def test_an_alarm_that_freezes_nothing_one_a_person_until_it_is_closed(world: World) -> None:
    ann, ben = await world.person(), await world.person()
    for person in (ann, ann, ben):
        await world.risk.suspect_takeover(person.person_id, person.device_id)
    await world.risk.suspect_takeover(ids.new("usr"), ann.device_id)  # nobody we know
    assert await alarmed(world) == [ben.person_id, ann.person_id]
    await SEC.query("update risk.alarm set closed_at = now() where detail = $1", ann.person_id)
    await world.risk.suspect_takeover(ann.person_id, ann.device_id)
    assert await alarmed(world) == [ann.person_id, ben.person_id]
    assert await SEC.query("select * from risk.frozen_account") == []


async def alarmed(world: World) -> list[str]:
    """Whose sessions were copied, as operators are told, newest first."""
    found = (await world.risk.status()).alarms
    assert {(each.kind, each.accounts) for each in found} == {(takeover.ALARM, ())}
    return [each.detail for each in found]
