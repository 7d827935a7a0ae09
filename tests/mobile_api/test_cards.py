"""Cards and top-ups over the JSON face, with a bank that answers over HTTP."""

import uuid
from typing import Any

import pytest

from backend import ids
from backend.sandbox.cards import number
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import BAD_AMOUNTS, points_at, refused, yuan
from tests.phone import Phone
from tests.web.pages.conftest import bank_world, micro_code
from tests.world import World

__all__ = ["bank_world"]

GOOD, EMPTY = "0001", "0002"


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    return await phones()


async def bind(phone: Phone, world: World, last4: str = GOOD) -> dict[str, Any]:
    new = {"number": number("622200", last4), "holder": "安娜"}
    card = await phone.done(phone.post("/v1/cards", new))
    code = {"code": await micro_code(world)}
    found: dict[str, Any] = await phone.done(phone.post(f"/v1/cards/{card['id']}/confirm", code))
    return found


async def test_a_card_is_bound_with_its_code(phone: Phone, world: World) -> None:
    new, key = {"number": number("622200", GOOD), "holder": "安娜"}, str(uuid.uuid4())
    first = await phone.post("/v1/cards", new, key)
    card = first.json()
    assert (first.status_code, card["status"], card["last4"]) == (201, "pending", GOOD)
    assert number("622200", GOOD) not in first.text
    assert (await phone.post("/v1/cards", new, key)).json() == card
    code = await micro_code(world)
    wrong = {"code": f"{(int(code) + 1) % 10**4:04}"}
    refused(await phone.post(f"/v1/cards/{card['id']}/confirm", wrong), 422, "micro_code_wrong")
    bound = await phone.done(phone.post(f"/v1/cards/{card['id']}/confirm", {"code": code}))
    assert bound["status"] == "bound"
    assert (await phone.done(phone.get("/v1/cards")))["data"] == [bound]
    assert await phone.done(phone.get(f"/v1/cards/{card['id']}")) == bound


async def test_money_comes_in_once(phone: Phone, world: World) -> None:
    card, key = await bind(phone, world), str(uuid.uuid4())
    asked = {"card": card["id"], "amount": yuan(100_00)}
    made = await phone.done(phone.post("/v1/topups", asked, key))
    assert (made["status"], made["amount"], made["card"]) == ("posted", yuan(100_00), card["id"])
    assert await phone.done(phone.post("/v1/topups", asked, key)) == made
    assert await phone.done(phone.get(f"/v1/topups/{made['id']}")) == made
    assert await world.balance(wallet_of(phone).account_id) == 100_00
    receipt = await phone.done(phone.get(f"/v1/bills/{made['id']}/receipt"))
    assert (receipt["level"], receipt["came_in"]) == ("S", yuan(100_00))
    bill = await phone.done(phone.get(f"/v1/bills/{made['id']}"))
    assert (bill["bill"]["kind"], bill["bill"]["method"]) == ("topup", f"card:{GOOD}")


async def test_what_the_bank_refuses(phone: Phone, world: World) -> None:
    unknown = {"number": "4111111111111112", "holder": "安娜"}
    refused(await phone.post("/v1/cards", unknown), 422, "card_refused")
    card = await bind(phone, world, EMPTY)
    asked = {"card": card["id"], "amount": yuan(100_00)}
    made = await phone.done(phone.post("/v1/topups", asked))
    assert (made["status"], made["refusal_code"]) == ("refused", "card_funds")
    assert await world.balance(wallet_of(phone).account_id) == 0


async def test_limits_and_cards_that_wait(phone: Phone, world: World) -> None:
    new = {"number": number("622200", GOOD), "holder": "安娜"}
    waits = await phone.done(phone.post("/v1/cards", new))
    asked = {"card": waits["id"], "amount": yuan(100_00)}
    refused(await phone.post("/v1/topups", asked), 409, "card_not_bound")
    code = {"code": await micro_code(world)}
    await phone.done(phone.post(f"/v1/cards/{waits['id']}/confirm", code))
    too_much = asked | {"amount": yuan(20_000_01)}
    refused(await phone.post("/v1/topups", too_much), 403, "limit_exceeded")


async def test_anothers_card_does_not_exist(phone: Phone, phones: Phones, world: World) -> None:
    card, stranger = await bind(phone, world), await phones()
    made = {"card": card["id"], "amount": yuan(1_00)}
    topup = await phone.done(phone.post("/v1/topups", made))
    code = {"code": "1234"}
    refused(await stranger.get(f"/v1/cards/{card['id']}"), 404, "not_found")
    refused(await stranger.post(f"/v1/cards/{card['id']}/confirm", code), 404, "not_found")
    refused(await stranger.post("/v1/topups", made), 404, "not_found")
    refused(await stranger.get(f"/v1/topups/{topup['id']}"), 404, "not_found")
    refused(await phone.get(f"/v1/topups/{ids.new('top')}"), 404, "not_found")
    assert (await stranger.done(stranger.get("/v1/cards")))["data"] == []


async def test_fields_that_are_none(phone: Phone) -> None:
    for wrong in (
        "12",
        "6222 0000 0000 0001",
        6222000000000001,
        "６２２２０００００００００００１",
        None,
    ):
        answer = await phone.post("/v1/cards", {"number": wrong, "holder": "安娜"})
        points_at(answer, "/number")
    points_at(await phone.post("/v1/cards", {"number": "6" * 16, "holder": ""}), "/holder")
    where = f"/v1/cards/{ids.new('crd')}/confirm"
    for code in ("12", "12345", "abcd", 1234, "１２３４"):
        points_at(await phone.post(where, {"code": code}), "/code")
    for amount in BAD_AMOUNTS:
        body = {"card": ids.new("crd"), "amount": yuan(amount)}
        points_at(await phone.post("/v1/topups", body), "/amount/amount")
