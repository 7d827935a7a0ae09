"""Every write of the contract that moves money, made ready without a fault, to be asked again.

ask = await ACTS["create_payment"].ready(cast)
answer = await ask()        # the same write every time: body and Idempotency-Key
"""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from backend import ids
from backend.merchant import Shop
from tests.mobile_api.conftest import Phones
from tests.mobile_api.social import send_packet
from tests.mobile_api.steps import keeper_of, paid, yuan
from tests.mobile_api.test_cards import bind
from tests.phone import Phone
from tests.world import World

BIG_FEN = 800_00  # takes a passkey
BIG_REFUND_FEN = 2_000_00  # does too
REVERSED_AFTER_S = 16

Ask = Callable[[], Awaitable[httpx.Response]]


class Cast(msgspec.Struct):
    world: World
    payer: Phone
    payee: Phone  # a friend
    keeper: Phone
    shop: Shop
    card: str  # the payer's


class Act(msgspec.Struct, frozen=True):
    """postings: in the books, of the whole act."""

    ready: Callable[[Cast], Awaitable[Ask]]
    postings: int = 1


@pytest.fixture
async def cast(phones: Phones, world: World) -> Cast:
    keeper, payee = await keeper_of(phones), await phones("小博")
    payer = await phones("安娜", balance=20_000_00)
    friends = world.services.friends
    await friends.ask(ids.new("frq"), payer.person_id, await friends.link(payee.person_id), "")
    await friends.accept(payee.person_id, payer.person_id)
    [seat] = (await keeper.api.list_seats())["data"]
    shop = await world.services.merchant.shop(seat["id"])
    return Cast(world, payer, payee, keeper, shop, (await bind(payer, world))["id"])


async def pays(on: Cast) -> Ask:
    order = await on.keeper.api.create_till_order(yuan(23_00))
    return asks(on.payer, "create_payment", {"order": order["id"]} | yuan(23_00))


async def pays_with_the_passkey(on: Cast) -> Ask:
    order = await on.keeper.api.create_till_order(yuan(BIG_FEN))
    asked = await on.payer.api.create_payment({"order": order["id"]} | yuan(BIG_FEN))
    signed = on.payer.signed(asked["requirement"]["ceremony"])
    return asks(on.payer, "confirm_payment", signed, payment_id=asked["id"])


async def sends(on: Cast) -> Ask:
    return asks(on.payer, "create_transfer", {"payee": on.payee.person_id} | yuan(8_00))


async def sends_with_the_passkey(on: Cast) -> Ask:
    body = {"payee": on.payee.person_id} | yuan(BIG_FEN)
    asked = await on.payer.api.create_transfer(body)
    signed = on.payer.signed(asked["requirement"]["ceremony"])
    return asks(on.payer, "confirm_transfer", signed, transfer_id=asked["id"])


async def recalls(on: Cast) -> Ask:
    body = {"payee": on.payee.person_id, "delay_hours": 24} | yuan(8_00)
    begun = await on.payer.api.create_transfer(body)
    sent = await on.payer.agreed(begun, "confirm_transfer", transfer_id=begun["id"])
    return asks(on.payer, "recall_transfer", transfer_id=sent["id"])


async def gives_a_packet(on: Cast) -> Ask:
    return asks(on.payer, "create_red_packet", {"kind": "equal"} | yuan(10_00))


async def gives_a_packet_with_the_passkey(on: Cast) -> Ask:
    asked = await on.payer.api.create_red_packet({"kind": "equal", "count": 4} | yuan(BIG_FEN))
    signed = on.payer.signed(asked["requirement"]["ceremony"])
    return asks(on.payer, "confirm_red_packet", signed, packet_id=asked["id"])


async def opens_a_packet(on: Cast) -> Ask:
    packet_id = await send_packet(on.payer, 10_00, 1)
    return asks(on.payee, "open_red_packet", {}, packet_id=packet_id)


async def charges(on: Cast) -> Ask:
    code = (await on.payer.api.create_payment_code())["code"]
    return asks(on.keeper, "charge_payment_code", {"pay_code": code} | yuan(23_00))


async def reverses(on: Cast) -> Ask:
    charged = await (await charges(on))()
    on.world.later(seconds=REVERSED_AFTER_S)
    return asks(on.keeper, "reverse_till_order", order_id=charged.json()["id"])


async def refunds(on: Cast) -> Ask:
    order = await paid(on.keeper, on.payer)
    body = {"reason": "少一份"} | yuan(10_00)
    return asks(on.keeper, "create_shop_order_refund", body, order_id=order["id"])


async def refunds_with_the_passkey(on: Cast) -> Ask:
    order = await paid(on.keeper, on.payer, BIG_REFUND_FEN)
    body, ours = {"reason": "退货"} | yuan(BIG_REFUND_FEN), {"order_id": order["id"]}
    asked = await on.keeper.api.create_shop_order_refund(body, **ours)
    signed = on.keeper.signed(asked["requirement"]["ceremony"])
    ours |= {"refund_id": asked["id"]}
    return asks(on.keeper, "confirm_shop_order_refund", signed, **ours)


async def tops_up(on: Cast) -> Ask:
    return asks(on.payer, "create_topup", {"card": on.card} | yuan(100_00))


async def withdraws(on: Cast) -> Ask:
    body = {"card": on.card, "speed": "instant"} | yuan(30_00)
    begun = await on.payer.api.create_withdrawal(body)
    signed = on.payer.signed(begun["requirement"]["ceremony"])
    return asks(on.payer, "confirm_withdrawal", signed, withdrawal_id=begun["id"])


# What the bank does with a card stands in the books twice: there, and on its way.
ACTS = {
    "create_payment": Act(pays),
    "confirm_payment": Act(pays_with_the_passkey),
    "create_transfer": Act(sends),
    "confirm_transfer": Act(sends_with_the_passkey),
    "recall_transfer": Act(recalls),
    "create_red_packet": Act(gives_a_packet),
    "confirm_red_packet": Act(gives_a_packet_with_the_passkey),
    "open_red_packet": Act(opens_a_packet),
    "charge_payment_code": Act(charges),
    "reverse_till_order": Act(reverses),
    "create_shop_order_refund": Act(refunds),
    "confirm_shop_order_refund": Act(refunds_with_the_passkey),
    "create_topup": Act(tops_up, postings=2),
    "confirm_withdrawal": Act(withdraws, postings=2),
}


def asks(phone: Phone, operation: str, body: object = None, **ids: Any) -> Ask:
    """The same write every time."""
    key = str(uuid.uuid4())

    async def ask() -> httpx.Response:
        return await phone.api.answer(operation, body, key=key, **ids)

    return ask
