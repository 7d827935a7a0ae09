"""What an operation costs when the books are thick, and a page of a very long statement."""

import asyncio
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg
import msgspec
import uvloop

from backend import db
from backend.clock import SystemClock
from backend.ledger import MAX_PAGE, NewAccount
from backend.ledger.service import LedgerService, running
from backend.settings import Settings
from tests.bench.cluster import Bench, open_ledger
from tests.bench.history import thicken
from tests.bench.ledger import Books, rate
from tests.bench.report import Row
from tests.ledger.signing import Authority

THIN = 10_000
THICK, QUICK_THICK = 10_000_000, 1_000_000
LONG_ENTRIES = 1_000_000
CALLERS = 64
PAGES = 500
LONG = ["long:a", "long:b"]
SHORT = ["short:a", "short:b"]


def run(bench: Bench, quick: bool) -> list[Row]:
    return uvloop.run(_run(bench, QUICK_THICK if quick else THICK, 2 if quick else 5))


async def _run(bench: Bench, thick: int, seconds: float) -> list[Row]:
    settings = {"thin": bench.settings, "thick": _renamed(bench.settings)}
    async with open_ledger(bench.settings), running(bench.settings) as service:
        books = Books(service, Authority(bench.settings))
        await books.fill()
        await service.open_accounts(tuple(NewAccount(a, None) for a in (*LONG, *SHORT)))
    admin = await asyncpg.connect(bench.admin_url("postgres"))
    await admin.execute("create database thick template yipay_tx owner yipay_tx_owner")
    await admin.close()
    await thicken(bench.admin_url("yipay_tx"), THIN, books.tills)
    await thicken(bench.admin_url("thick"), thick, books.tills)
    await thicken(bench.admin_url("thick"), LONG_ENTRIES, LONG)
    await thicken(bench.admin_url("thick"), MAX_PAGE, SHORT)
    rates: dict[str, list[float]] = {"thin": [], "thick": []}
    for _ in range(3):
        for name, found in rates.items():
            found.append(await _rate(settings[name], seconds))
    pairs = zip(rates["thin"], rates["thick"], strict=True)
    ratio = statistics.median(thin / thick for thin, thick in pairs)
    return [
        Row(name=f"posting, {THIN:,} transfers in the books", rate=max(rates["thin"])),
        Row(
            name=f"posting, {thick:,} transfers in the books: cost",
            rate=max(rates["thick"]),
            yardstick="thin",
            ratio=ratio,
            floor=1.3,
            goal=1.1,
            at_most=True,
        ),
        *await _statements(settings["thick"]),
    ]


def _renamed(settings: Settings) -> Settings:
    url = settings.ledger_url.replace("@/yipay_tx?", "@/thick?")
    assert url != settings.ledger_url
    return msgspec.structs.replace(settings, ledger_url=url)


async def _rate(settings: Settings, seconds: float) -> float:
    async with open_ledger(settings), running(settings) as service:
        books = Books(service, Authority(settings))
        await rate(service, books.posts(60_000), CALLERS, seconds / 2)
        return await rate(service, books.posts(int(30_000 * seconds)), CALLERS, seconds)


async def _statements(settings: Settings) -> list[Row]:
    async with open_ledger(settings):
        service = LedgerService(settings, SystemClock())  # reads only: it needs no writer
        [oldest] = await db.LEDGER.query("select min(created_at) as at from ledger.journal")
        span = SystemClock().now() - oldest["at"]

        def page(account: str, entries: int) -> Callable[[], Awaitable[object]]:
            def ask() -> Awaitable[object]:
                return service.statement(account, 2 + secrets.randbelow(entries), MAX_PAGE)

            return ask

        def moment() -> datetime:
            return oldest["at"] + span * (secrets.randbelow(1000) / 1000)  # type: ignore[no-any-return]

        short = await _median_ms(page(SHORT[0], MAX_PAGE))
        long = await _median_ms(page(LONG[0], LONG_ENTRIES))
        past = await _median_ms(lambda: service.balance_at(LONG[0], moment()))
    return [
        Row(name="statement page, up to 100 entries", rate=short, unit="ms"),
        Row(
            name="statement page anywhere in a million entries",
            rate=long,
            unit="ms",
            yardstick="short",
            ratio=long / short,
        ),
        Row(name="balance at a past moment, a million entries", rate=past, unit="ms"),
    ]


async def _median_ms(ask: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(PAGES):
        began = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0)
    return statistics.median(times)
