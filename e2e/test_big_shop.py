"""A shop with a year behind it: its owner finds what they look for, and takes it along."""

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import asyncpg
from playwright.sync_api import Page, expect

from backend import roles
from backend.postgres import Cluster
from e2e import steps
from e2e.people import DESKTOP, Visitor
from e2e.wallet import Wallet
from tests.bench.big_sales import fill

ORDERS = 20_000
YEAR = "/shop/orders?range=custom&from=2020-01-01"


async def _fill(wallet: Wallet, shop_id: str) -> None:
    data, owner = wallet.folder / "data", "yipay_tx_owner"
    passwords = json.loads((data / "tx" / "passwords.json").read_text())
    url = Cluster("tx", data).url(owner, passwords[owner], roles.TX_DATABASE)
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "select store_id, terminal_id from merchant.terminal where shop_id = $1", shop_id
    )
    await connection.close()
    places = tuple((row["store_id"], row["terminal_id"]) for row in rows)
    now = datetime.now(UTC)  # noqa: TID251 — as the served pages see it
    await fill(url, shop_id, ORDERS, now, places)


def _shop_id(page: Page) -> str:
    found = re.search(r"topics=shop:(mch_[0-9a-z]{26})", page.content())
    assert found is not None
    return found[1]


def test_a_year_of_orders_is_found_read_and_exported(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str
) -> None:
    owner = visitor(viewport=DESKTOP)
    page = owner.page
    steps.sign_up(owner, wallet, phone, "掌柜")
    steps.open_shop(owner, "年年有余")
    page.goto("/shop")
    with ThreadPoolExecutor(1) as aside:  # the browser has the loop of this thread
        aside.submit(asyncio.run, _fill(wallet, _shop_id(page))).result()

    page.goto("/shop")
    expect(page.locator("#board")).to_contain_text("¥")
    expect(page.locator("[data-series]")).to_be_visible()
    steps.shot(page, "big-shop-overview")

    page.goto(YEAR)
    rows = page.locator("table.orders a[data-open]")
    shown = rows.count()
    page.locator("td.pager").scroll_into_view_if_needed()  # the next ones come by themselves
    expect(rows).not_to_have_count(shown)
    assert rows.count() > shown

    # Asked for by a note and a status: that stays in the address, so a reload shows the same.
    page.goto(f"{YEAR}&q=外带&status=paid")
    found = page.locator("table.orders tbody tr").all_inner_texts()
    assert found
    page.reload()
    assert page.locator("table.orders tbody tr").all_inner_texts() == found
    page.locator("a[data-open]").first.click()
    expect(page.locator("#order-title")).to_be_visible()
    steps.shot(page, "big-shop-panel")
    page.keyboard.press("Escape")
    expect(page.locator("#order-title")).to_have_count(0)

    page.goto(YEAR)
    with page.expect_download() as waiting:
        page.locator("a[data-export]").click()
    lines = waiting.value.path().read_text("utf-8-sig").splitlines()
    assert ORDERS < len(lines) < ORDERS * 1.1  # the refunds have lines of their own
    expect(page.locator("#export-broken")).to_be_hidden()
    assert owner.errors == []
