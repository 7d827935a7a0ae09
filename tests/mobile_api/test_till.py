"""The till of a shop over the JSON face."""

import pytest

from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import joined, yuan
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
    body = {"order": order["id"], "amount": NOODLES["amount"]}
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
    body = {"order": order["id"], "amount": NOODLES["amount"]}
    is_problem(await phone.post("/v1/payments", body), 410, "order_cancelled")


async def test_cashiers_see_their_own(keeper: Phone, phones: Phones) -> None:
    other = await joined(keeper, await phones("小李"), Role.CASHIER)
    order = await keeper.done(keeper.post("/v1/till/orders", NOODLES))
    is_problem(await other.get(f"/v1/till/orders/{order['id']}"), 404, "not_found")
    mine = await other.done(other.post("/v1/till/orders", NOODLES))
    seen = await keeper.done(keeper.get(f"/v1/till/orders/{mine['id']}"))
    assert seen["state"] == "open"
    is_problem(await other.get("/v1/shop/today"), 403, "permission_missing")


async def code_of(payer: Phone) -> str:
    shown = await payer.done(payer.post("/v1/payment-codes"))
    return str(shown["code"])


async def test_a_payment_code_is_charged(keeper: Phone, phone: Phone, world: World) -> None:
    code = await code_of(phone)
    spaced = f"{code[:4]} {code[4:9]} {code[9:]}"
    body, key = NOODLES | {"pay_code": spaced}, "till-1-receipt-17"
    done = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (done["state"], done["final"], done["code"], done["address"]) == (
        "paid",
        True,
        "shown",
        "",
    )
    again = await keeper.post("/v1/till/charges", body, key)
    assert again.json() == done
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00 - 23_00
    is_problem(await keeper.post("/v1/till/charges", body), 409, "pay_code_invalid")


async def test_a_customer_is_asked_and_the_till_asks_again(keeper: Phone, phone: Phone) -> None:
    """Above the free amount: the same key tells the truth of the moment until there is an end."""
    body, key = {"pay_code": await code_of(phone)} | yuan(800_00), "till-1-receipt-18"
    asked = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (asked["state"], asked["final"]) == ("user_paying", False)
    assert (await keeper.done(keeper.post("/v1/till/charges", body, key)))["id"] == asked["id"]
    [waiting] = (await phone.done(phone.get("/v1/payments/asked")))["data"]
    pay = {"order": waiting["order"]["id"]} | yuan(800_00)
    await phone.consent(await phone.post("/v1/payments", pay))
    truth = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (truth["id"], truth["state"], truth["final"]) == (asked["id"], "paid", True)


async def test_a_payment_that_is_refused_is_an_end(keeper: Phone, phones: Phones) -> None:
    poor = await phones("小穷")
    body = {"pay_code": await code_of(poor)} | yuan(23_00)
    failed = await keeper.done(keeper.post("/v1/till/charges", body))
    assert (failed["state"], failed["final"]) == ("failed", True)
    assert failed["refusal"] == "insufficient_balance"


async def test_what_the_books_never_answered(keeper: Phone, phone: Phone, world: World) -> None:
    """Unknown, and not kept: asked again with the same key it is paid, once."""
    body, key = {"pay_code": await code_of(phone)} | yuan(23_00), "till-1-receipt-19"
    world.ledger.lost.add("post")
    unknown = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (unknown["state"], unknown["final"]) == ("unknown", False)
    world.ledger.heal()
    world.later(seconds=29)
    assert (await keeper.done(keeper.post("/v1/till/charges", body, key)))["state"] == "paid"
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00 - 23_00


async def test_what_the_books_answered_too_late(keeper: Phone, phone: Phone, world: World) -> None:
    """The till has waited for 30 s: it goes back by itself, and the same key tells that it has."""
    body, key = {"pay_code": await code_of(phone)} | yuan(23_00), "till-1-receipt-20"
    world.ledger.lost.add("post")
    await keeper.done(keeper.post("/v1/till/charges", body, key))
    world.ledger.heal()
    world.later(seconds=30)
    await world.services.payments.sweep()
    going = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (going["state"], going["final"]) == ("unknown", False)
    world.later(seconds=10)
    await world.services.payments.sweep()
    back = await keeper.done(keeper.post("/v1/till/charges", body, key))
    assert (back["state"], back["final"]) == ("reversed", True)
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00
    where = f"/v1/shop/orders/{back['id']}/refunds"
    given_back = await keeper.done(keeper.get(where))
    [refund] = given_back["refunds"]
    assert (refund["staff"], refund["reversal"], refund["status"]) == (None, True, "posted")
    assert given_back["left"]["amount"] == 0
    assert await keeper.done(keeper.get(f"{where}/{refund['id']}")) == refund


TOO_SLOW = {
    "en": "We were too slow, so nothing was charged.",
    "zh-CN": "系统响应太慢，所以没有收款。",
}


@pytest.mark.parametrize("language", TOO_SLOW)
async def test_a_till_is_told_who_was_slow(
    keeper: Phone, phone: Phone, world: World, language: str
) -> None:
    """Nobody was asked: it was not the customer."""
    body = {"pay_code": await code_of(phone)} | yuan(23_00)
    world.risk.lost.add("authorize")
    is_problem(await keeper.post("/v1/till/charges", body), 503, "risk_unavailable")
    world.risk.heal()
    world.later(seconds=30)
    await world.services.payments.sweep()
    [order] = (await keeper.done(keeper.get("/v1/till/shift")))["last"]
    await world.services.identity.set_language(wallet_of(keeper).person_id, language)
    ended = await keeper.done(keeper.get(f"/v1/till/orders/{order['id']}"))
    assert (ended["state"], ended["refusal"]) == ("failed", "payment_abandoned")
    assert TOO_SLOW[language] in ended["told"]


async def test_the_till_gives_up(keeper: Phone, phone: Phone, world: World) -> None:
    """What was paid goes back whole, once; a moment must have passed."""
    body = {"pay_code": await code_of(phone)} | yuan(23_00)
    order = await keeper.done(keeper.post("/v1/till/charges", body))
    where = f"/v1/till/orders/{order['id']}/reverse"
    is_problem(await keeper.post(where), 503, "reversal_too_soon")
    world.later(seconds=16)
    for _ in range(2):
        assert (await keeper.done(keeper.post(where)))["state"] == "reversed"
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00


@pytest.mark.parametrize("read", ["134567890123456789", "2812345678901234567", "a" * 20])
async def test_what_is_no_payment_code(keeper: Phone, read: str) -> None:
    body = {"pay_code": read} | yuan(1_00)
    is_problem(await keeper.post("/v1/till/charges", body), 409, "pay_code_invalid")
