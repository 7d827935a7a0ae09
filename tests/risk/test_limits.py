"""Limits: reserved under concurrency, by day and device, and given back."""

import asyncio
from datetime import timedelta

import pytest

from backend import ids
from backend.risk import (
    Assess,
    Authorize,
    IntentUsed,
    KnownPayeesOnly,
    LimitExceeded,
    PasskeyRequired,
    Prepare,
)
from backend.verdict import SignedVerdict
from tests.risk.people import SHOP, World, altered

BIG = 600_00  # takes a passkey
HOURS_12 = timedelta(hours=12)


async def test_limits_can_not_be_overspent_at_once(world: World) -> None:
    person = await world.person()
    intents = [world.intent(person, 300_00) for _ in range(8)]
    for wanted in intents:
        await world.risk.prepare(Prepare(wanted, person.secret))
    answers = await asyncio.gather(
        *(world.risk.authorize(Authorize(i.intent_id, person.secret)) for i in intents),
        return_exceptions=True,
    )
    assert sum(isinstance(a, SignedVerdict) for a in answers) == 3
    assert sum(isinstance(a, PasskeyRequired) for a in answers) == 5
    used = await world.used(person)
    assert (used["free_day"], used["free_count"], used["tier_year"]) == (900_00, 3, 900_00)


async def test_the_tenth_free_payment_is_the_last_of_the_day(world: World) -> None:
    person = await world.person()
    for _ in range(10):
        await world.free(person, world.intent(person, 1_00))
    asked = Assess(person.person_id, SHOP, 1_00, "dynamic", person.secret)
    assert (await world.risk.assess(asked)).reasons == ("over_free_count",)
    world.clock.move(HOURS_12 - timedelta(seconds=1))  # 23:59:59 in Shanghai
    assert (await world.risk.assess(asked)).takes == "passkey"
    world.clock.move(timedelta(seconds=1))
    assert (await world.risk.assess(asked)).takes == "none"
    assert (await world.free(person, world.intent(person, 1_00))).verdict.level == "C"


async def test_a_synced_passkey_pays_so_much_a_day(world: World) -> None:
    person = await world.person(synced=True)
    await world.pay(person, world.intent(person, 4_000_00))
    with pytest.raises(LimitExceeded) as refused:
        await world.pay(person, world.intent(person, 1_000_01))
    assert refused.value.params == {"limit": "synced_day", "left_fen": 1_000_00}
    first, second = world.intent(person, 800_00), world.intent(person, 800_00)
    signed = [await world.sign(person, first), await world.sign(person, second)]
    answers = await asyncio.gather(*map(world.risk.authorize, signed), return_exceptions=True)
    assert sum(isinstance(a, LimitExceeded) for a in answers) == 1
    assert (await world.used(person))["synced_day"] == 4_800_00


async def test_a_static_code_takes_so_much_a_day(world: World) -> None:
    person = await world.person()
    static = altered(world.intent(person, 400_00), code="static")
    assert (await world.free(person, static)).verdict.level == "D"
    more = altered(world.intent(person, 100_01), code="static")
    requirement = await world.risk.prepare(Prepare(more, person.secret))
    assert (requirement.takes, requirement.level) == ("passkey", "A")
    assert requirement.reasons == ("over_static_day",)
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize(Authorize(more.intent_id, person.secret))
    assert (await world.pay(person, more)).verdict.level == "A"
    used = await world.used(person)
    assert (used["static_day"], used["free_day"], used["free_count"]) == (400_00, 400_00, 1)
    last = altered(world.intent(person, 100_00), code="static")
    assert (await world.free(person, last)).verdict.level == "D"


async def test_free_limits_hold_for_static_codes_too(world: World) -> None:
    person = await world.person()
    for _ in range(2):
        await world.free(person, world.intent(person, 400_00))
    static = altered(world.intent(person, 200_01), code="static")
    requirement = await world.risk.prepare(Prepare(static, person.secret))
    assert (requirement.takes, requirement.reasons) == ("passkey", ("over_free_day",))


async def test_the_years_limit_holds_for_all_levels(world: World) -> None:
    person = await world.person()
    await world.pay(person, world.intent(person, 99_999_00))
    with pytest.raises(LimitExceeded) as refused:
        await world.free(person, world.intent(person, 1_01))
    assert refused.value.params == {"limit": "tier_year", "left_fen": 1_00}
    await world.free(person, world.intent(person, 1_00))


async def test_a_new_device_pays_known_payees_for_twelve_hours(world: World) -> None:
    person = await world.person()
    await world.free(person, world.intent(person))
    second = await world.second_device(person)
    known = world.intent(person)
    requirement = await world.risk.prepare(Prepare(known, second.secret))
    assert (requirement.takes, requirement.reasons) == ("passkey", ("new_device",))
    assert not requirement.first_payment
    with pytest.raises(PasskeyRequired):
        await world.risk.authorize(Authorize(known.intent_id, second.secret))
    await world.pay(second, known)
    stranger = world.intent(person, 1_00, SHOP[:-1] + "t")
    waiting = await world.risk.prepare(Prepare(stranger, second.secret))
    assert (waiting.takes, waiting.reasons) == ("wait", ("known_payees_only",))
    assert waiting.wait_until == world.clock.now() + HOURS_12
    with pytest.raises(KnownPayeesOnly):
        await world.risk.authorize(Authorize(stranger.intent_id, second.secret))
    too_much = await world.risk.prepare(Prepare(world.intent(person, 980_01), second.secret))
    assert too_much.reasons == ("new_device_day",)
    assert (await world.used(second))["new_device_day"] == 20_00
    assert "new_device_day" not in await world.used(person)
    world.clock.move(HOURS_12)
    assert "new_device_day" not in await world.used(second)
    await world.free(second, world.intent(person, 1_00, SHOP[:-1] + "t"))


async def test_released_limits_come_back_once(world: World) -> None:
    person = await world.person()
    wanted = world.intent(person, 400_00)
    await world.free(person, wanted)
    await world.free(person, world.intent(person, 100_00, SHOP[:-1] + "t"))
    await asyncio.gather(*(world.risk.release(wanted.intent_id) for _ in range(3)))
    used = await world.used(person)
    assert (used["free_day"], used["free_count"], used["tier_year"]) == (100_00, 1, 100_00)
    with pytest.raises(IntentUsed):
        await world.risk.authorize(Authorize(wanted.intent_id, person.secret))
    again = await world.risk.prepare(Prepare(world.intent(person), person.secret))
    assert again.first_payment
    await world.risk.release(ids.new("pay"))


async def test_a_release_on_another_day_leaves_that_day_alone(world: World) -> None:
    person = await world.person()
    yesterday = world.intent(person, 400_00)
    await world.free(person, yesterday)
    world.clock.move(timedelta(days=1))
    await world.free(person, world.intent(person, 100_00))
    await world.risk.release(yesterday.intent_id)
    used = await world.used(person)
    assert (used["free_day"], used["free_count"], used["tier_year"]) == (100_00, 1, 100_00)
