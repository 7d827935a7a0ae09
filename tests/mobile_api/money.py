"""What tests of a consumer's money share: a shop to pay, amounts, refusals."""

from typing import Any

import httpx

from backend.merchant import Shop
from backend.payments import Order
from tests.phone import Phone
from tests.world import Wallet, World

BAD_AMOUNTS: list[Any] = [0, -1, 1.5, "100", 10**10 + 1, 10**30, True, None, [], {}]


async def open_shop(world: World) -> tuple[Wallet, Shop]:
    """An owner and their shop, which pays no fees."""
    owner = await world.person(name="老王")
    return owner, await world.shop(owner)


def yuan(fen: Any) -> dict[str, Any]:
    return {"amount": fen, "currency": "CNY"}


async def pay(phone: Phone, order: Order, key: str | None = None) -> httpx.Response:
    body = {"order": order.order_id, "amount": yuan(order.amount_fen)}
    return await phone.post("/v1/payments", body, key)


def refused(answer: httpx.Response, status: int, code: str, moved: str = "no") -> dict[str, Any]:
    """It is that problem, and it is told as one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert (body["code"], body["money_moved"]) == (code, moved)
    return body


def points_at(answer: httpx.Response, pointer: str) -> None:
    """The body was refused, and for this field."""
    pointers = [error["pointer"] for error in refused(answer, 400, "invalid_request")["errors"]]
    assert pointer in pointers, answer.text
