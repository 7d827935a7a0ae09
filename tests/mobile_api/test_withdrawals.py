"""Withdrawals over the JSON face: asked, agreed with the passkey, once, and what is refused."""

import uuid
from typing import Any

import pytest

from backend import ids
from backend.banking import CONFIRM_LIFE
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import BAD_AMOUNTS, points_at, refused, yuan
from tests.mobile_api.test_cards import bind
from tests.phone import Phone
from tests.web.pages.conftest import bank_world
from tests.world import World

__all__ = ["bank_world"]

MONEY = 1_000_00


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    return await phones()


async def with_money(phone: Phone, world: World) -> str:
    """A bound card, and money from it; the card's id."""
    card = await bind(phone, world)
    asked = {"card": card["id"], "amount": yuan(MONEY)}
    assert (await phone.done(phone.post("/v1/topups", asked)))["status"] == "posted"
    return str(card["id"])


def wanted(card_id: str, fen: Any = 300_00, speed: str = "instant") -> dict[str, Any]:
    return {"card": card_id, "amount": yuan(fen), "speed": speed}


async def test_quoted_begun_and_confirmed(phone: Phone, world: World) -> None:
    card_id = await with_money(phone, world)
    quote = await phone.done(phone.get("/v1/withdrawals/quote", amount="30000"))
    assert (quote["available"], quote["limit_each"]) == (yuan(MONEY), yuan(50_000_00))
    instant, next_day = quote["speeds"]
    assert (instant["speed"], instant["fee"], instant["on_card"]) == (
        "instant",
        yuan(0),
        yuan(300_00),
    )
    assert next_day["handed_over"].endswith("T01:00:00.000Z")  # nine in the morning in China
    assert instant["arrives_by"] < next_day["arrives_by"]
    begun = await phone.post("/v1/withdrawals", wanted(card_id))
    made = begun.json()
    assert (begun.status_code, made["status"], made["requirement"]["takes"]) == (
        201,
        "created",
        "passkey",
    )
    assert await world.balance(wallet_of(phone).account_id) == MONEY
    done = (await phone.consent(begun)).json()
    assert (done["status"], done["card"], done["requirement"]) == ("paid", card_id, None)
    assert await world.balance(wallet_of(phone).account_id) == MONEY - 300_00
    assert await phone.done(phone.get(f"/v1/withdrawals/{made['id']}")) == done
    listed = await phone.done(phone.get("/v1/withdrawals"))
    assert (listed["data"], listed["has_more"]) == ([done], False)
    bill = await phone.done(phone.get(f"/v1/bills/{made['id']}"))
    assert (bill["bill"]["kind"], bill["bill"]["status"]) == ("withdrawal", "succeeded")
    limits = await phone.done(phone.get("/v1/limits"))
    used = {limit["name"]: limit["used"] for limit in limits["data"]}
    assert used["withdraw_instant"] == yuan(300_00)


async def test_the_same_key_withdraws_once(phone: Phone, world: World) -> None:
    card_id = await with_money(phone, world)
    key, again = str(uuid.uuid4()), str(uuid.uuid4())
    begun = await phone.post("/v1/withdrawals", wanted(card_id), key)
    same = await phone.post("/v1/withdrawals", wanted(card_id), key)
    assert same.json()["id"] == begun.json()["id"]
    where = f"/v1/withdrawals/{begun.json()['id']}/confirm"
    signed = phone.signed(begun.json()["requirement"]["ceremony"])
    first = await phone.post(where, signed, again)
    assert first.json()["status"] == "paid"
    assert (await phone.post(where, signed, again)).json() == first.json()
    assert (await phone.post(where, signed)).json() == first.json()
    assert await world.balance(wallet_of(phone).account_id) == MONEY - 300_00


