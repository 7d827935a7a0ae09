"""Lists: every filter, pages without gap or repeat, cursors of others, totals and streams."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend import cursor, ids
from backend.errors import BadRequest
from backend.sales import Sale, SaleFilter, search
from backend.sales.service import SalesService
from tests.sales.conftest import NOON, SHOP, order, record, refund, wanted


async def shelf(sales: SalesService) -> dict[str, Sale]:
    """One of each kind, a minute apart."""

    def at(minutes: int) -> dict[str, object]:
        return {"created_at": NOON + timedelta(minutes=minutes)}

    paid = order(
        status="paid", store_id="sto_a", terminal_id="trm_1", actor_id="usr_li", amount_fen=10_00,
        payer_name="*安娜", note="拿铁 A", code="shown", **at(0),
    )  # fmt: skip
    static = order(status="paid", store_id="sto_b", terminal_id="trm_2", amount_fen=20_00, **at(1))
    found = {
        "paid": paid,
        "static": static,
        "open": order(status="open", store_id="sto_a", note="50% off_x", **at(2)),
        "expired": order(status="expired", **at(3)),
        "cancelled": order(status="cancelled", actor_id="usr_wang", **at(4)),
        "back": refund(paid, amount_fen=4_00, actor_id="usr_wang", note="凉了", **at(5)),
        "failed": refund(static, status="refused", amount_fen=1_00, **at(6)),
        "waiting": refund(static, status="pending", amount_fen=2_00, **at(7)),
    }
    await record(sales, *found.values())
    return found


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, "waiting failed back cancelled expired open static paid"),
        ({"kind": "order"}, "cancelled expired open static paid"),
        ({"kind": "refund"}, "waiting failed back"),
        ({"status": "paid"}, "static paid"),
        ({"status": "open"}, "open"),
        ({"status": "expired"}, "expired"),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "refunded"}, "paid"),
        ({"status": "succeeded"}, "back"),
        ({"status": "refused"}, "failed"),
        ({"status": "pending", "kind": "refund"}, "waiting"),
        ({"store_id": "sto_a"}, "back open paid"),
        ({"store_id": "sto_a", "status": "paid"}, "paid"),
        ({"terminal_id": "trm_2"}, "waiting failed static"),
        ({"actor_id": "usr_wang"}, "back cancelled"),
        ({"actor_id": "usr_wang", "kind": "refund"}, "back"),
        ({"min_fen": 20_00}, "cancelled expired open static"),
        ({"max_fen": 4_00}, "waiting failed back"),
        ({"min_fen": 4_00, "max_fen": 10_00}, "back paid"),
        ({"text": "拿铁"}, "paid"),
        ({"text": "安娜"}, "paid"),
        ({"text": "a"}, "paid"),
        ({"text": "50% off_"}, "open"),
        ({"text": "5_% off"}, ""),
        ({"text": "' or true --"}, ""),
        ({"since": NOON + timedelta(minutes=6)}, "waiting failed"),
        ({"until": NOON + timedelta(minutes=1)}, "paid"),
        ({"shop_id": "mch_other"}, ""),
    ],
)
async def test_filters(sales: SalesService, changes: dict[str, object], names: str) -> None:
    known = {sale.sale_id: name for name, sale in (await shelf(sales)).items()}
    asked = wanted(**changes)
    page = await sales.page(asked, "", 100)
    assert [known[sale.sale_id] for sale in page.sales] == names.split()
    assert page.next_cursor == ""
    total = await sales.total(asked)
    assert total.rows == len(page.sales)
    assert total.amount_fen == sum(s.amount_fen for s in page.sales if s.status == "paid")
    assert total.refund_fen == sum(s.amount_fen for s in page.sales if s.status == "succeeded")


async def test_numbers_find_their_orders(sales: SalesService) -> None:
    shelf_ = await shelf(sales)
    paid, back = shelf_["paid"], shelf_["back"]

    async def found(text: str) -> list[str]:
        return [s.sale_id for s in (await sales.page(wanted(text=text), "", 10)).sales]

    assert await found(paid.order_id) == [back.sale_id, paid.sale_id]
    assert await found(paid.payment_id) == [back.sale_id, paid.sale_id]
    assert await found(back.sale_id) == [back.sale_id]
    assert paid.sale_id in await found(paid.order_id[-8:])
    assert await found(ids.new("ord")) == []


async def test_a_selection_is_found_in_the_own_shop_only(sales: SalesService) -> None:
    shelf_ = await shelf(sales)
    foreign = order(shop_id="mch_other")
    await record(sales, foreign)
    chosen = (shelf_["open"].sale_id, shelf_["back"].sale_id, foreign.sale_id)
    page = await sales.page(wanted(sale_ids=chosen), "", 100)
    assert {s.sale_id for s in page.sales} == set(chosen[:2])


@pytest.mark.parametrize(
    "changes",
    [{"kind": "gift"}, {"status": "' or 1=1"}, {"text": "x" * 65}, {"text": "\x00"}],
)
async def test_what_is_no_filter_is_refused(
    sales: SalesService, changes: dict[str, object]
) -> None:
    with pytest.raises(BadRequest):
        await sales.page(wanted(**changes), "", 10)
    with pytest.raises(BadRequest):
        await sales.total(wanted(**changes))


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_its_size(sales: SalesService, limit: int) -> None:
    with pytest.raises(BadRequest):
        await sales.page(wanted(), "", limit)
    with pytest.raises(BadRequest):
        await sales.latest(SHOP, limit)


async def test_pages_have_no_gap_and_no_repeat_even_at_one_moment(sales: SalesService) -> None:
    """More arrives while somebody reads."""
    many = [order(created_at=NOON + timedelta(seconds=n // 7)) for n in range(50)]
    await record(sales, *many)
    seen: list[str] = []
    text = ""
    while True:
        page = await sales.page(wanted(), text, 8)
        seen += [sale.sale_id for sale in page.sales]
        await record(sales, order(created_at=NOON + timedelta(hours=1)))
        text = page.next_cursor
        if not text:
            break
    expected = sorted(many, key=lambda s: (s.created_at, s.sale_id), reverse=True)
    assert seen == [sale.sale_id for sale in expected]


async def test_cursors_of_another_shop_or_filter_and_forged_ones_are_refused(
    sales: SalesService,
) -> None:
    await record(sales, *(order() for _ in range(3)))
    text = (await sales.page(wanted(), "", 1)).next_cursor
    assert text
    later = NOON + timedelta(days=1)
    assert (await sales.page(wanted(until=later), text, 1)).sales  # the clock may move on
    bills = cursor.encode("bills\nusr_anna", NOON, "pay_1")
    for asked, bad in (
        (wanted(shop_id="mch_other"), text),
        (wanted(status="open"), text),
        (wanted(), text[:-2]),
        (wanted(), "A" + text[1:]),
        (wanted(), bills),
        (wanted(), "x" * 300),
    ):
        with pytest.raises(BadRequest):
            await sales.page(asked, bad, 1)


async def test_a_search_is_bounded_and_goes_on(
    sales: SalesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOKED_AT", 10)
    rare = [order(created_at=NOON + timedelta(seconds=n), note="稀客") for n in (3, 57)]
    many = [order(created_at=NOON + timedelta(seconds=n)) for n in range(60) if n not in (3, 57)]
    await record(sales, *rare, *many)
    found, pages, text = [], 0, ""
    while True:
        page = await sales.page(wanted(text="稀客"), text, 5)
        found += [sale.sale_id for sale in page.sales]
        pages, text = pages + 1, page.next_cursor
        if not text:
            break
    assert found == [rare[1].sale_id, rare[0].sale_id]
    assert 6 <= pages <= 8


async def test_too_much_to_count_is_not_counted(
    sales: SalesService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "COUNTED", 5)
    await record(sales, *(order() for _ in range(5)))
    assert (await sales.total(wanted())).rows == 5
    await record(sales, order())
    with pytest.raises(BadRequest):
        await sales.total(wanted())


async def test_the_latest_are_in_the_order_of_paying(sales: SalesService) -> None:
    slow = order(status="paid", ended_at=NOON + timedelta(minutes=9))
    quick = order(
        status="paid",
        created_at=NOON + timedelta(minutes=5),
        ended_at=NOON + timedelta(minutes=6),
    )
    await record(sales, slow, quick, order(), refund(quick))
    assert [s.sale_id for s in await sales.latest(SHOP, 10)] == [slow.sale_id, quick.sale_id]


filters = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["order", "refund"]),
        "status": st.sampled_from(list(search.STATUSES)),
        "store_id": st.sampled_from(["sto_a", "sto_b"]),
        "terminal_id": st.sampled_from(["trm_1", "trm_2"]),
        "actor_id": st.sampled_from(["usr_li", "usr_wang"]),
        "min_fen": st.integers(0, 25_00),
        "max_fen": st.integers(0, 25_00),
        "text": st.sampled_from(["拿", "a", "凉", "%"]),
    },
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters)
async def test_any_filter_finds_what_looking_at_each_row_finds(
    sales: SalesService, changes: dict[str, object]
) -> None:
    asked = wanted(shop_id=ids.new("mch"), **changes)
    rows = [
        msgspec.structs.replace(sale, shop_id=asked.shop_id)
        for sale in [
            order(
                status="paid", store_id="sto_a", actor_id="usr_li", amount_fen=10_00, note="拿铁"
            ),
            order(status="open", store_id="sto_b", terminal_id="trm_1", payer_name="*安"),
            order(status="expired", terminal_id="trm_2", actor_id="usr_wang", note="A%"),
            order(status="cancelled", amount_fen=25_00),
        ]
    ]
    rows.append(refund(rows[0], amount_fen=1_00, note="凉了", actor_id="usr_wang"))
    await record(sales, *rows)
    stored = [await sales.sale(asked.shop_id, row.sale_id) for row in rows]
    page = await sales.page(asked, "", 100)
    assert {s.sale_id for s in page.sales} == {s.sale_id for s in stored if fits(asked, s)}
    streamed = [s.sale_id async for part in sales.stream(asked) for s in part]
    assert streamed == [s.sale_id for s in reversed(page.sales)]


def fits(asked: SaleFilter, sale: Sale) -> bool:
    refunded = asked.status == "refunded" and sale.refunded_fen > 0
    return (
        asked.kind in ("", sale.kind)
        and (refunded or asked.status in ("", sale.status))
        and asked.store_id in ("", sale.store_id)
        and asked.terminal_id in ("", sale.terminal_id)
        and asked.actor_id in ("", sale.actor_id)
        and (asked.min_fen is None or asked.min_fen <= sale.amount_fen)
        and (asked.max_fen is None or asked.max_fen >= sale.amount_fen)
        and (asked.text in sale.note.lower() or asked.text in sale.payer_name.lower())
    )
