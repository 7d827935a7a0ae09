"""`yipay demo --big`: a shop with a year of history, a million orders unless told otherwise.

Every payment and refund is a posting with a verdict of its own, in the order of the year; orders,
bills and sales follow batch by batch. A run that was killed goes on where it stopped: ids and
contents are always the same, and the rows of a batch are there as a whole or not at all.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime

from backend import rpc, services
from backend.demo.big_books import Done, Entry, Shop, keep, payment_of, refund_of
from backend.demo.big_shop import open_big_shop
from backend.demo.big_year import Batch, batches, returned, sold
from backend.demo.people import fixed_id
from backend.errors import NotFound
from backend.ledger import Post, Posted
from backend.risk.demo import RiskDemo
from backend.risk.demo_history import MAX_TOLD
from backend.services import Services
from backend.settings import Settings
from backend.verdict import SignedVerdict

ORDERS = 1_000_000
AHEAD = 2  # batches that wait between two stages
SAY_EVERY_S = 5.0

Say = Callable[[str], None]
Allowed = list[tuple[Entry, SignedVerdict | None]]


async def seed_big(settings: Settings, orders: int = ORDERS, say: Say = print) -> None:
    """Needs everything that `yipay up --demo` starts. Each number of orders is a shop of its own.
    Refuses: as the modules do where one of them is away."""
    assert settings.demo, "demo people exist in demo mode only"
    async with _faces(settings) as (to, risk):
        shop, until = await open_big_shop(to, risk, orders)
        year = batches(orders, until)
        first = await _first_missing(to, year, orders)
        if first:
            say(f"{year[first - 1].end:,} of {orders:,} orders were there already")
        await _Telling(to, risk, shop, until, _Progress(orders, say)).run(year[first:])
        where = f"{settings.public_origin}/welcome?shop=big-{orders}"
        say(f"{orders:,} orders are there; enter the shop at {where}")


@asynccontextmanager
async def _faces(settings: Settings) -> AsyncIterator[tuple[Services, RiskDemo]]:
    built, close = await services.build(settings)
    risk, client = rpc.connect(RiskDemo, settings.risk_rpc, settings)
    try:
        yield built, risk
    finally:
        await client.close()
        await close()


async def _first_missing(to: Services, year: list[Batch], orders: int) -> int:
    """Batches are kept in order, so those that are missing are the last ones."""
    low, high = 0, len(year)
    while low < high:
        middle = (low + high) // 2
        if await _is_kept(to, year[middle], orders):
            low = middle + 1
        else:
            high = middle
    return low


async def _is_kept(to: Services, batch: Batch, orders: int) -> bool:
    try:
        await to.payments.order(fixed_id("ord", f"big-{orders}/{batch.first}"))
    except NotFound:
        return False
    return True


class _Progress:
    """Says how far it is, how fast, and how long it still takes."""

    def __init__(self, orders: int, say: Say) -> None:
        self._orders, self._say = orders, say
        self._began = self._said = time.monotonic()
        self._done = 0

    def kept(self, batch: Batch) -> None:
        self._done += batch.end - batch.first
        now = time.monotonic()
        if now - self._said < SAY_EVERY_S:
            return
        self._said = now
        rate = self._done / (now - self._began)
        minutes, seconds = divmod(int((self._orders - batch.end) / rate), 60)
        self._say(
            f"{batch.end:,} of {self._orders:,} orders, {rate:,.0f} a second, "
            f"{minutes} min {seconds:02d} s left"
        )


class _Telling:
    """Three stages at once, each in the order of the year: verdicts, postings, rows."""

    def __init__(
        self, to: Services, risk: RiskDemo, shop: Shop, until: datetime, progress: _Progress
    ) -> None:
        self._to, self._risk, self._shop = to, risk, shop
        self._until, self._progress = until, progress
        self._allowed: asyncio.Queue[tuple[Batch, Allowed] | None] = asyncio.Queue(AHEAD)
        self._posted: asyncio.Queue[tuple[Batch, list[Done]] | None] = asyncio.Queue(AHEAD)

    async def run(self, todo: Iterable[Batch]) -> None:
        async with asyncio.TaskGroup() as stages:
            stages.create_task(self._allow(todo))
            stages.create_task(self._post())
            stages.create_task(self._keep())

    async def _allow(self, todo: Iterable[Batch]) -> None:
        for batch in todo:
            entries = [payment_of(self._shop, order) for order in sold(batch, self._until)]
            for order, at in returned(batch, self._until):
                entries.append(refund_of(self._shop, order, at))
            await self._allowed.put((batch, await self._verdicts(entries)))
        await self._allowed.put(None)

    async def _verdicts(self, entries: list[Entry]) -> Allowed:
        told = [entry.told for entry in entries if entry.told is not None]
        given: list[SignedVerdict] = []
        for start in range(0, len(told), MAX_TOLD):
            given += await self._risk.demo_allow(tuple(told[start : start + MAX_TOLD]))
        verdicts = iter(given)
        return [(entry, next(verdicts) if entry.told else None) for entry in entries]

    async def _post(self) -> None:
        while (found := await self._allowed.get()) is not None:
            batch, allowed = found
            posted = await asyncio.gather(*(self._one(*each) for each in allowed))
            done = [(*each, at) for each, at in zip(allowed, posted, strict=True)]
            await self._posted.put((batch, done))
        await self._posted.put(None)

    async def _one(self, entry: Entry, verdict: SignedVerdict | None) -> Posted | None:
        if entry.told is None:
            return None
        return await self._to.ledger.post(Post(entry.told.intent.posting, verdict))

    async def _keep(self) -> None:
        while (found := await self._posted.get()) is not None:
            batch, done = found
            await keep(self._shop, done, self._to.bills, self._to.sales)
            self._progress.kept(batch)
