"""The balance over the JSON face."""

import httpx

from tests.mobile_api.conftest import Phones, wallet_of
from tests.phone import Phone
from tests.world import World


async def test_what_can_be_spent(phone: Phone, world: World) -> None:
    body = await phone.done(phone.get("/v1/balance"))
    assert body == {
        "object": "balance",
        "available": {"amount": 1_000_00, "currency": "CNY"},
        "frozen": {"amount": 0, "currency": "CNY"},
        "total": {"amount": 1_000_00, "currency": "CNY"},
        "stopped": False,
    }
    assert await world.balance(wallet_of(phone).account_id) == 1_000_00


async def test_a_new_wallet_is_empty(phones: Phones) -> None:
    body = await (await phones()).done((await phones()).get("/v1/balance"))
    assert body["available"]["amount"] == 0


async def test_nobody_has_no_balance(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/balance")).status_code == 401


async def test_the_books_are_away(phone: Phone, world: World) -> None:
    world.ledger.down = True
    answer = await phone.get("/v1/balance")
    assert answer.status_code == 503
    assert (answer.json()["code"], answer.json()["money_moved"]) == ("unavailable", "no")
