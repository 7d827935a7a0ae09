"""Starts that take a passkey, repeated with their key; and whose answers a key of staff brings."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backend.shop_roles import Role
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.social import befriend
from tests.mobile_api.steps import joined, keeper_of, let_go, paid, yuan
from tests.phone import Phone
from tests.world import World

KEY = "a-key-of-this-very-start"

Start = tuple[Phone, str, dict[str, Any]]


async def payment(phones: Phones) -> Start:
    keeper, payer = await keeper_of(phones), await phones(balance=5_000_00)
    order = await keeper.done(keeper.post("/v1/till/orders", yuan(2_000_00)))
    return payer, "/v1/payments", {"order": order["id"]} | yuan(2_000_00)


async def transfer(phones: Phones) -> Start:
    payer, payee = await phones(balance=5_000_00), await phones("Boris")
    await befriend(payer, payee)
    return payer, "/v1/transfers", {"payee": payee.person_id} | yuan(2_000_00)


async def packet(phones: Phones) -> Start:
    body = {"kind": "equal", "count": 6} | yuan(900_00)
    return await phones(balance=5_000_00), "/v1/red-packets", body


async def refund(phones: Phones) -> Start:
    keeper, payer = await keeper_of(phones), await phones(balance=5_000_00)
    order = await paid(keeper, payer, 3_000_00)
    where = f"/v1/shop/orders/{order['id']}/refunds"
    return keeper, where, {"reason": "退货"} | yuan(2_000_00)


@pytest.mark.parametrize("start", [payment, transfer, packet, refund])
async def test_a_start_asked_again_finds_the_same_thing_and_a_live_ceremony(
    start: Callable[[Phones], Awaitable[Start]], phones: Phones, world: World
) -> None:
    who, where, body = await start(phones)
    first = (await who.post(where, body, KEY)).json()
    assert first["requirement"]["takes"] == "passkey", first
    world.later(minutes=3)  # its ceremony is dead
    again = await who.post(where, body, KEY)
    assert again.json()["id"] == first["id"]
    assert again.json()["requirement"]["ceremony"]["id"] != (first["requirement"]["ceremony"]["id"])
    done = await who.consent(again)
    assert done.is_success, done.text
    assert done.json()["requirement"] is None
    kept = await who.post(where, body, KEY)
    assert (kept.status_code, kept.json()["id"]) == (201, first["id"])
    assert kept.json()["requirement"] is None
    last = await who.post(where, body, KEY)
    assert last.content == kept.content
    assert last.headers["idempotent-replayed"] == "true"


async def test_a_key_of_staff_belongs_to_the_shop_they_act_for(phones: Phones) -> None:
    """After changing the seat the same key is another one."""
    one, other = await keeper_of(phones), await keeper_of(phones, "李老板", "小李茶馆")
    await joined(one, other, Role.MANAGER)
    first = await other.done(other.post("/v1/till/orders", yuan(23_00), KEY))
    assert (await other.post("/v1/till/orders", yuan(23_00), KEY)).json() == first
    seats = (await other.done(other.get("/v1/seats")))["data"]
    [own] = [seat["id"] for seat in seats if seat["owner"]]
    await other.done(other.post("/v1/seats", {"shop": own}))
    there = await other.done(other.post("/v1/till/orders", yuan(23_00), KEY))
    assert there["id"] != first["id"]


async def test_who_lost_the_role_gets_no_kept_answer(phones: Phones) -> None:
    owner, member = await keeper_of(phones), await phones("小张")
    await joined(owner, member, Role.MANAGER)
    await member.done(member.post("/v1/till/orders", yuan(23_00), KEY))
    await let_go(owner, member)
    answer = await member.post("/v1/till/orders", yuan(23_00), KEY)
    is_problem(answer, answer.status_code, "no_shop")


async def test_an_invitation_asked_for_again_has_a_new_link(phones: Phones) -> None:
    owner = await keeper_of(phones)
    shop = (await owner.done(owner.get("/v1/shop")))["id"]
    asked = {"role": "cashier"} | await owner.approved(f"invite_member:{shop}:cashier:all")
    one, two = [
        await owner.done(owner.post("/v1/shop/staff/invitations", asked, KEY)) for _ in range(2)
    ]
    assert one["id"] == two["id"]
    assert one["secret"] != two["secret"]
