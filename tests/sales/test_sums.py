"""Sums equal the rows they are of, whatever the zone; and the person's own views."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import ids
from backend.errors import BadRequest, NotFound
from backend.sales import MAX_VIEWS, Sale, SavedView
from backend.sales.service import SalesService
from tests.sales.conftest import NOON, SHOP, order, record, refund

START = datetime(2026, 10, 24, tzinfo=UTC)
DAYS = 3  # a change of the clocks in Berlin in the middle


def local_day(zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    after = day + timedelta(days=1)
    ends = datetime(after.year, after.month, after.day, tzinfo=zone)
    return begins.astimezone(UTC), ends.astimezone(UTC)


moments = st.integers(0, DAYS * 86_400).map(lambda s: START + timedelta(seconds=s))
lines = st.lists(
    st.tuples(
        moments,
        st.integers(1, 500_00),
        st.sampled_from(["", "sto_a", "sto_b"]),
        st.sampled_from(["paid", "open", "expired"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines, st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"]), moments)
async def test_sums_equal_the_rows_in_every_zone(
    sales: SalesService, given: list[tuple[datetime, int, str, str, int]], zone: str, cut: datetime
) -> None:
    shop_id, rows = ids.new("mch"), []
    for at, amount, store_id, status, refunds in given:
        sale = order(
            shop_id=shop_id, created_at=at, amount_fen=amount, store_id=store_id, status=status,
            fee_fen=amount // 100,
        )  # fmt: skip
        rows.append(sale)
        if status == "paid" and amount >= refunds > 0:
            rows += [refund(sale, amount_fen=1) for _ in range(refunds)]
    await record(sales, *rows)
    place = ZoneInfo(zone)
    for day in (date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)):
        since, until = local_day(place, day)
        hours = await sales.hours(shop_id, since, until)
        assert sum(h.amount_fen for h in hours) == taken(rows, since, until)
        assert all((h.at - since) % timedelta(hours=1) == timedelta() for h in hours)
        days = await sales.days(shop_id, since, until, zone)
        assert [d.at for d in days] == ([since] if hours else [])
        assert sum(d.amount_fen for d in days) == sum(h.amount_fen for h in hours)
        for store_id in ("", "sto_a"):
            found = await sales.between(shop_id, since, cut, store_id)
            assert found.amount_fen == taken(rows, since, cut, store_id)
            back = [r for r in ended(rows, since, cut, store_id) if r.kind == "refund"]
            assert (found.refunds, found.refund_fen) == (len(back), len(back))


def ended(rows: list[Sale], since: datetime, until: datetime, store_id: str = "") -> list[Sale]:
    return [
        row
        for row in rows
        if row.status in ("paid", "succeeded")
        and row.ended_at is not None
        and since <= row.ended_at < until
        and store_id in ("", row.store_id)
    ]


def taken(rows: list[Sale], since: datetime, until: datetime, store_id: str = "") -> int:
    return sum(r.amount_fen for r in ended(rows, since, until, store_id) if r.kind == "order")


async def test_hours_begin_at_a_quarter(sales: SalesService) -> None:
    day = timedelta(days=1)
    with pytest.raises(BadRequest):
        await sales.hours(SHOP, NOON + timedelta(minutes=1), NOON + day)
    with pytest.raises(BadRequest):
        await sales.hours(SHOP, NOON, NOON + 500 * day)
    with pytest.raises(BadRequest):
        await sales.days(SHOP, NOON + timedelta(minutes=1), NOON + day, "UTC")
    assert await sales.hours(SHOP, NOON + timedelta(minutes=15), NOON + day) == ()


async def test_hours_are_counted_from_the_beginning_of_the_day(sales: SalesService) -> None:
    """In Kolkata an hour begins at half past, by UTC."""
    await record(
        sales,
        order(status="paid", ended_at=datetime(2026, 11, 22, 18, 29, 59, tzinfo=UTC)),
        order(status="paid", ended_at=datetime(2026, 11, 22, 18, 30, tzinfo=UTC)),
        order(status="paid", ended_at=datetime(2026, 11, 22, 19, 29, 59, tzinfo=UTC)),
    )
    since, until = local_day(ZoneInfo("Asia/Kolkata"), date(2026, 11, 23))
    [first] = await sales.hours(SHOP, since, until)
    assert (first.at, first.count) == (since, 2)


async def test_views_are_each_persons_own(sales: SalesService) -> None:
    view = SavedView(view_id="viw_1", name="退款", query="kind=refund")
    await sales.save_view(SHOP, "usr_li", view)
    renamed = SavedView(view_id="viw_1", name="所有退款", query="kind=refund&range=month")
    await sales.save_view(SHOP, "usr_li", renamed)
    assert await sales.views(SHOP, "usr_li") == (renamed,)
    assert await sales.views(SHOP, "usr_wang") == ()
    assert await sales.views("mch_other", "usr_li") == ()
    with pytest.raises(NotFound):
        await sales.forget_view(SHOP, "usr_wang", "viw_1")
    await sales.forget_view(SHOP, "usr_li", "viw_1")
    with pytest.raises(NotFound):
        await sales.forget_view(SHOP, "usr_li", "viw_1")


async def test_nobody_keeps_more_views_than_allowed(sales: SalesService) -> None:
    def view(number: int) -> SavedView:
        return SavedView(view_id=f"viw_{number}", name="v", query="")

    saved = await asyncio.gather(
        *(sales.save_view(SHOP, "usr_li", view(n)) for n in range(MAX_VIEWS + 4)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, BadRequest) for answer in saved) == 4
    mine = await sales.views(SHOP, "usr_li")
    assert len(mine) == MAX_VIEWS
    await sales.save_view(SHOP, "usr_li", mine[0])  # one that is there already
    for bad in (
        SavedView(view_id="x", name="", query=""),
        SavedView(view_id="x", name="n" * 33, query=""),
    ):
        with pytest.raises(BadRequest):
            await sales.save_view(SHOP, "usr_wang", bad)
