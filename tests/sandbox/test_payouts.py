"""The sandbox bank pays out as it takes: once, signed, with habits, and only what it holds."""

import asyncio

import msgspec
import pytest

from backend import bankword, ids
from backend.bankleave import LEAVE_LIFE_MS, Leave, Order
from backend.sandbox.cards import number
from backend.settings import Settings
from tests.leaves import leave_for
from tests.sandbox.conftest import Said, Wallet
from tests.sandbox.test_bank import GOOD, Customer, customer, until

__all__ = ["customer"]  # a fixture


@pytest.fixture
def payer(customer: Customer, places: Settings) -> "Payer":
    return Payer(customer, places)


class Payer:
    """Asks the bank to pay out, with the security system's leave."""

    def __init__(self, customer: Customer, settings: Settings) -> None:
        self.customer, self.settings = customer, settings

    async def ask(self, order: Order, leave: Leave | None) -> tuple[int, bytes]:
        shown = {} if leave is None else {"leave": msgspec.to_builtins(leave)}
        return await self.customer.post(
            "/payouts",
            order_id=order.order_id,
            token=order.token,
            person_id=order.owner_id,
            amount_fen=order.amount_fen,
            **shown,
        )

    async def pay_out(self, token: str, amount_fen: int, order_id: str) -> Said:
        order = Order(order_id, token, "mch_x", amount_fen)
        status, body = await self.ask(order, leave_for(self.settings, order))
        assert status == 200
        return msgspec.json.decode(body, type=Said)


async def holding(customer: Customer, amount_fen: int = 100_00) -> str:
    """The bank holds money for the wallet; a good card's token."""
    token = await customer.card(GOOD)
    assert (await customer.debit(token, amount_fen)).outcome == "paid"
    return token


async def test_a_payout_leaves_custody_once(
    customer: Customer, payer: Payer, wallet: Wallet
) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    said = await asyncio.gather(*(payer.pay_out(token, 40_00, order_id) for _ in range(6)))
    assert {s.outcome for s in said} == {"paid"}
    assert await customer.custody() == 60_00
    assert said[0].word is not None
    statement = bankword.parse(said[0].word[0])
    assert statement is not None
    assert (statement.order_id, statement.person_id, statement.outcome) == (
        order_id,
        "mch_x",
        "paid",
    )
    assert await customer.find(order_id) == said[0]

    async def told() -> bool:
        return len(wallet.words) == 2  # the debit and the payout

    await until(told)
    other = Order(order_id, token, "mch_x", 1)
    status, _ = await payer.ask(other, leave_for(payer.settings, other))
    assert status == 409


async def test_nothing_is_paid_out_without_leave_for_exactly_this(
    customer: Customer, payer: Payer
) -> None:
    """Whoever sits in the wallet's transaction system may ask for anything."""
    token, thief = await holding(customer), await customer.card(number("622200", "1234"))
    order = Order(ids.new("pyo"), token, "mch_x", 40_00)
    good = leave_for(payer.settings, order)
    for wrong in (
        msgspec.structs.replace(order, token=thief),
        msgspec.structs.replace(order, amount_fen=40_01),
        msgspec.structs.replace(order, order_id=ids.new("pyo")),
        msgspec.structs.replace(order, owner_id="mch_y"),
    ):
        status, body = await payer.ask(wrong, good)
        assert (status, msgspec.json.decode(body)["reason"]) == (422, "leave")
        assert await customer.find(wrong.order_id) is None
    to_thief = msgspec.structs.replace(good.statement, token=thief)
    swapped = msgspec.structs.replace(order, token=thief)
    forged = msgspec.structs.replace(good, statement=to_thief)
    stranger = leave_for(payer.settings, swapped, published=False)
    late = leave_for(payer.settings, swapped, age_ms=LEAVE_LIFE_MS)
    for leave in (forged, stranger, late):
        status, body = await payer.ask(swapped, leave)
        assert (status, msgspec.json.decode(body)["reason"]) == (422, "leave")
    assert (await payer.ask(order, None))[0] == 400
    assert await customer.custody() == 100_00
    assert (await payer.ask(order, good))[0] == 200
    assert await customer.custody() == 60_00


async def test_no_more_than_it_holds(customer: Customer, payer: Payer) -> None:
    token = await holding(customer)
    said = await payer.pay_out(token, 100_01, ids.new("pyo"))
    assert (said.outcome, said.reason) == ("refused", "custody")
    assert (await payer.pay_out(token, 100_00, ids.new("pyo"))).outcome == "paid"
    assert await customer.custody() == 0


@pytest.mark.parametrize(
    ("last4", "outcome", "custody"),
    [("0009", "refused", 100_00), ("0006", "pending", 100_00), ("0005", "paid", 0)],
)
async def test_habits_of_the_card(
    customer: Customer, payer: Payer, last4: str, outcome: str, custody: int
) -> None:
    await holding(customer)
    token = await customer.card(number("622200", last4))
    assert (await payer.pay_out(token, 100_00, ids.new("pyo"))).outcome == outcome
    assert await customer.custody() == custody


async def test_an_ended_payout_is_never_paid(customer: Customer, payer: Payer) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    order = {"order_id": order_id, "token": token, "person_id": "mch_x", "amount_fen": 5_00}
    assert (await customer.post("/orders/end", **order))[0] == 200
    assert (await payer.pay_out(token, 5_00, order_id)).outcome == "refused"
    assert await customer.custody() == 100_00


async def test_a_payout_is_nothing_to_give_back(customer: Customer, payer: Payer) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    await payer.pay_out(token, 5_00, order_id)
    assert (await customer.post("/orders/refund", order_id=order_id))[0] == 422
    assert await customer.custody() == 95_00
