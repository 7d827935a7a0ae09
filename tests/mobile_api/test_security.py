"""Limits, the kill switch and what a person has chosen, over the API."""

from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.phone import Phone
from tests.world import World


async def test_limits_of_money_and_of_times(phone: Phone) -> None:
    found = {each["name"]: each for each in (await phone.get("/v1/limits")).json()["data"]}
    assert found["free_day"]["limit"] == {"amount": 1_000_00, "currency": "CNY"}
    assert found["free_day"]["left"] == found["free_day"]["limit"]
    assert found["free_day"]["limit_count"] is None
    assert found["free_count"]["limit_count"] == 10
    assert found["free_count"]["limit"] is None
    assert "new_device_day" not in found


async def test_what_was_spent_is_told(phone: Phone, world: World) -> None:
    order = await world.order(await world.shop(await world.person()), 23_00)
    body = {"order": order.order_id, "amount": {"amount": 23_00, "currency": "CNY"}}
    await phone.consent(await phone.post("/v1/payments", body))
    found = {each["name"]: each for each in (await phone.get("/v1/limits")).json()["data"]}
    assert found["free_day"]["used"]["amount"] == 23_00
    assert found["free_count"]["used_count"] == 1


async def test_frozen_by_one_call_and_thawed_by_a_passkey(phone: Phone, world: World) -> None:
    assert (await phone.get("/v1/freeze")).json()["frozen"] is False
    frozen = await phone.done(phone.post("/v1/freeze"))
    assert (frozen["frozen"], frozen["reason"], frozen["thaws"]) == (True, "self", None)

    order = await world.order(await world.shop(await world.person()), 23_00)
    body = {"order": order.order_id, "amount": {"amount": 23_00, "currency": "CNY"}}
    is_problem(await phone.post("/v1/payments", body), 403, "payer_frozen")

    other = await phone.approved("add_device")
    is_problem(await phone.post("/v1/freeze/undo", other), 410, "ceremony_invalid")
    thawing = await phone.done(phone.post("/v1/freeze/undo", await phone.approved("unfreeze")))
    assert thawing["frozen"]
    assert thawing["thaws"] is not None
    world.later(hours=13)
    assert (await phone.get("/v1/freeze")).json()["frozen"] is False


async def test_a_freeze_is_one_for_all_devices(phones: Phones, phone: Phone) -> None:
    grant = await phone.done(phone.post("/v1/devices/grants", await phone.approved("add_device")))
    new = phones.new()
    await new.join(grant["grant"])
    await new.done(new.post("/v1/freeze"))  # the newest device may stop money too
    assert (await phone.get("/v1/freeze")).json()["frozen"]


async def test_the_language_is_the_persons(phone: Phone) -> None:
    assert (await phone.get("/v1/settings")).json()["language"] == "zh-CN"
    changed = await phone.done(phone.patch("/v1/settings", {"language": "en"}))
    assert changed["language"] == "en"
    assert (await phone.get("/v1/me")).json()["language"] == "en"
    for body in ({"language": "de"}, {"language": "en\n"}, {}, {"language": "en", "name": "x"}):
        is_problem(await phone.patch("/v1/settings", body), 400, "invalid_request")


async def test_refusals_speak_the_persons_language(phone: Phone) -> None:
    said = {}
    for language in ("zh-CN", "en"):
        await phone.done(phone.patch("/v1/settings", {"language": language}))
        answer = await phone.post("/v1/approvals", {"purpose": "x"})
        said[language] = is_problem(answer, 400, "bad_request")["title"]
    assert said["zh-CN"] != said["en"]
    assert said["en"].isascii()
