"""The till of a shop over the JSON face."""

import pytest

from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import joined
from tests.phone import Phone
from tests.world import World

NOODLES = {"amount": {"amount": 23_00, "currency": "CNY"}, "note": "牛肉面"}


@pytest.fixture
async def keeper(phones: Phones) -> Phone:
    """Owns a shop, opened over the API, that pays no fees."""
    keeper = await phones("王老板")
    await keeper.done(keeper.post("/v1/shops", {"name": "老王面馆", "category": "food"}))
    return keeper


async def test_a_shop_and_its_seat(keeper: Phone) -> None:
    [seat] = (await keeper.done(keeper.get("/v1/seats")))["data"]
    assert (seat["shop"], seat["role"], seat["owner"]) == ("老王面馆", "owner", True)
    assert await keeper.done(keeper.post("/v1/seats", {"shop": seat["id"]})) == seat
    shop = await keeper.done(keeper.get("/v1/shop"))
    assert (shop["id"], shop["status"]) == (seat["id"], "open")
    closed = await keeper.done(keeper.post("/v1/shop/state", {"open": False}))
    assert closed["status"] == "closed"
    is_problem(await keeper.post("/v1/till/orders", NOODLES), 409, "shop_closed")
    is_problem(
        await keeper.post("/v1/shops", {"name": "二店", "category": "food"}), 409, "has_shop"
    )


async def test_a_code_for_the_customer(keeper: Phone, phone: Phone, world: World) -> None:
    order = await keeper.done(keeper.post("/v1/till/orders", NOODLES))
    assert (order["state"], order["final"], order["code"]) == ("open", False, "dynamic")
    assert order["address"].endswith(order["id"].partition("_")[2].upper())
    body = {"order_id": order["id"], "amount": NOODLES["amount"]}
    paid = await phone.consent(await phone.post("/v1/payments", body))
    assert paid.json()["status"] == "posted"
    seen = await keeper.done(keeper.get(f"/v1/till/orders/{order['id']}"))
    assert (seen["state"], seen["final"], seen["payment"]) == ("paid", True, paid.json()["id"])
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00 - 23_00
    shift = await keeper.done(keeper.get("/v1/till/shift"))
    assert (shift["amount"]["amount"], shift["count"]) == (23_00, 1)
    today = await keeper.done(keeper.get("/v1/shop/today"))
    assert today["today"]["amount"]["amount"] == 23_00
    assert today["last"][0]["id"] == order["id"]


async def test_an_order_taken_back(keeper: Phone, phone: Phone) -> None:
    order = await keeper.done(keeper.post("/v1/till/orders", NOODLES))
    gone = await keeper.done(keeper.post(f"/v1/till/orders/{order['id']}/cancel"))
    assert (gone["state"], gone["final"]) == ("cancelled", True)
    body = {"order_id": order["id"], "amount": NOODLES["amount"]}
    is_problem(await phone.post("/v1/payments", body), 410, "order_cancelled")


async def test_cashiers_see_their_own(keeper: Phone, phones: Phones) -> None:
    other = await joined(keeper, await phones("小李"), Role.CASHIER)
    order = await keeper.done(keeper.post("/v1/till/orders", NOODLES))
    is_problem(await other.get(f"/v1/till/orders/{order['id']}"), 404, "not_found")
    mine = await other.done(other.post("/v1/till/orders", NOODLES))
    seen = await keeper.done(keeper.get(f"/v1/till/orders/{mine['id']}"))
    assert seen["state"] == "open"
    is_problem(await other.get("/v1/shop/today"), 403, "permission_missing")
