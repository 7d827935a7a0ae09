"""A batch per shop and day, once, paid to the card; and what it says is what the books say."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from backend.errors import BadRequest, NotFound
from backend.settlement import rules
from tests.settlement.conftest import Shop, Street


async def owed(street: Street, shop: Shop) -> int:
    """What the pages promise: unpaid of closed days and sales since."""
    return (await street.settlement.next(shop.shop_id)).net_fen


async def test_a_day_is_paid_on_the_next(street: Street) -> None:
    shop = await street.shop("1001")
    first = await street.sell(shop, 100_00, 38)
    await street.sell(shop, 50_00, 19)
    await street.refund(shop, first, 40_00, 15)
    day = street.today
    coming = await street.settlement.next(shop.shop_id)
    assert (coming.net_fen, coming.due_on) == (109_58, day + timedelta(days=1))
    assert coming.card_last4 == "1001"
    await street.settle()
    assert await street.batches(shop) == ()  # the day is not over

    street.at(1, days=1)
    await street.settle()
    [batch] = await street.batches(shop)
    assert (batch.day, batch.due_on) == (day, day + timedelta(days=1))
    assert (batch.amount_fen, batch.count, batch.fee_fen) == (150_00, 2, 57)
    assert (batch.refund_fen, batch.refunds, batch.returned_fee_fen) == (40_00, 1, 15)
    assert (batch.carried_fen, batch.net_fen, batch.books_fen) == (0, 109_58, 109_58)
    assert (batch.status, batch.paid_fen, batch.card_last4) == ("paid", 109_58, "1001")
    assert batch.paid_at is not None
    assert await street.on_card("1001") == 109_58
    assert await street.world.balance(shop.account) == 0
    assert await street.settlement.batch(shop.shop_id, batch.batch_id) == batch
    with pytest.raises(NotFound):
        await street.settlement.batch("mch_other", batch.batch_id)


async def test_nothing_is_closed_before_one_in_the_morning(street: Street) -> None:
    shop = await street.shop()
    await street.sell(shop, 10_00)
    street.at(0, 59, days=1)
    await street.settle(1)
    assert await street.batches(shop) == ()
    street.at(1)
    await street.settle(1)
    assert len(await street.batches(shop)) == 1


async def test_the_boundary_of_a_day_is_exact(street: Street) -> None:
    shop = await street.shop()
    street.at(23, 59)
    street.world.clock.move(timedelta(seconds=59, microseconds=999_999))
    await street.sell(shop, 1_00)
    street.world.clock.move(timedelta(microseconds=1))
    await street.sell(shop, 20_00)
    street.at(2, days=1)
    await street.settle()
    second, first = await street.batches(shop)
    assert (first.amount_fen, second.amount_fen) == (1_00, 20_00)
    assert second.day - first.day == timedelta(days=1)
    assert (second.carried_fen, second.books_fen) == (1_00, 21_00)


async def test_without_a_card_it_waits_and_is_carried(street: Street) -> None:
    shop = await street.shop()
    await street.sell(shop, 10_00)
    street.at(12, days=1)
    await street.sell(shop, 5_00)
    street.at(12, days=1)
    await street.settle()
    second, first = await street.batches(shop)
    assert (first.status, first.carried_into) == ("waiting", second.batch_id)
    assert (second.status, second.carried_fen, second.net_fen) == ("waiting", 10_00, 15_00)
    assert await owed(street, shop) == 15_00
    await street.choose(shop, await street.card(shop.owner, "1002"))
    await street.settle()
    second, first = await street.batches(shop)
    assert (first.status, second.status) == ("waiting", "paid")
    assert await street.on_card("1002") == 15_00


async def test_days_without_sales_make_no_batch(street: Street) -> None:
    shop = await street.shop("1003")
    street.at(12, days=5)
    await street.settle()
    assert await street.batches(shop) == ()


async def test_a_day_below_zero_reduces_the_next(street: Street) -> None:
    shop = await street.shop("1004")
    sale = await street.sell(shop, 100_00)
    street.at(12, days=1)
    await street.settle()
    other = await street.sell(shop, 30_00)
    street.at(12, days=1)
    await street.settle()
    await street.sell(shop, 20_00)  # so that there is money for the refund
    await street.refund(shop, other, 15_00)
    street.at(12, days=1)
    await street.settle()
    assert [b.net_fen for b in await street.batches(shop)] == [5_00, 30_00, 100_00]
    assert sale.amount_fen == 100_00
    # The day's only movement: a refund out of what came in after midnight.
    street.at(0, 30, days=1)
    sold = await street.sell(shop, 50_00)
    street.at(23)
    await street.refund(shop, sold, 50_00)
    street.at(12, days=1)
    await street.settle()
    newest = (await street.batches(shop))[0]
    assert (newest.net_fen, newest.status, newest.sent_fen) == (0, "waiting", 0)
    assert await street.on_card("1004") == 135_00
    assert await street.world.balance(shop.account) == 0


async def test_a_late_refund_is_never_paid_out_of_the_air(street: Street) -> None:
    """Given back after midnight, before the batch: less is there than the day's net."""
    shop = await street.shop("1005")
    sale = await street.sell(shop, 100_00)
    day = street.today
    street.at(0, 10, days=1)
    await street.refund(shop, sale, 30_00)
    street.at(1, 0)
    await street.settle()
    [batch] = await street.batches(shop)
    assert (batch.day, batch.net_fen, batch.books_fen) == (day, 100_00, 100_00)
    assert (batch.status, batch.sent_fen, batch.paid_fen) == ("paid", 70_00, 70_00)
    assert await owed(street, shop) == await street.world.balance(shop.account) == 0
    street.at(12, days=1)
    await street.settle()
    newest = (await street.batches(shop))[0]
    assert (newest.refund_fen, newest.carried_fen, newest.net_fen) == (30_00, 30_00, 0)
    assert await street.on_card("1005") == 70_00


