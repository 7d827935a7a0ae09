"""The list of orders: what the address says, pages, the panel, views, and files."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from backend import ids
from backend.db import TX
from backend.sales import Sale
from backend.shop_roles import Role
from backend.spreadsheet import cell
from tests.sales.conftest import order, refund
from tests.web.browser import PARTIAL
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Guest, Till, sign_in
from web.shop_orders import PAGE_SIZE

MIDDAY = datetime(2026, 11, 25, 4, 30, tzinfo=UTC)  # 12:30 in Shanghai
NEXT = re.compile(r'<a class="button button--text" href="(/shop/orders\?[^"]*cursor=[^"]+)">')


async def keep(till: Till, *sales: Sale) -> list[Sale]:
    mine = [msgspec.structs.replace(sale, shop_id=till.shop.shop_id) for sale in sales]
    async with TX.transaction():
        await till.world.services.sales.record(tuple(mine))
    return mine


async def found(guest: Guest, address: str) -> list[str]:
    """The numbers in the list, in its order."""
    page = await guest.see(address)
    assert page.status_code == 200, page.text
    return re.findall(r'name="id" value="(\w+)"', page.text)


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


async def test_the_address_says_what_is_listed(till: Till) -> None:
    till.world.clock.at = MIDDAY
    now, old, small = await keep(
        till,
        order(status="paid", created_at=MIDDAY - timedelta(minutes=5), note="拿铁"),
        order(status="paid", created_at=MIDDAY - timedelta(days=1)),
        order(status="expired", created_at=MIDDAY - timedelta(hours=4), amount_fen=9_00),
    )
    path = "/shop/orders"
    assert await found(till.owner, path) == [now.sale_id, small.sale_id]
    assert await found(till.owner, f"{path}?range=30m") == [now.sale_id]
    assert await found(till.owner, f"{path}?range=yesterday") == [old.sale_id]
    assert await found(till.owner, f"{path}?range=month&max=9") == [small.sale_id]
    assert await found(till.owner, f"{path}?range=week&q=拿铁") == [now.sale_id]
    assert await found(till.owner, f"{path}?status=expired&kind=order") == [small.sale_id]
    exact = "from=2026-11-24T12:30&to=2026-11-24T12:30"
    assert await found(till.owner, f"{path}?{exact}") == [old.sale_id]
    assert await found(till.owner, f"{path}?from=2026-11-24T12:31&to=2026-11-24") == []
    page = await till.owner.see(f"{path}?range=month&max=9&col=fee&col=number")
    assert 'value="9"' in page.text
    assert "Asia/Shanghai (UTC+08:00)" in page.text
    assert page.text.count('<th scope="col"') == 5


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("min=1.234", "Enter an amount such as 23 or 23.50."),
        ("max=-1", "Enter an amount such as 23 or 23.50."),
        ("range=custom&from=tomorrow", "Choose a day, or a day and a time."),
        ("from=2026-11-24&to=2026-11-23", "The end is before the beginning."),
    ],
)
async def test_what_is_typed_wrong_is_told(till: Till, query: str, said: str) -> None:
    assert said in (await till.owner.see(f"/shop/orders?{query}")).text


@pytest.mark.parametrize("query", ["status=gift", "kind=1'--", "range=ever", "col=secret", "q=%00"])
async def test_what_means_nothing_is_left_out(till: Till, query: str) -> None:
    assert (await till.owner.see(f"/shop/orders?{query}")).status_code == 200


async def test_pages_go_on_with_and_without_htmx(till: Till) -> None:
    till.world.clock.at = MIDDAY
    many = [order(created_at=MIDDAY - timedelta(minutes=n)) for n in range(PAGE_SIZE + 3)]
    await keep(till, *many)
    first = await found(till.owner, "/shop/orders?kind=order")
    next_page = NEXT.search(till.owner.browser.page.text)
    assert next_page
    address = next_page[1].replace("&amp;", "&")
    assert parse_qs(urlsplit(address).query)["kind"] == ["order"]
    part = await till.owner.part(address)
    rest = re.findall(r'name="id" value="(\w+)"', part.text)
    assert "<html" not in part.text
    assert [*first, *rest] == [sale.sale_id for sale in many]
    assert await found(till.owner, address) == rest
    forged = address.replace("kind=order", "kind=refund")
    assert (await till.owner.see(forged)).status_code == 400


async def test_a_changed_filter_is_the_new_address(till: Till) -> None:
    await till.owner.awake()
    answer = await till.owner.browser.client.get(
        "/shop/orders?range=week&status=paid&q=&min=&col=fee&col=note",
        headers=PARTIAL | {"HX-Target": "div#results"},
    )
    assert answer.headers["hx-push-url"] == "/shop/orders?range=week&status=paid&col=note&col=fee"
    assert '<form class="filters"' not in answer.text


async def test_the_panel_tells_the_course_and_offers_what_may_be_done(till: Till) -> None:
    till.world.clock.at = MIDDAY
    paid, back = await keep(
        till,
        paid := order(status="paid", created_at=MIDDAY, note="少糖", fee_fen=9),
        refund(paid, amount_fen=3_00, note="凉了", fee_fen=1),
    )
    path = f"/shop/orders/{paid.order_id}"
    part = await till.owner.part(f"{path}?range=week")
    assert "<html" not in part.text
    for text in ("少糖", "凉了", "Order opened", "Refunded", paid.payment_id, back.sale_id):
        assert text in part.text
    assert "Refund (up to ¥20.00)" in part.text
    assert f'href="{path}/refund"' in part.text
    assert 'href="/shop/orders?range=week"' in part.text  # back to the same list
    whole = await till.owner.see(f"{path}?range=week")
    assert 'id="panel"' in whole.text
    assert "Refund (up to ¥20.00)" in whole.text
    assert paid.sale_id in whole.text


async def test_who_may_not_refund_is_not_offered_it(till: Till, visitor: Visitor) -> None:
    [paid] = await keep(till, order(status="paid"))
    member = await till.world.person(name="审计")
    await till.world.hire(till.owner.wallet, member, Role.AUDITOR)
    guest = await sign_in(await visitor(), till.world, member)
    page = await guest.see(f"/shop/orders/{paid.order_id}")
    assert page.status_code == 200
    assert "Refund (up to" not in page.text


async def test_another_shops_seat_finds_nothing(till: Till, enter: Enter) -> None:
    [mine] = await keep(till, order(status="paid", created_at=till.world.clock.now()))
    rival = await enter(name="对面")
    await till.world.shop(rival.wallet, "对面茶铺")
    assert await found(rival, "/shop/orders?range=month") == []
    assert (await rival.see(f"/shop/orders/{mine.order_id}")).status_code == 404
    await rival.see("/shop/orders?range=month")
    token = rival.browser.form("/shop/orders.csv").fields["_csrf_token"]
    answer = await rival.browser.client.post(
        "/shop/orders.csv",
        data={"_csrf_token": token, "id": mine.sale_id},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert rows(answer.text) == []


@pytest.mark.parametrize(
    "path", ["/shop/orders", "/shop/orders/ord_x", "/shop/orders.csv", "/shop/views"]
)
async def test_a_cashier_is_told_which_permission_is_missing(
    till: Till, visitor: Visitor, path: str
) -> None:
    member = await till.world.person(name="小李")
    await till.world.hire(till.owner.wallet, member, Role.CASHIER)
    guest = await sign_in(await visitor(), till.world, member)
    page = await guest.see(path)
    assert page.status_code == 403
    assert "orders" in page.text.lower()


async def test_views_are_kept_opened_and_removed(till: Till) -> None:
    await till.owner.see("/shop/orders?range=month&kind=refund&col=fee")
    page = await till.owner.tap("/shop/views", {"name": "本月退款"})
    assert str(page.url).endswith("/shop/orders?range=month&kind=refund&col=fee")
    assert "本月退款" in page.text
    page = await till.owner.see("/shop/views")
    action = re.search(r'action="(/shop/views/viw_\w+/removal)"', page.text)
    assert action
    page = await till.owner.tap(action[1])
    assert "本月退款" not in page.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "1 to 32 characters"),
        ({"name": "n" * 33}, "1 to 32 characters"),
        ({"name": "x", "view_id": "viw_1"}, "out of date"),
    ],
)
async def test_a_bad_view_is_not_kept(till: Till, fields: dict[str, str], said: str) -> None:
    await till.owner.see("/shop/orders")
    page = await till.owner.tap("/shop/views", fields)
    assert page.status_code == 422
    assert said in page.text


async def test_a_view_keeps_nothing_that_is_no_filter(till: Till) -> None:
    await till.owner.see("/shop/orders")
    query = "range=today&next=//evil.example&status=<b>"
    page = await till.owner.tap("/shop/views", {"name": "x", "query": query})
    assert "evil" not in page.text
    assert str(page.url).endswith("/shop/orders?range=today")


async def test_everything_as_csv_with_balances_from_the_books(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    balances = []
    for amount in (10_00, 25_00):
        opened = await till.order(amount)
        await till.world.services.payments.start(till.world.paying(payer.wallet, opened))
        balances.append(str(await till.world.balance(f"shop:{till.shop.shop_id}")))
    await till.order(5_00)
    await till.owner.awake()
    answer = await till.owner.browser.client.get("/shop/orders.csv?range=today&export=x1")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    told = rows(answer.text)
    assert [row["Amount (fen)"] for row in told] == ["1000", "2500", "500"]
    assert [row["Amount (yuan)"] for row in told] == ["10.00", "25.00", "5.00"]
    assert [row["Balance after (fen)"] for row in told] == [*balances, ""]
    assert [row["Status"] for row in told] == ["Paid", "Paid", "Open"]
    assert all(datetime.fromisoformat(row["Opened at"]).utcoffset() for row in told)
    assert told[0]["Opened at"].endswith("+08:00")
    assert told[0]["Payment number"].startswith("pay_")
    progress = await till.owner.browser.client.get("/shop/exports/x1")
    assert progress.json() == {"rows": 3, "percent": 100, "done": 1, "broken": 0}
    stranger = await payer.browser.client.get("/shop/exports/x1")
    assert stranger.status_code == 404
    acts = await till.world.services.merchant.acts(await till.world.seat(till.shop), 0, 5)
    assert acts[0].kind == "orders_exported"


async def test_the_chosen_as_csv(till: Till) -> None:
    kept = await keep(till, *(order(created_at=MIDDAY - timedelta(days=n)) for n in range(3)))
    await till.owner.see("/shop/orders?range=month")
    token = till.owner.browser.form("/shop/orders.csv").fields["_csrf_token"]
    post = till.owner.browser.client.post
    headers = {"Sec-Fetch-Site": "same-origin"}
    chosen = [kept[2].sale_id, kept[0].sale_id]
    answer = await post(
        "/shop/orders.csv", data={"_csrf_token": token, "id": chosen}, headers=headers
    )
    assert [row["Order number"] for row in rows(answer.text)] == chosen
    too_many = [ids.new("ord") for _ in range(501)]
    for bad in ([], too_many):
        answer = await post(
            "/shop/orders.csv", data={"_csrf_token": token, "id": bad}, headers=headers
        )
        assert answer.status_code == 400
    answer = await post("/shop/orders.csv", data={"id": chosen}, headers=headers)
    assert answer.status_code == 403  # without the token of a form


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
async def test_no_cell_of_the_file_is_a_formula(till: Till, first: str) -> None:
    typed = f"{first}HYPERLINK(0)"
    await keep(till, order(note=typed, payer_name=typed, created_at=till.world.clock.now()))
    await till.owner.awake()
    answer = await till.owner.browser.client.get("/shop/orders.csv?range=today")
    [row] = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline=""))
    assert row["Note"] == row["Payer"] == f"'{typed}"
    assert all(value[:1] not in tuple("=+-@\t\r") for value in row.values() if value)


def test_harmless_cells_stay_as_they_are() -> None:
    for text in ("", "拿铁", "1-2", "a=b", "'x"):
        assert cell(text) == text
