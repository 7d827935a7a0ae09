"""Server time of the shop's pages with a year of history, a million orders unless --quick."""

import asyncio
import json
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from backend import roles
from backend.postgres import Cluster
from e2e.wallet import Wallet
from tests.bench.big_sales import fill
from tests.bench.cluster import Bench
from tests.bench.pages import FLOOR_MS, GOAL_MS, Reader
from tests.bench.report import Row
from tests.conftest import enterable

ORDERS, QUICK_ORDERS = 1_000_000, 100_000
ROUNDS, QUICK_ROUNDS = 200, 40
YEAR = "range=custom&from=2020-01-01"
NEXT = re.compile(r'class="button button--text" href="([^"]+cursor=[^"]+)"')
ORDER = re.compile(r'href="(/shop/orders/ord_[^"]+)" data-open')

PAGES = {
    "overview": "/shop",
    "series": "/shop/series.json",
    "orders, today": "/shop/orders",
    "orders, month": "/shop/orders?range=month",
    "orders, year": f"/shop/orders?{YEAR}",
    "orders, refunds of a year": f"/shop/orders?{YEAR}&kind=refund",
    "orders, refunded": f"/shop/orders?{YEAR}&status=refunded",
    "orders, expired": f"/shop/orders?{YEAR}&status=expired",
    "orders, by amount": f"/shop/orders?{YEAR}&min=400&max=410",
    "orders, a common note": f"/shop/orders?{YEAR}&q=外带",
    "orders, a rare note": f"/shop/orders?{YEAR}&q=稀客",
    "orders, a number": f"/shop/orders?{YEAR}&q=ord_0{777_777:025d}",
    "views": "/shop/views",
    "refund requests": "/shop/refunds",
    "stores": "/shop/stores",
    "staff": "/shop/staff",
    "activity": "/shop/activity",
    "settlement": "/shop/settlement",
    "files": "/shop/files",
    "till": "/cashier",
}


def run(_: Bench, quick: bool) -> list[Row]:
    orders, rounds = (QUICK_ORDERS, QUICK_ROUNDS) if quick else (ORDERS, ROUNDS)
    with (
        tempfile.TemporaryDirectory(prefix="yipay-bench-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as wallet,
    ):
        asyncio.run(_fill(Path(folder) / "data", orders))
        reader = Reader(wallet.url)
        reader.enter("shop")
        reader.get("/shop")
        rows = [_page(f"shop, {name}", reader, path, rounds) for name, path in PAGES.items()]
        deep = _far_down(reader, f"/shop/orders?{YEAR}&status=paid")
        rows.append(_page("shop, orders, 20 pages down", reader, deep, rounds))
        one = _first_order(reader)
        rows.append(_page("shop, one order and its list", reader, one, rounds))
        return [*rows, _export(reader)]


async def _fill(data: Path, orders: int) -> None:
    passwords = json.loads((data / "tx" / "passwords.json").read_text())
    owner = "yipay_tx_owner"
    url = Cluster("tx", data).url(owner, passwords[owner], roles.TX_DATABASE)
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select shop_id, store_id, terminal_id from merchant.terminal")
    await connection.close()
    places = tuple((row["store_id"], row["terminal_id"]) for row in rows)
    now = datetime.now(UTC)  # noqa: TID251 — as the served pages see it
    await fill(url, rows[0]["shop_id"], orders, now, places)


def _far_down(reader: Reader, path: str, pages: int = 20) -> str:
    for _ in range(pages):
        found = re.search(
            r'class="button button--text" href="([^"]+cursor=[^"]+)"', reader.get(path).text
        )
        assert found is not None
        path = found[1].replace("&amp;", "&")
    return path


def _first_order(reader: Reader) -> str:
    found = ORDER.search(reader.get("/shop/orders").text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def _page(name: str, reader: Reader, path: str, rounds: int) -> Row:
    took = reader.p95_ms(path, rounds)
    return Row(
        name=f"{name}, p95 with the connection",
        rate=took,
        unit="ms",
        yardstick=f"{FLOOR_MS:g} ms",
        ratio=took / FLOOR_MS,
        floor=1,
        goal=GOAL_MS / FLOOR_MS,
        at_most=True,
    )


def _export(reader: Reader) -> Row:
    """Told only: how fast a whole year streams."""
    started = time.perf_counter()
    lines = reader.get(f"/shop/orders.csv?{YEAR}").text.count("\n")
    return Row(name=f"CSV of {lines:,} lines", rate=lines / (time.perf_counter() - started))
