"""Paying an order with a phone: at once, with a passkey, and everything that is refused."""

import uuid
from typing import Any

import pytest

from backend import ids
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import BAD_AMOUNTS, open_shop, pay, points_at, refused, yuan
from tests.phone import AnswerLost, Phone
from tests.world import Line, World


async def test_a_small_sum_is_paid_at_once(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    order = await world.order(shop, 23_00)
    answer = await pay(phone, order)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["object"], body["status"], body["level"]) == ("payment", "posted", "C")
    assert body["requirement"] is None
    assert (body["order"], body["payee"]) == (order.order_id, shop.name)
    assert body["amount"] == yuan(23_00)
    assert await world.balance(wallet_of(phone).account_id) == 977_00
    assert await world.balance(f"shop:{shop.shop_id}") == 23_00
    assert await phone.done(phone.get(f"/v1/payments/{body['id']}")) == body


async def test_a_large_one_takes_a_passkey(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    first = await pay(phone, await world.order(shop, 600_00))
    asked = first.json()
    assert asked["status"] == "created"
    assert asked["requirement"]["takes"] == "passkey"
    assert asked["requirement"]["reasons"] == ["over_free_each"]
    assert await world.balance(f"shop:{shop.shop_id}") == 0
    done = (await phone.consent(first)).json()
    assert (done["id"], done["status"], done["level"]) == (asked["id"], "posted", "A")
    assert await world.balance(f"shop:{shop.shop_id}") == 600_00


async def test_a_fresh_ceremony(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    first = (await pay(phone, await world.order(shop, 600_00))).json()
    world.later(seconds=30)
    again = await phone.post(f"/v1/payments/{first['id']}/ceremony")
    fresh = again.json()["requirement"]["ceremony"]
    assert fresh["id"] != first["requirement"]["ceremony"]["id"]
    assert (await phone.consent(again)).json()["status"] == "posted"
    late = await phone.post(f"/v1/payments/{first['id']}/ceremony")
    assert (late.json()["status"], late.json()["requirement"]) == ("posted", None)


async def test_a_ceremony_is_good_for_its_own_payment(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    dear = (await pay(phone, await world.order(shop, 900_00))).json()
    cheap = (await pay(phone, await world.order(shop, 600_00))).json()
    signed = phone.signed(cheap["requirement"]["ceremony"])
    answer = await phone.post(f"/v1/payments/{dear['id']}/confirm", signed)
    assert answer.status_code != 200 or answer.json()["status"] != "posted"
    assert await world.balance(f"shop:{shop.shop_id}") == 0


async def test_another_passkey_pays_nothing(phone: Phone, phones: Phones, world: World) -> None:
    _, shop = await open_shop(world)
    other = await phones()
    asked = (await pay(phone, await world.order(shop, 600_00))).json()
    signed = other.signed(asked["requirement"]["ceremony"])
    answer = await phone.post(f"/v1/payments/{asked['id']}/confirm", signed)
    refused(answer, 403, "passkey_refused")
    assert await world.balance(f"shop:{shop.shop_id}") == 0


async def test_the_same_key_pays_once(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    order, key = await world.order(shop, 23_00), str(uuid.uuid4())
    first, again = await pay(phone, order, key), await pay(phone, order, key)
    assert again.content == first.content
    assert await world.balance(wallet_of(phone).account_id) == 977_00
    by_you = refused(await pay(phone, order), 409, "order_paid")
    assert by_you["code"] == "order_paid"


async def test_an_answer_that_was_lost(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    order, key = await world.order(shop, 23_00), str(uuid.uuid4())
    phone.lose = 1
    with pytest.raises(AnswerLost):
        await pay(phone, order, key)
    assert (await pay(phone, order, key)).json()["status"] == "posted"
    assert await world.balance(f"shop:{shop.shop_id}") == 23_00


async def test_the_books_lose_their_answer(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    order, key = await world.order(shop, 23_00), str(uuid.uuid4())
    world.ledger.lost.add("post")
    refused(await pay(phone, order, key), 503, "payment_pending", "unknown")
    world.ledger.heal()
    assert (await pay(phone, order, key)).json()["status"] == "posted"
    assert await world.balance(f"shop:{shop.shop_id}") == 23_00


async def test_the_security_system_is_away(phone: Phone, world: World) -> None:
    _, shop = await open_shop(world)
    order = await world.order(shop, 23_00)
    world.risk.down = True
    assert (await pay(phone, order)).status_code == 503
    assert await world.balance(f"shop:{shop.shop_id}") == 0


async def test_what_is_refused(phone: Phone, phones: Phones, world: World) -> None:
    _, shop = await open_shop(world)
    poor = await phones()
    order = await world.order(shop, 23_00)
    other = {"order": order.order_id, "amount": yuan(22_00)}
    refused(await phone.post("/v1/payments", other), 409, "amount_changed")
    unknown = {"order": ids.new("ord"), "amount": yuan(1)}
    refused(await phone.post("/v1/payments", unknown), 404, "not_found")
    refused(await pay(poor, order), 422, "insufficient_balance")
    world.later(hours=1)
    refused(await pay(phone, order), 410, "order_expired")
    assert await world.balance(f"shop:{shop.shop_id}") == 0


async def test_ones_own_shop(phones: Phones, world: World) -> None:
    owner, shop = await open_shop(world)
    phone = await phones.of(owner)
    refused(await pay(phone, await world.order(shop, 23_00)), 409, "own_shop")


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
async def test_amounts_that_are_none(phone: Phone, world: World, amount: Any) -> None:
    body = {"order": ids.new("ord"), "amount": yuan(amount)}
    points_at(await phone.post("/v1/payments", body), "/amount/amount")


async def test_every_mistake_is_told_at_once(phone: Phone) -> None:
    body = {"order": "x", "amount": {"amount": "1", "currency": "USD"}, "tip": 5}
    answer = await phone.post("/v1/payments", body)
    for pointer in ("/order", "/amount/amount", "/amount/currency", "/tip"):
        points_at(answer, pointer)


async def test_anothers_payment_does_not_exist(phone: Phone, phones: Phones, world: World) -> None:
    owner, shop = await open_shop(world)
    asked = (await pay(phone, await world.order(shop, 600_00))).json()
    signed = phone.signed(asked["requirement"]["ceremony"])
    where = f"/v1/payments/{asked['id']}"
    for stranger in (await phones(balance=1), await phones.of(owner)):
        refused(await stranger.get(where), 404, "not_found")
        refused(await stranger.post(f"{where}/ceremony"), 404, "not_found")
        refused(await stranger.post(f"{where}/confirm", signed), 404, "not_found")
    for nonsense in ("pay_x", ids.new("pay"), ids.new("usr")):
        refused(await phone.get(f"/v1/payments/{nonsense}"), 404, "not_found")


async def test_the_module_dies_half_way(phone: Phone, world: World, payments: Line) -> None:
    _, shop = await open_shop(world)
    order, key = await world.order(shop, 23_00), str(uuid.uuid4())
    payments.crash_after.add("start")
    refused(await pay(phone, order, key), 500, "internal_error", "unknown")
    payments.heal()
    assert (await pay(phone, order, key)).json()["status"] == "posted"
    assert await world.balance(f"shop:{shop.shop_id}") == 23_00


async def test_a_quote_costs_nothing(phone: Phone, phones: Phones, world: World) -> None:
    _, shop = await open_shop(world)
    poor = await phones()
    order = await world.order(shop, 600_00)
    quote = await phone.done(phone.get(f"/v1/orders/{order.order_id}/quote"))
    assert quote["order"]["id"] == order.order_id
    assert (quote["requirement"]["takes"], quote["requirement"]["ceremony"]) == ("passkey", None)
    assert (quote["available"], quote["short"]) == (yuan(1_000_00), yuan(0))
    lacking = await poor.done(poor.get(f"/v1/orders/{order.order_id}/quote"))
    assert lacking["short"] == yuan(600_00)
    refused(await phone.get(f"/v1/orders/{ids.new('ord')}/quote"), 404, "not_found")
