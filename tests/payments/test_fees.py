"""The schedule of fees: data, the most exact line in force, kept by the order."""

import asyncpg
import pytest

from backend import ids
from backend.db import TX
from backend.payments import OpenOrder
from tests.payments.till import a_till
from tests.world import World


async def test_a_shop_pays_what_the_schedule_says(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    order = await world.order(till.shop, 23_00)
    assert order.fee_fen == 7  # 0.30 % is 6.9 fen
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    assert paid.fee_fen == 7
    assert await till.balance() == 22_93
    assert await world.balance("fee:income") == 7
    assert await world.balance(payer.account_id) == 77_00
    sale = await world.services.sales.sale(till.shop.shop_id, order.order_id)
    bill = await world.services.bills.bill(till.owner.person_id, paid.payment_id)
    assert (sale.fee_fen, bill.fee_fen, bill.amount_fen) == (7, 7, 23_00)


async def test_the_most_exact_line_in_force_counts(world: World) -> None:
    till = await a_till(world, fees=True)
    fees = world.services.payments.fees

    async def in_force() -> list[tuple[str, int, str]]:
        return [(r.product, r.bps, r.shop_id) for r in await fees(till.shop.shop_id)]

    general = [("dynamic", 30, ""), ("shown", 30, ""), ("static", 20, "")]
    assert await in_force() == general
    await world.fee(till.shop, bps=25)
    shop_id = till.shop.shop_id
    of_any = [("dynamic", 25, shop_id), ("shown", 25, shop_id), ("static", 25, shop_id)]
    assert await in_force() == of_any
    await world.fee(till.shop, bps=10, product="static", since="-2 days")
    assert (await in_force())[2] == ("static", 10, shop_id)
    await world.fee(till.shop, bps=5, since="1 hour")
    assert (await in_force())[0] == ("dynamic", 25, shop_id)
    world.later(hours=1)
    assert (await in_force())[0] == ("dynamic", 5, shop_id)
    assert [r.bps for r in await fees(ids.new("mch"))] == [30, 30, 20]


async def test_a_line_ends(world: World, owner_of_tables: asyncpg.Connection) -> None:
    await owner_of_tables.execute(
        "update payments.fee set until = $1 where product = 'static'", world.clock.now()
    )
    products = [rule.product for rule in await world.services.payments.fees("mch_x")]
    assert products == ["dynamic", "shown"]


async def test_an_order_keeps_the_fee_it_was_opened_with(world: World) -> None:
    till, payer = await a_till(world, fees=True), await world.person(100_00)
    order = await world.order(till.shop, 23_00)
    await world.fee(till.shop, bps=5_000)
    assert (await world.order(till.shop, 23_00)).fee_fen == 11_50
    paid = (await world.services.payments.start(world.paying(payer, order))).payment
    assert paid.fee_fen == 7


@pytest.mark.parametrize(
    ("amount", "low", "high", "fee"),
    [(100_00, 0, None, 1_00), (1_00, 10, None, 10), (5, 10, None, 5), (1_000_00, 0, 3_00, 3_00)],
)
async def test_fees_have_bounds_and_are_never_above_the_amount(
    world: World,
    owner_of_tables: asyncpg.Connection,
    amount: int,
    low: int,
    high: int | None,
    fee: int,
) -> None:
    till = await a_till(world, fees=True)
    await owner_of_tables.execute(
        "insert into payments.fee (shop_id, since, bps, min_fen, max_fen)"
        " values ($1, $2, 100, $3, $4)",
        till.shop.shop_id,
        world.clock.now(),
        low,
        high,
    )
    assert (await world.order(till.shop, amount)).fee_fen == fee


async def test_people_pay_no_fee(world: World) -> None:
    payee = await world.person()
    order = await world.services.payments.open_order(
        OpenOrder(
            order_id=ids.new("ord"),
            payee_id=payee.person_id,
            owner_id=payee.person_id,
            payee_name="*娜",
            amount_fen=100_00,
        )
    )
    assert order.fee_fen == 0


async def test_who_takes_fees_does_not_set_them(world: World) -> None:
    for sql in (
        "update payments.fee set bps = 9000",
        "insert into payments.fee (since, bps) values (now(), 1)",
        "delete from payments.fee",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await TX.query(sql)
    assert world.services.payments is not None