async def test_the_same_again_brings_a_live_ceremony(phone: Phone, world: World) -> None:
    card, key = await with_money(phone, world), str(uuid.uuid4())
    first = (await phone.post("/v1/withdrawals", wanted(card), key)).json()
    world.later(minutes=3)
    again = await phone.post("/v1/withdrawals", wanted(card), key)
    assert again.json()["id"] == first["id"]
    assert again.json()["requirement"]["ceremony"] != first["requirement"]["ceremony"]
    assert (await phone.consent(again)).json()["requirement"] is None
    kept = await phone.post("/v1/withdrawals", wanted(card), key)
    assert (kept.json()["id"], kept.json()["requirement"]) == (first["id"], None)
    last = await phone.post("/v1/withdrawals", wanted(card), key)
    assert (last.content, last.headers["idempotent-replayed"]) == (kept.content, "true")


async def test_a_fresh_ceremony_for_the_same(phone: Phone, world: World) -> None:
    card_id = await with_money(phone, world)
    begun = await phone.post("/v1/withdrawals", wanted(card_id, speed="next_day"))
    where = f"/v1/withdrawals/{begun.json()['id']}"
    fresh = await phone.post(f"{where}/ceremony")
    before = begun.json()["requirement"]["ceremony"]["id"]
    assert fresh.json()["requirement"]["ceremony"]["id"] != before
    assert (await phone.consent(fresh)).json()["status"] == "posted"
    assert (await phone.post(f"{where}/ceremony")).json()["requirement"] is None
    assert await world.balance(wallet_of(phone).account_id) == MONEY - 300_00


async def test_what_is_refused(phone: Phone, world: World, phones: Phones) -> None:
    card_id = await with_money(phone, world)
    post = phone.post
    low = refused(await post("/v1/withdrawals", wanted(card_id, MONEY + 1)), 422, "balance_too_low")
    assert "1,000.00" in low["detail"]
    unknown = wanted(ids.new("crd"))
    refused(await post("/v1/withdrawals", unknown), 404, "not_found")
    await world.fund(wallet_of(phone), 60_000_00)
    over = wanted(card_id, 10_000_01)
    refused(await post("/v1/withdrawals", over), 403, "limit_exceeded")
    over = wanted(card_id, 50_000_01, "next_day")
    refused(await post("/v1/withdrawals", over), 403, "limit_exceeded")
    begun = (await post("/v1/withdrawals", wanted(card_id))).json()
    other = await phones("Ben")
    refused(await other.get(f"/v1/withdrawals/{begun['id']}"), 404, "not_found")
    refused(await other.post(f"/v1/withdrawals/{begun['id']}/ceremony"), 404, "not_found")
    refused(await post("/v1/withdrawals/pay_x/ceremony"), 404, "not_found")
    world.clock.move(CONFIRM_LIFE)
    await phone.refresh()
    late = await post(f"/v1/withdrawals/{begun['id']}/ceremony")
    refused(late, 410, "withdrawal_lapsed")


async def test_what_is_malformed(phone: Phone) -> None:
    card_id = ids.new("crd")
    for amount in BAD_AMOUNTS:
        points_at(await phone.post("/v1/withdrawals", wanted(card_id, amount)), "/amount/amount")
    points_at(await phone.post("/v1/withdrawals", wanted(card_id, speed="soon")), "/speed")
    points_at(await phone.post("/v1/withdrawals", wanted("x")), "/card")
    for amount in ("-1", "x", str(10**13)):
        answer = await phone.get("/v1/withdrawals/quote", amount=amount)
        assert answer.status_code == 400, answer.text
    refused(await phone.get("/v1/withdrawals", cursor="x"), 400, "bad_request")


async def test_frozen_nothing_leaves(phone: Phone, world: World) -> None:
    card_id = await with_money(phone, world)
    begun = (await phone.post("/v1/withdrawals", wanted(card_id))).json()
    signed = phone.signed(begun["requirement"]["ceremony"])
    await phone.done(phone.post("/v1/freeze"))
    refused(await phone.post(f"/v1/withdrawals/{begun['id']}/confirm", signed), 403, "payer_frozen")
    refused(await phone.post("/v1/withdrawals", wanted(card_id)), 403, "payer_frozen")
    assert await world.balance(wallet_of(phone).account_id) == MONEY
