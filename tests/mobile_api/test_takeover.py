"""A refresh token was copied: the session ends, and outgoing money is held for a day."""

from datetime import timedelta

import pytest

from backend.risk.takeover import ALARM, HOLD
from backend.worker import sweeps
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import keeper_of, paid, yuan
from tests.phone import Phone
from tests.world import World


async def asked(keeper: Phone, payer: Phone) -> tuple[str, list[str]]:
    """What paying 10 yuan takes, and why."""
    order = await keeper.done(keeper.post("/v1/till/orders", yuan(10_00)))
    body = {"order": order["id"]} | yuan(10_00)
    begun = await payer.done(payer.post("/v1/payments", body))
    requirement = begun.get("requirement")
    return (requirement["takes"], requirement["reasons"]) if requirement else ("none", [])


@pytest.mark.parametrize("away", [False, True])
async def test_outgoing_money_is_held_when_a_refresh_token_was_stolen(
    phones: Phones, phone: Phone, world: World, *, away: bool
) -> None:
    """Also where the security system was away just then: the worker tells it as soon as it can."""
    keeper, stranger = await keeper_of(phones), await keeper_of(phones, "李老板", "小李茶馆")
    await paid(keeper, phone)
    assert await asked(keeper, phone) == ("none", [])
    thief = phones.new()
    thief.refresh_token = phone.refresh_token
    [sweep] = [each for each in sweeps(world.services) if each.name == "thefts"]
    world.risk.down = away
    is_problem(await thief.try_refresh(), 401, "refresh_reused")
    assert await sweep.call() == 0
    world.risk.down = False
    assert await sweep.call() == int(away)
    assert await sweep.call() == 0
    [alarm] = (await world.services.risk.status()).alarms  # /health/ready, metrics, `alarm list`
    assert (alarm.kind, alarm.detail, alarm.accounts) == (ALARM, phone.person_id, ())
    await phone.sign_in()
    assert await asked(keeper, phone) == ("passkey", ["new_device"])
    assert await asked(stranger, phone) == ("wait", ["known_payees_only"])
    await paid(keeper, phone)  # with the passkey, to whom was paid before
    await world.services.notices.sweep()
    notices = (await phone.done(phone.get("/v1/notices")))["data"]
    assert [each["kind"] for each in notices].count("session_stolen") == 1
    is_problem(
        await phone.put("/v1/notices/switches/session_stolen", {"on": False}), 400, "bad_request"
    )
    world.clock.move(HOLD - timedelta(minutes=5))
    assert await asked(stranger, phone) == ("wait", ["known_payees_only"])
    world.clock.move(timedelta(minutes=5))
    assert await asked(stranger, phone) == ("none", [])