@pytest.mark.parametrize("last4", ["0002", "0004", "0009"])
async def test_what_the_bank_refuses_is_part_of_the_next(street: Street, last4: str) -> None:
    shop = await street.shop(last4)
    await street.sell(shop, 10_00)
    street.at(1, days=1)
    await street.settle()
    await asyncio.sleep(0.6)  # a bank that hangs decides in its own time
    await street.settle(1)
    [batch] = await street.batches(shop)
    assert batch.status == "returned"
    assert batch.refusal_code in {"card_funds", "card_blocked", "payout_refused"}
    assert await street.world.balance(shop.account) == 10_00
    await street.choose(shop, await street.card(shop.owner, "1006"))
    street.at(1, days=1)
    await street.settle()
    newest, old = await street.batches(shop)
    assert (newest.count, newest.carried_fen, newest.status) == (0, 10_00, "paid")
    assert old.carried_into == newest.batch_id
    assert await street.on_card("1006") == 10_00


async def test_a_silent_bank_holds_up_nothing_and_ends(street: Street) -> None:
    shop, other = await street.shop("0006"), await street.shop("1007")
    for one in (shop, other):
        await street.sell(one, 10_00)
    street.at(1, days=1)
    await street.settle(1)
    [late], [quick] = await street.batches(shop), await street.batches(other)
    assert (late.status, quick.status) == ("on_its_way", "paid")
    assert await owed(street, shop) == 0
    await street.sell(shop, 3_00)
    street.at(1, days=1)
    await asyncio.sleep(0.6)
    await street.settle()
    newest, oldest = await street.batches(shop)
    assert oldest.status == "paid"
    assert (newest.carried_fen, newest.net_fen) == (0, 3_00)


async def test_a_worker_that_was_away_for_days_makes_each_day_once(street: Street) -> None:
    shop = await street.shop("1008")
    await street.settle()
    for days in range(6):
        await street.sell(shop, 10_00 + days)
        street.at(12, days=1)
    street.at(12, days=3)
    await street.settle()
    batches = await street.batches(shop)
    assert [b.amount_fen for b in batches] == [10_00 + days for days in reversed(range(6))]
    assert len({b.day for b in batches}) == 6
    assert [b.status for b in batches] == ["paid"] + 5 * ["waiting"]
    assert batches[0].net_fen == batches[0].paid_fen == 60_15 == await street.on_card("1008")


