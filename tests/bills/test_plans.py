"""What the database does for the searches of somebody with many bills: never far."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from backend.bills import BillFilter, search
from backend.bills.service import BillsService
from backend.settings import Settings
from tests.plans import nodes, watched

BIG, BILLS = "usr_big", 50_000
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
NUMBER = "0" + "41234".rjust(25, "0")
CASES: dict[str, dict[str, object]] = {
    "all": {},
    "kind": {"kind": "transfer"},
    "rare kind": {"kind": "packet_return"},
    "pending": {"status": "pending"},  # there is none
    "refused": {"status": "refused"},
    "refunded": {"status": "refunded"},
    "in": {"direction": "in"},
    "amount": {"min_fen": 400_00, "max_fen": 410_00},
    "common word": {"text": "面馆"},
    "rare word": {"text": "稀客"},
    "own note": {"text": "妈妈"},
    "number": {"text": f"pay_{NUMBER}"},
    "order": {"text": f"ord_{NUMBER}"},
    "a month": {"since": NOW - timedelta(days=60), "until": NOW - timedelta(days=30)},
    "category": {"category": "food"},
    "all at once": {"kind": "payment", "status": "refunded", "text": "面", "direction": "out"},
}

_FILL = """
insert into bills.bill (person_id, bill_id, kind, direction, counterparty, amount_fen, fee_fen,
    refunded_fen, status, method, note, order_id, event_at, refusal_code)
select $1, 'pay_0' || lpad(n::text, 25, '0'),
    case when n % 9000 = 5 then 'packet_return' when n % 7 = 0 then 'transfer' else 'payment' end,
    case when n % 5 = 0 then 'in' else 'out' end,
    (array['老王面馆', '小丽奶茶', '国强五金'])[1 + n % 3],
    100 + n::bigint * 7919 % 48000, 0, case when n % 40 = 3 then 50 else 0 end,
    case when n % 90 = 1 then 'refused' else 'succeeded' end, 'balance',
    case when n % 20000 = 7 then '稀客' else '' end, 'ord_0' || lpad(n::text, 25, '0'),
    $3::timestamptz - n * interval '9 minutes', ''
from generate_series(1, $2::int) n
"""
_LABELS = """
insert into bills.label (person_id, bill_id, category, note, event_at)
select person_id, bill_id, 'food', case when counterparty = '老王面馆' then '和妈妈' else '' end,
    event_at from bills.bill where (person_id = $1) = (substr(bill_id, 30)::int = 3)
"""


@pytest.fixture
async def bills(databases: Settings) -> BillsService:
    owner = await asyncpg.connect(databases.tx_owner_url)
    await owner.execute(_FILL, BIG, BILLS, NOW)
    for other in range(20):
        await owner.execute(_FILL, f"usr_{other}", 500, NOW)
    await owner.execute(_LABELS, BIG)
    await owner.execute("vacuum analyze bills.bill, bills.label")
    await owner.close()
    return BillsService()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return watched(monkeypatch)


async def test_searches_walk_an_index_and_look_at_few_rows(
    bills: BillsService, plans: list[dict[str, Any]]
) -> None:
    for name, wanted in CASES.items():
        plans.clear()
        asked = BillFilter(person_id=BIG, **wanted)  # type: ignore[arg-type]
        await bills.search(asked, "", 20)
        await bills.sums(asked, ("2026-10", "2026-11"))
        assert plans
        for plan in plans:
            for node in nodes(plan):
                if "Relation Name" not in node and "Bitmap Index" not in node["Node Type"]:
                    continue
                assert node["Node Type"] != "Seq Scan", (name, node)
                removed = node.get("Rows Removed by Filter", 0)
                seen = (node["Actual Rows"] + removed) * node["Actual Loops"]
                assert seen <= search.LOOKED_AT, (name, node)


async def test_every_search_comes_to_its_end(bills: BillsService) -> None:
    rare = BillFilter(person_id=BIG, text="稀客")
    found = [b.bill_id async for piece in bills.stream(rare) for b in piece]
    assert [int(bill_id[5:]) for bill_id in found] == [7, 20007, 40007]
    food = BillFilter(person_id=BIG, category="food")
    count = sum([len(piece) async for piece in bills.stream(food)])
    assert count == sum(1 for n in range(1, BILLS + 1) if str(n).rjust(25, "0")[24:] == "3")
