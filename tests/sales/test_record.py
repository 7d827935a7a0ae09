"""What is written, when it counts, and that nothing counts twice."""

import asyncio
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from backend.clock import FixedClock
from backend.db import TX
from backend.errors import NotFound
from backend.sales import SaleSum
from backend.sales.service import SalesService
from tests.sales.conftest import NOON, SHOP, order, record, refund, wanted

SINCE = datetime(2026, 11, 22, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)


async def summed(sales: SalesService, store_id: str = "") -> SaleSum:
    return await sales.between(SHOP, SINCE, UNTIL, store_id)


async def test_a_sale_is_written_with_the_change_or_not_at_all(sales: SalesService) -> None:
    with suppress(ZeroDivisionError):
        async with TX.transaction():
            await sales.record((order(status="paid"),))
            raise ZeroDivisionError
    assert (await sales.page(wanted(), "", 10)).sales == ()
    assert (await summed(sales)).count == 0
    with pytest.raises(AssertionError):
        await sales.record((order(),))


async def test_an_order_counts_once_it_is_paid_and_once_only(sales: SalesService) -> None:
    opened = order(store_id="sto_a", fee_fen=9)
    paid = msgspec.structs.replace(
        opened, status="paid", payment_id="pay_1", ended_at=NOON + timedelta(minutes=2)
    )
    await record(sales, opened)
    assert (await summed(sales)).count == 0
    for _ in range(3):
        await record(sales, paid)
    await record(sales, opened)
    assert await sales.sale(SHOP, opened.sale_id) == paid
    for store_id in ("", "sto_a"):
        found = await summed(sales, store_id)
        assert (found.count, found.amount_fen, found.fee_fen) == (1, 23_00, 9)
    assert (await summed(sales, "sto_b")).count == 0


async def test_refunds_count_when_they_succeed_and_show_on_their_order(sales: SalesService) -> None:
    paid = order(status="paid", store_id="sto_a", fee_fen=10)
    part = refund(paid, amount_fen=3_00, status="pending", fee_fen=1)
    done = msgspec.structs.replace(
        part, status="succeeded", ended_at=part.created_at + timedelta(seconds=3)
    )
    await record(sales, paid)
    await record(sales, part)
    assert (await sales.sale(SHOP, paid.sale_id)).refunded_fen == 0
    await record(sales, done)
    await record(sales, done, refund(paid, status="refused", amount_fen=20_00))
    await record(sales, refund(paid, amount_fen=20_00))
    first, *refunds = await sales.of_order(SHOP, paid.order_id)
    assert (first.status, first.refunded_fen) == ("paid", 23_00)
    assert [r.status for r in refunds] == ["succeeded", "refused", "succeeded"]
    found = await summed(sales, "sto_a")
    assert (found.refund_fen, found.refunds, found.returned_fee_fen) == (23_00, 2, 1)
    assert (found.amount_fen, found.fee_fen) == (23_00, 10)


async def test_tries_are_counted_on_the_order_and_in_the_quarter(
    sales: SalesService, clock: FixedClock
) -> None:
    opened = order(store_id="sto_a")
    await record(sales, opened)
    for _ in range(2):
        async with TX.transaction():
            await sales.refused(opened.order_id)
    async with TX.transaction():
        await sales.refused("ord_of_a_person")
    assert (await sales.sale(SHOP, opened.sale_id)).tries == 2
    assert (await summed(sales)).refused == 2
    assert (await summed(sales, "sto_a")).refused == 2


async def test_many_tills_at_once_lose_nothing_and_do_not_lock_up(sales: SalesService) -> None:
    paid = [order(status="paid", store_id=f"sto_{n % 3}") for n in range(60)]

    async def whole(number: int) -> None:
        await record(sales, paid[number])
        await record(sales, refund(paid[number], amount_fen=1_00))
        await record(sales, paid[number], refund(paid[number], amount_fen=2_00))

    await asyncio.gather(*(whole(number) for number in range(60)))
    found = await summed(sales)
    assert (found.count, found.refunds, found.refund_fen) == (60, 120, 180_00)
    stores = [await summed(sales, f"sto_{n}") for n in range(3)]
    assert sum(s.amount_fen for s in stores) == found.amount_fen == 60 * 23_00
    page = await sales.page(wanted(status="refunded"), "", 100)
    assert {sale.refunded_fen for sale in page.sales} == {3_00}


async def test_two_that_record_the_same_at_once_count_it_once(sales: SalesService) -> None:
    paid = order(status="paid")
    back = refund(paid, amount_fen=5_00)
    await record(sales, paid)
    await asyncio.gather(*(record(sales, paid, back) for _ in range(12)))
    found = await summed(sales)
    assert (found.count, found.refunds) == (1, 1)
    assert (await sales.sale(SHOP, paid.sale_id)).refunded_fen == 5_00


async def test_what_is_not_the_shops_is_not_found(sales: SalesService) -> None:
    paid = order(status="paid")
    back = refund(paid)
    await record(sales, paid, back)
    for call in (sales.sale("mch_other", paid.sale_id), sales.of_order("mch_other", paid.order_id)):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await sales.of_order(SHOP, back.sale_id)
    assert (await sales.page(wanted(shop_id="mch_other"), "", 10)).sales == ()
    assert await sales.hours("mch_other", SINCE, UNTIL) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "update sales.sale set amount_fen = 1",
        "update sales.sale set status = 'cancelled', refunded_fen = 0",
        "update sales.sale set refunded_fen = amount_fen + 1",
        "update sales.sale set refunded_fen = -1",
        "update sales.sale set shop_id = 'mch_thief'",
        "update sales.sale set ended_at = null",
    ],
)
async def test_the_database_itself_refuses(sales: SalesService, sql: str) -> None:
    await record(sales, order(status="paid"))
    with pytest.raises(asyncpg.PostgresError):
        await TX.query(sql)


async def test_the_service_role_can_not_delete(sales: SalesService) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await TX.query("delete from sales.sale")


async def test_tills_that_take_turns_share_a_row_and_those_that_meet_do_not(
    sales: SalesService,
) -> None:
    for _ in range(6):
        await record(sales, order(status="paid"))
    rows = await TX.query("select slot, count from sales.quarter")
    assert [(row["slot"], row["count"]) for row in rows] == [(0, 6)]
    writing, met = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with TX.transaction():
            await sales.record((order(status="paid"),))
            writing.set()
            await met.wait()

    task = asyncio.create_task(slow())
    await writing.wait()
    await record(sales, order(status="paid"))  # does not wait
    met.set()
    await task
    rows = await TX.query("select slot, count from sales.quarter order by slot")
    assert [(row["slot"], row["count"]) for row in rows] == [(0, 7), (1, 1)]


async def test_each_shop_of_a_batch_has_its_own_free_row(sales: SalesService) -> None:
    """Busy tills of one shop hold up no other that is written with it."""
    shops = ("mch_a", "mch_b")

    async def batch() -> None:
        await record(sales, *(order(shop_id=shop, status="paid") for shop in shops))

    await batch()
    async with TX.transaction():
        await sales.record((order(shop_id="mch_b", status="paid"),))
        await asyncio.create_task(batch(), context=Context())
    rows = await TX.query("select shop_id, slot, count from sales.quarter order by 1, 2")
    assert [tuple(row) for row in rows] == [("mch_a", 0, 2), ("mch_b", 0, 2), ("mch_b", 1, 1)]
