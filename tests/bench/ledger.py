"""The ledger core: `post` called from tasks of one process, each waiting for its commit."""

import asyncio
import gc
import secrets
import statistics
import time
from collections.abc import Iterator

import uvloop

from backend.ids import new
from backend.ledger import NewAccount, Post
from backend.ledger.service import LedgerService, running
from backend.posting import Posting, Transfer
from tests.bench.cluster import Bench, open_ledger
from tests.bench.report import Row
from tests.ledger.signing import Authority

ACCOUNTS = 10_000
FUNDS = 1_000_000_00
BANK = "bank:clearing"
TREE = 64  # verdicts under one signature
YARDSTICK = "TPC-B"


class Books:
    """A running ledger with funded accounts of two kinds: the company's and customers'."""

    def __init__(self, service: LedgerService, authority: Authority) -> None:
        self.service, self.authority = service, authority
        self.tills = [f"till:{i:05d}" for i in range(ACCOUNTS)]
        self.people = [f"person:{i:05d}" for i in range(ACCOUNTS)]

    async def fill(self) -> None:
        await self.service.open_accounts((NewAccount(BANK, None), NewAccount("till:hot")))
        for names in (self.tills, self.people):
            for start in range(0, ACCOUNTS, 100):
                some = names[start : start + 100]
                await self.service.open_accounts(tuple(NewAccount(name) for name in some))
                legs = tuple(Transfer(BANK, name, FUNDS) for name in some)
                await self.service.post(self.authority.post(Posting(new("pay"), "fund", legs)))

    def posts(self, count: int, *, hot: bool = False) -> list[Post]:
        """Between random company accounts; no verdict is needed."""
        return [
            Post(Posting(new("pay"), "pay", (_leg(self.tills, "till:hot" if hot else ""),)))
            for _ in range(count)
        ]

    def signed_posts(self, count: int) -> list[Post]:
        """Between random people, each with its verdict; the signing is not part of the figure."""
        posts: list[Post] = []
        while len(posts) < count:
            some = [Posting(new("pay"), "pay", (_leg(self.people),)) for _ in range(TREE)]
            posts += self.authority.posts(some)
        return posts


def _leg(names: list[str], credit: str = "") -> Transfer:
    debit = secrets.choice(names)
    while not credit or credit == debit:
        credit = secrets.choice(names)
    return Transfer(debit, credit, 1 + secrets.randbelow(100))


async def rate(service: LedgerService, posts: list[Post], callers: int, seconds: float) -> float:
    """Postings a second, from the first call to the last answer."""
    gc.collect()
    gc.freeze()  # the posts are the callers'
    waiting: Iterator[Post] = iter(posts)
    began = time.perf_counter()
    end = began + seconds

    async def caller() -> int:
        done = 0
        for post in waiting:
            await service.post(post)
            done += 1
            if time.perf_counter() > end:
                break
        return done

    done = await asyncio.gather(*(caller() for _ in range(callers)))
    return sum(done) / (time.perf_counter() - began)


class Case:
    """One row: what is posted, by how many at once, measured against what."""

    def __init__(self, name: str, callers: int, kind: str, floor: float, goal: float) -> None:
        self.name, self.callers, self.kind = name, callers, kind
        self.floor, self.goal = floor, goal
        self.rates: list[float] = []
        self.ratios: list[float] = []


CASES = (
    ("64 callers, random company accounts", 64, "company", 4, 6),
    ("64 callers, random people, signed verdicts", 64, "signed", 4, 6),
    ("1,000 callers, random company accounts", 1000, "company", 6, 12),
    ("1,000 callers, random people, signed verdicts", 1000, "signed", 6, 12),
    ("1,000 callers, one hot company account", 1000, "hot", 1.0, 1.3),
    ("a single caller, company accounts", 1, "company", 0.5, 0.8),
    ("a single caller, signed verdicts", 1, "signed", 0.5, 0.8),
)
EXPECTED_RATE = {64: 20_000, 1000: 35_000, 1: 3_000}


def run(bench: Bench, quick: bool) -> list[Row]:
    return uvloop.run(_run(bench, rounds=2 if quick else 5, seconds=2 if quick else 5))


async def _run(bench: Bench, rounds: int, seconds: float) -> list[Row]:
    cases = [Case(*case) for case in CASES]
    authority = Authority(bench.settings)
    yardsticks: list[tuple[float, float]] = []
    async with open_ledger(bench.settings), running(bench.settings) as service:
        books = Books(service, authority)
        await books.fill()
        for _ in range(rounds):
            yardstick = (
                await asyncio.to_thread(bench.tpcb, 8, seconds),
                await asyncio.to_thread(bench.tpcb, 1, seconds),
            )
            yardsticks.append(yardstick)
            await _round(books, cases, yardstick, seconds)
    eight, one = (statistics.median(rates) for rates in zip(*yardsticks, strict=True))
    return [
        Row(name="pgbench TPC-B, 8 clients (yardstick)", rate=eight),
        Row(name="pgbench TPC-B, 1 client (yardstick)", rate=one),
        *(_row(case) for case in cases),
    ]


async def _round(
    books: Books, cases: list[Case], yardstick: tuple[float, float], seconds: float
) -> None:
    random_rate = 0.0
    for case in cases:
        count = int(EXPECTED_RATE[case.callers] * seconds)
        if case.kind == "signed":
            posts = books.signed_posts(count)
        else:
            posts = books.posts(count, hot=case.kind == "hot")
        found = await rate(books.service, posts, case.callers, seconds)
        against = yardstick[1] if case.callers == 1 else yardstick[0]
        if case.kind == "company" and case.callers == 1000:
            random_rate = found
        case.rates.append(found)
        case.ratios.append(found / (random_rate if case.kind == "hot" else against))


def _row(case: Case) -> Row:
    return Row(
        name=f"ledger core, {case.name}",
        rate=statistics.median(case.rates),
        yardstick="random" if case.kind == "hot" else YARDSTICK,
        ratio=statistics.median(case.ratios),
        floor=case.floor,
        goal=case.goal,
    )