async def test_two_workers_make_and_pay_each_batch_once(street: Street) -> None:
    shops = [await street.shop(f"101{n}") for n in range(4)]
    for shop in shops:
        await street.sell(shop, 10_00)
    street.at(12, days=1)
    for _ in range(3):
        await asyncio.gather(*(street.settlement.sweep() for _ in range(4)))
    for n, shop in enumerate(shops):
        [batch] = await street.batches(shop)
        assert batch.status == "paid"
        assert await street.on_card(f"101{n}") == 10_00


async def test_sales_noted_after_their_day_come_into_the_next_batch(street: Street) -> None:
    shop = await street.shop("1020")
    await street.sell(shop, 10_00)
    street.at(1, days=1)
    await street.settle()
    now = street.world.clock.at
    street.world.clock.at = now - timedelta(hours=3)  # one that the sweeper has just found out
    await street.sell(shop, 7_00)
    street.world.clock.at = now + timedelta(minutes=5)
    street.at(12, days=1)
    await street.settle()
    newest, old = await street.batches(shop)
    assert (old.amount_fen, old.paid_fen) == (10_00, 10_00)
    assert (newest.count, newest.carried_fen, newest.paid_fen) == (0, 7_00, 7_00)
    street.at(12, days=1)
    await street.settle()
    assert len(await street.batches(shop)) == 2


async def test_a_list_of_batches_has_pages(street: Street) -> None:
    shop = await street.shop()
    for _ in range(5):
        await street.sell(shop, 1_00)
        street.at(12, days=1)
    await street.settle()
    first, cursor = await street.settlement.batches(shop.shop_id, "", 2)
    second, cursor = await street.settlement.batches(shop.shop_id, cursor, 2)
    third, end = await street.settlement.batches(shop.shop_id, cursor, 2)
    assert (len(first), len(second), len(third), end) == (2, 2, 1, "")
    days = [b.day for b in (*first, *second, *third)]
    assert days == sorted(set(days), reverse=True)
    for wrong in (("mch_other", cursor, 2), (shop.shop_id, "x", 2), (shop.shop_id, "", 0)):
        with pytest.raises(BadRequest):
            await street.settlement.batches(*wrong)


async def test_only_the_owner_chooses_and_only_own_bound_cards(street: Street) -> None:
    shop, other = await street.shop(), await street.shop()
    card = await street.card(other.owner, "1030")
    for owner in (shop.owner, other.owner):
        with pytest.raises(NotFound):
            await street.settlement.choose_card(shop.shop_id, owner.person_id, card.card_id)


FORBIDDEN = [
    "update settlement.batch set status = 'waiting', payout_id = '', sent_fen = 0, paid_fen = 0, "
    "paid_at = null",
    "update settlement.batch set net_fen = net_fen + 1",
    "update settlement.batch set amount_fen = amount_fen + 1, net_fen = net_fen + 1",
    "update settlement.batch set sent_fen = 1, paid_fen = 1",
    "update settlement.batch set payout_id = 'pyo_other'",
    "update settlement.batch set shop_id = 'mch_other'",
    "delete from settlement.batch",
    "truncate settlement.batch",
    "insert into settlement.batch (batch_id, shop_id, day, amount_fen, count, fee_fen, refund_fen, "
    "refunds, returned_fee_fen, carried_fen, net_fen, books_fen, due_on, created_at) "
    "select 'stl_other', shop_id, day, 0, 0, 0, 0, 0, 0, 0, 0, 0, due_on, created_at "
    "from settlement.batch",
]


async def test_the_service_role_may_not(street: Street) -> None:
    shop = await street.shop("1040")
    await street.sell(shop, 10_00)
    street.at(12, days=1)
    await street.settle()
    assert (await street.batches(shop))[0].status == "paid"
    connection = await asyncpg.connect(street.world.settings.tx_url)
    for sql in FORBIDDEN:
        with pytest.raises(asyncpg.PostgresError):
            await connection.execute(sql)
    await connection.close()


def test_days_are_the_banks() -> None:
    """24 hours each; Shanghai has had no daylight saving time since 1991."""
    for month in range(1, 13):
        day = date(2026, month, 1)
        assert rules.end_of(day) - rules.start_of(day) == timedelta(hours=24)
        assert rules.day_of(rules.start_of(day)) == day
        assert rules.day_of(rules.end_of(day) - timedelta(microseconds=1)) == day
