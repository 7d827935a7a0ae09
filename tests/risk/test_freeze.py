"""Freezing at once on all devices, thawing by passkey and wait, and freezes by alarm."""

from datetime import timedelta

import pytest

from backend.db import SEC
from backend.errors import NotFound
from backend.risk import (
    Assess,
    Authorize,
    DeviceUnknown,
    FreezeState,
    FrozenByAlarm,
    PasskeyRefused,
    PayeeFrozen,
    PayerFrozen,
    Prepare,
)
from tests.risk.people import SHOP, Person, World, alarm, top_up

HOURS_12 = timedelta(hours=12)


async def pays(world: World, person: Person) -> None:
    await world.free(person, world.intent(person))


async def test_a_freeze_stops_every_device_at_once(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    world.clock.move(HOURS_12)
    prepared = world.intent(person)
    await world.risk.prepare(Prepare(prepared, person.secret))
    state = await world.risk.freeze(person.person_id, second.secret)
    assert state == FreezeState(True, world.clock.now(), "self", None)
    assert await world.risk.freeze_state(person.person_id) == state
    with pytest.raises(PayerFrozen):
        await world.risk.authorize(Authorize(prepared.intent_id, person.secret))
    for device in (person, second):
        with pytest.raises(PayerFrozen):
            await world.risk.prepare(Prepare(world.intent(person), device.secret))
    with pytest.raises(PayerFrozen):
        await world.risk.assess(Assess(person.person_id, SHOP, 1_00, "dynamic", person.secret))


async def test_a_freeze_takes_an_own_device(world: World) -> None:
    person, other = await world.person(), await world.person()
    for secret in (other.secret, "x" * 43):
        with pytest.raises(DeviceUnknown):
            await world.risk.freeze(person.person_id, secret)
    assert not (await world.risk.freeze_state(person.person_id)).frozen
    with pytest.raises(NotFound):
        await world.risk.freeze_state("usr_unknown")


async def test_undoing_takes_a_passkey_and_twelve_hours(world: World) -> None:
    person = await world.person()
    await world.risk.freeze(person.person_id, person.secret)
    since = world.clock.now()
    world.clock.move(timedelta(minutes=5))
    state = await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    thaws_at = world.clock.now() + HOURS_12
    assert state == FreezeState(True, since, "self", thaws_at)
    world.clock.move(timedelta(hours=6))
    again = await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    assert again == state
    waiting = await world.risk.prepare(Prepare(world.intent(person), person.secret))
    assert (waiting.takes, waiting.reasons, waiting.wait_until) == ("wait", ("thawing",), thaws_at)
    with pytest.raises(PayerFrozen):
        await pays(world, person)
    world.clock.move(timedelta(hours=6) - timedelta(seconds=1))
    with pytest.raises(PayerFrozen):
        await pays(world, person)
    world.clock.move(timedelta(seconds=1))
    assert await world.risk.freeze_state(person.person_id) == FreezeState(False)
    await pays(world, person)


async def test_freezing_again_calls_the_thaw_off(world: World) -> None:
    person = await world.person()
    first = await world.risk.freeze(person.person_id, person.secret)
    await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    world.clock.move(timedelta(hours=1))
    assert await world.risk.freeze(person.person_id, person.secret) == first
    world.clock.move(timedelta(days=2))
    assert (await world.risk.freeze_state(person.person_id)).frozen


async def test_a_freeze_after_a_thaw_starts_anew(world: World) -> None:
    person = await world.person()
    await world.risk.freeze(person.person_id, person.secret)
    await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    world.clock.move(timedelta(days=1))
    state = await world.risk.freeze(person.person_id, person.secret)
    assert state == FreezeState(True, world.clock.now(), "self", None)


async def test_undoing_nothing_changes_nothing(world: World) -> None:
    person = await world.person()
    state = await world.risk.unfreeze(await world.approve(person, "unfreeze"))
    assert state == FreezeState(False)


async def test_undoing_needs_the_right_passkey(world: World) -> None:
    person, thief = await world.person(), await world.person()
    await world.risk.freeze(person.person_id, person.secret)
    with pytest.raises(PasskeyRefused):
        await world.risk.unfreeze(await world.approve(person, "unfreeze", thief.key))
    assert (await world.risk.freeze_state(person.person_id)).thaws_at is None


async def test_an_alarm_freezes_payer_and_payee(world: World) -> None:
    payer, payee = await world.person(), await world.person()
    await alarm(world, f"person:{payee.person_id}", f"shop:{SHOP}")
    for payee_id in (payee.person_id, SHOP):
        with pytest.raises(PayeeFrozen):
            await world.risk.prepare(Prepare(world.intent(payer, 1_00, payee_id), payer.secret))
    with pytest.raises(PayerFrozen):
        await world.risk.prepare(Prepare(world.intent(payee, 1_00), payee.secret))
    state = await world.risk.freeze_state(payee.person_id)
    assert (state.frozen, state.reason, state.thaws_at) == (True, "alarm", None)
    with pytest.raises(FrozenByAlarm):
        await world.risk.unfreeze(await world.approve(payee, "unfreeze"))
    await world.risk.authorize_top_up(top_up(payee.person_id, 100_00, world.clock))


async def test_an_alarm_between_prepare_and_authorize_counts(world: World) -> None:
    payer = await world.person()
    wanted = world.intent(payer)
    await world.risk.prepare(Prepare(wanted, payer.secret))
    await alarm(world, f"shop:{SHOP}")
    with pytest.raises(PayeeFrozen):
        await world.risk.authorize(Authorize(wanted.intent_id, payer.secret))


async def test_a_person_who_froze_receives_nothing(world: World) -> None:
    payer, payee = await world.person(), await world.person()
    await world.risk.freeze(payee.person_id, payee.secret)
    with pytest.raises(PayeeFrozen):
        await world.risk.prepare(Prepare(world.intent(payer, 1_00, payee.person_id), payer.secret))


async def test_the_status_lists_open_alarms(world: World) -> None:
    empty = await world.risk.status()
    assert (empty.alarms, empty.open_alarms, empty.audited_at) == ((), 0, None)
    await alarm(world, f"shop:{SHOP}")
    for _ in range(24):
        await alarm(world)
    await SEC.query("update risk.alarm set closed_at = now() where alarm_id = 2")
    status = await world.risk.status()
    assert (len(status.alarms), status.open_alarms) == (20, 24)
    assert status.alarms[0].alarm_id == 25
    assert status.alarms[0].kind == "tampered"
    await world.risk.ping()


async def test_a_standing_verdict_is_not_given_again_after_a_freeze(world: World) -> None:
    payer, payee, other = await world.person(), await world.person(), await world.person()
    mine, theirs = world.intent(payer, 1_00), world.intent(other, 1_00, payee.person_id)
    for person, wanted in ((payer, mine), (other, theirs)):
        await world.free(person, wanted)
    await world.risk.freeze(payer.person_id, payer.secret)
    await alarm(world, f"person:{payee.person_id}")
    with pytest.raises(PayerFrozen):
        await world.risk.authorize(Authorize(mine.intent_id, payer.secret))
    with pytest.raises(PayeeFrozen):
        await world.risk.authorize(Authorize(theirs.intent_id, other.secret))
    await SEC.query("update risk.device set removed_at = created_at")
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(theirs.intent_id, other.secret))
