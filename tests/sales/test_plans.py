"""What the database does for each list of a big shop: down one index, and never far."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from backend.clock import FixedClock
from backend.errors import BadRequest
from backend.sales import SaleFilter, search
from backend.sales.service import SalesService
from backend.settings import Settings
from tests.bench.big_sales import fill
from tests.plans import nodes, watched

BIG, ORDERS = "mch_big", 50_000
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
YEAR = SaleFilter(shop_id=BIG, since=NOW - timedelta(days=366), until=NOW)
FILTERS: dict[str, dict[str, object]] = {
    "all": {},
    "paid": {"status": "paid"},
    "expired": {"status": "expired"},
    "pending": {"status": "pending"},  # there is none
    "refunded": {"status": "refunded"},
    "refunds": {"kind": "refund"},
    "store": {"store_id": "sto_" + "3".rjust(26, "0")},
    "terminal": {"terminal_id": "trm_" + "7".rjust(26, "0")},
    "staff": {"actor_id": "usr_" + "5".rjust(26, "0")},
    "nobody": {"actor_id": "usr_nobody"},
    "staff's refunds": {"actor_id": "usr_" + "5".rjust(26, "0"), "kind": "refund"},
    "amount": {"min_fen": 400_00, "max_fen": 410_00},
    "common word": {"text": "外带"},
    "rare word": {"text": "稀客"},
    "number": {"text": "ord_0" + "41234".rjust(25, "0")},
    "selection": {"sale_ids": tuple("ord_0" + str(n).rjust(25, "0") for n in range(100, 600))},
    "an hour": {"since": NOW - timedelta(hours=1)},
    "another shop": {"shop_id": "mch_small"},
}


@pytest.fixture
async def sales(databases: Settings) -> SalesService:
    await fill(databases.tx_owner_url, BIG, ORDERS, NOW)
    return SalesService(FixedClock(NOW))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return watched(monkeypatch)


def scans(plans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        node
        for plan in plans
        for node in nodes(plan)
        if node.get("Relation Name") == "sale" or "Bitmap Index" in node["Node Type"]
    ]


def check(plans: list[dict[str, Any]], most: int) -> None:
    assert plans
    for node in scans(plans):
        assert node["Node Type"] != "Seq Scan", node
        loops = node["Actual Loops"]
        seen = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * loops
        assert seen <= most, node


async def test_lists_walk_an_index_and_look_at_few_rows(
    sales: SalesService, plans: list[dict[str, Any]]
) -> None:
    for name, changes in FILTERS.items():
        asked = msgspec.structs.replace(YEAR, **changes)
        plans.clear()
        page = await sales.page(asked, "", 50)
        check(plans, search.LOOKED_AT + 1)
        if name in ("all", "paid", "expired", "refunds", "store", "terminal", "staff"):
            check(plans, 500)
            assert len(page.sales) == 50, name
        if page.next_cursor:  # far down, a page costs the same
            plans.clear()
            await sales.page(asked, page.next_cursor, 50)
            check(plans, search.LOOKED_AT + 1)


async def test_totals_count_few_rows_or_none(
    sales: SalesService, plans: list[dict[str, Any]]
) -> None:
    for changes in FILTERS.values():
        plans.clear()
        with suppress(BadRequest):
            await sales.total(msgspec.structs.replace(YEAR, **changes))
        check(plans, 2 * search.COUNTED)  # all of few, or the first of many


async def test_the_rest_looks_where_it_must(
    sales: SalesService, plans: list[dict[str, Any]]
) -> None:
    order_id = "ord_0" + str(40_000).rjust(25, "0")
    assert len(await sales.of_order(BIG, order_id)) == 2
    assert len(await sales.latest(BIG, 10)) == 10
    await sales.between(BIG, NOW - timedelta(hours=7, minutes=7), NOW)
    check(plans, 200)
    plans.clear()
    chunk = await anext(aiter(sales.stream(YEAR)))
    assert len(chunk) == 1000
    check(plans, 1100)
    plans.clear()
    await sales.hours(BIG, NOW - timedelta(days=30), NOW)
    for plan in plans:
        assert all(node["Node Type"] != "Seq Scan" for node in nodes(plan))
