"""Refunds received over the JSON face, and asking the shop for one."""

import uuid

import pytest

from backend import ids
from backend.merchant import GiveBack
from tests.mobile_api.conftest import Phones, wallet_of
from tests.mobile_api.money import open_shop, pay, points_at, refused, yuan
from tests.phone import Phone
from tests.world import Wallet, World


async def give_back(world: World, owner: Wallet, payment_id: str, fen: int) -> None:
    await world.services.merchant.refund(
        await world.services.merchant.seat(owner.person_id),
        GiveBack(
            refund_id=ids.new("rfd"),
            payment_id=payment_id,
            amount_fen=fen,
            reason="少一碗",
            device_secret=owner.device_secret,
        ),
    )


async def test_what_came_back(phone: Phone, world: World) -> None:
    owner, shop = await open_shop(world)
    payment_id = (await pay(phone, await world.order(shop, 23_00))).json()["id"]
    where = f"/v1/bills/{payment_id}/refunds"
    assert (await phone.done(phone.get(where)))["data"] == []
    await give_back(world, owner, payment_id, 8_00)
    await give_back(world, owner, payment_id, 5_00)
    rows = (await phone.done(phone.get(where)))["data"]
    assert [(row["amount"], row["status"]) for row in rows] == [
        (yuan(8_00), "posted"),
        (yuan(5_00), "posted"),
    ]
    assert rows[0]["reason"] == "少一碗"
    detail = await phone.done(phone.get(f"/v1/bills/{payment_id}"))
    assert detail["bill"]["refunded"] == yuan(13_00)
    assert [step["kind"] for step in detail["steps"]][-2:] == ["refunded", "refunded"]
    assert await world.balance(wallet_of(phone).account_id) == 990_00


async def test_asking_the_shop(phone: Phone, world: World) -> None:
    owner, shop = await open_shop(world)
    payment_id = (await pay(phone, await world.order(shop, 23_00))).json()["id"]
    where, key = f"/v1/bills/{payment_id}/refund-requests", str(uuid.uuid4())
    refused(await phone.get(f"{where}/latest"), 404, "not_found")
    asked = await phone.done(phone.post(where, {"reason": "点错了"}, key))
    assert (asked["status"], asked["amount"], asked["payment"]) == ("open", yuan(23_00), payment_id)
    assert await phone.done(phone.post(where, {"reason": "点错了"}, key)) == asked
    assert await phone.done(phone.get(f"{where}/latest")) == asked
    refused(await phone.post(where, {"reason": "再问"}), 409, "refund_asked")
    [request] = await world.services.merchant.refund_requests(
        await world.services.merchant.seat(owner.person_id)
    )
    assert (request.request_id, request.reason) == (asked["id"], "点错了")
    detail = await phone.done(phone.get(f"/v1/bills/{payment_id}"))
    assert (detail["refund_request"]["id"], detail["may_ask_refund"]) == (asked["id"], False)
    await give_back(world, owner, payment_id, 23_00)
    assert (await phone.done(phone.get(f"{where}/latest")))["status"] == "granted"


async def test_others_ask_for_nothing(phone: Phone, phones: Phones, world: World) -> None:
    owner, shop = await open_shop(world)
    payment_id = (await pay(phone, await world.order(shop, 23_00))).json()["id"]
    where = f"/v1/bills/{payment_id}/refund-requests"
    for stranger in (await phones(), await phones.of(owner)):
        refused(await stranger.post(where, {"reason": "我的钱"}), 404, "not_found")
        refused(await stranger.get(f"{where}/latest"), 404, "not_found")


@pytest.mark.parametrize("reason", ["", "x" * 201, 5, None])
async def test_reasons_that_are_none(phone: Phone, reason: object) -> None:
    where = f"/v1/bills/{ids.new('pay')}/refund-requests"
    points_at(await phone.post(where, {"reason": reason}), "/reason")


@pytest.mark.parametrize("reason", ["  ", "a\u202eb", "a\nb"])
async def test_reasons_that_hide(phone: Phone, reason: str) -> None:
    where = f"/v1/bills/{ids.new('pay')}/refund-requests"
    refused(await phone.post(where, {"reason": reason}), 400, "bad_request")
