"""More of `ways`: what takes a passkey there."""

import re
from typing import Any

import httpx

from backend.payments import Order
from tests.mobile_api.steps import yuan
from tests.mobile_api.ways import BIG_FEN, Act, Stage
from tests.web.pages.test_refunds import confirm

BIG_REFUND_FEN = 2_000_00
ACTION = re.compile(r'action="(/[\w/]+/confirmation)"')


async def page_sends_much(stage: Stage) -> None:
    guest, where = stage.payer.guest, f"/send/{stage.payee.wallet.person_id}"
    await guest.see(where)
    page = await guest.tap(where, {"delay": "0", "amount": "800", "note": "房租"})
    await guest.browser.ceremony(_action(page), guest.wallet.passkey)


async def page_gives_a_big_packet(stage: Stage) -> None:
    await stage.payer.guest.see("/packets/new")
    packet = {"kind": "equal", "cover": "classic", "amount": "200.00", "count": "4"}
    page = await stage.payer.guest.tap("/packets", packet)
    await confirm(stage.payer.guest, _action(page))


async def page_refunds_much(stage: Stage) -> None:
    where = f"/shop/orders/{(await _sold(stage)).order_id}/refund"
    await stage.keeper.guest.see(where)
    fields = {"extent": "whole", "amount": "", "reason": "退货"}
    page = await stage.keeper.guest.tap(where, fields)
    await confirm(stage.keeper.guest, _action(page))


async def phone_sends_much(stage: Stage) -> None:
    body = {"payee": stage.payee.wallet.person_id, "note": "房租"} | yuan(BIG_FEN)
    begun = await stage.payer.phone.api.create_transfer(body)
    await stage.payer.phone.agreed(begun, "confirm_transfer", transfer_id=begun["id"])


async def phone_gives_a_big_packet(stage: Stage) -> None:
    body = {"kind": "equal", "count": 4} | yuan(BIG_FEN)
    begun = await stage.payer.phone.api.create_red_packet(body)
    await stage.payer.phone.agreed(begun, "confirm_red_packet", packet_id=begun["id"])


async def phone_refunds_much(stage: Stage) -> None:
    ours: dict[str, Any] = {"order_id": (await _sold(stage)).order_id}
    body = {"reason": "退货"} | yuan(BIG_REFUND_FEN)
    begun = await stage.keeper.phone.api.create_shop_order_refund(body, **ours)
    ours |= {"refund_id": begun["id"]}
    await stage.keeper.phone.agreed(begun, "confirm_shop_order_refund", **ours)


SIGNED_PAIRS: tuple[tuple[Act, Act], ...] = (
    (page_sends_much, phone_sends_much),
    (page_gives_a_big_packet, phone_gives_a_big_packet),
    (page_refunds_much, phone_refunds_much),
)


async def _sold(stage: Stage) -> Order:
    order = await stage.world.order(stage.shop, BIG_REFUND_FEN)
    begun = await stage.payer.phone.api.create_payment(
        {"order": order.order_id} | yuan(BIG_REFUND_FEN)
    )
    await stage.payer.phone.agreed(begun, "confirm_payment", payment_id=begun["id"])
    return order


def _action(page: httpx.Response) -> str:
    found = ACTION.search(page.text)
    assert found, page.text
    return found[1]
