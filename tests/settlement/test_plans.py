"""What the database does for the settlement page of a big shop with years of batches: little."""

from datetime import timedelta

import asyncpg
import pytest

from backend.settings import Settings
from backend.settlement import rules
from tests.bench.big_sales import fill
from tests.plans import nodes, watched
from tests.settlement.conftest import Street

ORDERS, SHOPS, BUSY, DAYS = 50_000, 2_000, 200, 400

# Many shops, some with a batch a day for a year; the newest of each is still on its way.
_SHOPS = """
insert into settlement.shop (shop_id, owner_id, closed_to, filed_to)
select 'mch_' || n, 'usr_' || n, $1, $1 from generate_series(1, $2::int) as n
"""
_BATCHES = """
insert into settlement.batch (batch_id, shop_id, day, amount_fen, count, fee_fen, refund_fen,
    refunds, returned_fee_fen, carried_fen, net_fen, status, payout_id, sent_fen, paid_fen,
    books_fen, due_on, created_at, paid_at)
select 'stl_' || shop_id || '_' || day, shop_id, day, 100, 1, 0, 0, 0, 0, 0, 100,
    case when n = 0 then 'on_its_way' else 'paid' end, 'pyo_' || shop_id || '_' || n, 100,
    case when n = 0 then 0 else 100 end, 100, day + 1, now(), case when n = 0 then null else now()
    end
from (select shop_id from settlement.shop order by length(shop_id) desc limit $3) as busy,
    generate_series(0, $2::int - 1) as n, lateral (select $1::date - n as day) d
"""


async def test_the_page_reads_by_index_what_it_shows(
    street: Street, databases: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await street.shop("1001")
    yesterday = street.today - timedelta(days=1)
    owner = await asyncpg.connect(databases.tx_owner_url)
    await owner.execute("update settlement.shop set closed_to = $1", yesterday)
    await owner.execute(_SHOPS, yesterday, SHOPS)
    await owner.execute(_BATCHES, yesterday, DAYS, BUSY)
    await owner.execute("analyze settlement.shop, settlement.batch")
    await owner.close()
    await fill(databases.tx_owner_url, shop.shop_id, ORDERS, street.world.clock.now())

    plans = watched(monkeypatch)
    settlement, sales = street.settlement, street.world.services.sales
    batches, more = await settlement.batches(shop.shop_id, "", 20)
    assert (len(batches), bool(more)) == (20, True)
    older, _ = await settlement.batches(shop.shop_id, more, 20)
    assert older[0].day == batches[-1].day - timedelta(days=1)
    coming = await settlement.next(shop.shop_id)
    assert coming.net_fen > 0
    chosen = await settlement.batch(shop.shop_id, batches[3].batch_id)
    ends = rules.start_of(chosen.day), rules.end_of(chosen.day)
    assert len(await sales.hours(shop.shop_id, *ends)) == 24

    read = [node for plan in plans for node in nodes(plan) if "Relation Name" in node]
    assert {node["Relation Name"] for node in read} == {"batch", "shop", "quarter"}
    for node in read:
        assert node["Node Type"] != "Seq Scan", node
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        assert seen <= _most(node["Relation Name"]), node


def _most(table: str) -> int:
    """Rows of one reading: a page of batches and one more; a day of quarters, two slots each."""
    return {"batch": 21, "shop": 1, "quarter": 24 * 4 * 2}[table]


async def test_what_is_coming_is_the_same_by_sums_and_by_rows(street: Street) -> None:
    """Whole quarters are added up without their rows; a moment more, and the rows join in."""
    shop = await street.shop("1001")
    first = await street.sell(shop, 100_00, 38)
    await street.refund(shop, first, 40_00, 15)
    begins, ends = rules.start_of(street.today), rules.end_of(street.today)
    sales = street.world.services.sales
    whole = await sales.between(shop.shop_id, begins, ends)
    within = await sales.between(
        shop.shop_id, begins + timedelta(microseconds=1), ends - timedelta(microseconds=1)
    )
    names = ("amount_fen", "count", "fee_fen", "refund_fen", "refunds", "returned_fee_fen")
    assert [getattr(whole, n) for n in names] == [getattr(within, n) for n in names]
    assert rules.net_of(whole) == (await street.settlement.next(shop.shop_id)).net_fen == 59_77
