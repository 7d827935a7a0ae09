"""The sandbox bank pays out as it takes: once, signed, with habits, and only what it holds."""

import asyncio

import msgspec
import pytest

from backend import bankword, ids
from backend.sandbox.cards import number
from tests.sandbox.conftest import Said, Wallet
from tests.sandbox.test_bank import GOOD, Customer, customer, until

__all__ = ["customer"]  # a fixture


async def pay_out(bank: Customer, token: str, amount_fen: int, order_id: str) -> Said:
    status, body = await bank.post(
        "/payouts", order_id=order_id, token=token, person_id="mch_x", amount_fen=amount_fen
    )
    assert status == 200
    return msgspec.json.decode(body, type=Said)


async def holding(customer: Customer, amount_fen: int = 100_00) -> str:
    """The bank holds money for the wallet; a good card's token."""
    token = await customer.card(GOOD)
    assert (await customer.debit(token, amount_fen)).outcome == "paid"
    return token


async def test_a_payout_leaves_custody_once(customer: Customer, wallet: Wallet) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    said = await asyncio.gather(*(pay_out(customer, token, 40_00, order_id) for _ in range(6)))
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
    status, _ = await customer.post(
        "/payouts", order_id=order_id, token=token, person_id="mch_x", amount_fen=1
    )
    assert status == 409


async def test_no_more_than_it_holds(customer: Customer) -> None:
    token = await holding(customer)
    said = await pay_out(customer, token, 100_01, ids.new("pyo"))
    assert (said.outcome, said.reason) == ("refused", "custody")
    assert (await pay_out(customer, token, 100_00, ids.new("pyo"))).outcome == "paid"
    assert await customer.custody() == 0


@pytest.mark.parametrize(
    ("last4", "outcome", "custody"),
    [("0009", "refused", 100_00), ("0006", "pending", 100_00), ("0005", "paid", 0)],
)
async def test_habits_of_the_card(
    customer: Customer, last4: str, outcome: str, custody: int
) -> None:
    await holding(customer)
    token = await customer.card(number("622200", last4))
    assert (await pay_out(customer, token, 100_00, ids.new("pyo"))).outcome == outcome
    assert await customer.custody() == custody


async def test_an_ended_payout_is_never_paid(customer: Customer) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    order = {"order_id": order_id, "token": token, "person_id": "mch_x", "amount_fen": 5_00}
    assert (await customer.post("/orders/end", **order))[0] == 200
    assert (await pay_out(customer, token, 5_00, order_id)).outcome == "refused"
    assert await customer.custody() == 100_00


async def test_a_payout_is_nothing_to_give_back(customer: Customer) -> None:
    token, order_id = await holding(customer), ids.new("pyo")
    await pay_out(customer, token, 5_00, order_id)
    assert (await customer.post("/orders/refund", order_id=order_id))[0] == 422
    assert await customer.custody() == 95_00
