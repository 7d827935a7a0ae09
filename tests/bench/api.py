"""Whole operations over the JSON API: token, proof by the phone's key, verdict, posting, commit.

64 virtual phones against the running product on loopback, the load generator on the same machine.
Beside them in the same run: pgbench TPC-B, and a bare Litestar that echoes JSON.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvloop

from e2e.wallet import Wallet
from tests.bench.cluster import Bench
from tests.bench.crowd import Crowd, money
from tests.bench.report import Row
from tests.conftest import enterable
from tests.phone import Phone
from tests.ports import free_port

PHONES = 64
TPCB_CLIENTS = 8
PAYMENTS, QUICK_PAYMENTS = 8, 3  # of each phone; ten a day go without a passkey
PACKETS, QUICK_PACKETS = 10, 3  # that each phone opens, twice; a new wallet may open twenty a day
SMALL_FEN = 1_00
BIG_FEN = 501_00  # takes a passkey
PARTS = ("bff", "risk", "ledger", "worker")

Order = dict[str, Any]
Work = Callable[[Phone, int], Awaitable[None]]


class Measured:
    """Seconds, each operation's milliseconds, and CPU seconds by part of the product."""

    def __init__(self, seconds: float, took_ms: Sequence[float], cpu: dict[str, float]) -> None:
        self.rate = len(took_ms) / seconds
        ordered = sorted(took_ms)
        self.p50, self.p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        self.cpu_ms = {part: spent * 1000 / len(took_ms) for part, spent in cpu.items()}


def run(bench: Bench, quick: bool) -> list[Row]:
    tpcb = bench.tpcb(TPCB_CLIENTS, 5 if quick else 15)
    with _echo() as url:
        echo = uvloop.run(_echoes(url, 3 if quick else 8))
    with (
        tempfile.TemporaryDirectory(prefix="yipay-bench-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as wallet,
    ):
        rows = uvloop.run(_all(wallet, quick, tpcb))
    told = Row(name=f"yardstick: bare Litestar echo, {PHONES} clients", rate=echo)
    return [told, *rows, *_against_echo(rows, echo)]


async def _all(wallet: Wallet, quick: bool, tpcb: float) -> list[Row]:
    crowd = Crowd(wallet, PHONES)
    try:
        await crowd.enter()
        count = QUICK_PAYMENTS if quick else PAYMENTS
        small = await _payments(wallet, crowd, count, SMALL_FEN)
        rows = _rows("payment, one tap, 64 phones", small, tpcb, 0.4, 1)
        big = await _payments(wallet, crowd, count, BIG_FEN)
        rows += _rows("payment with a passkey (2 calls), 64 phones", big, tpcb, 0.4, 1)
        turns = QUICK_PACKETS if quick else PACKETS
        opened = await _openings(wallet, crowd, turns)
        rows += _rows("red-packet opening, one hot packet after another", opened, tpcb, 0.5, 1)
        opened = await _openings(wallet, crowd, turns, packets=PHONES)
        return rows + _rows("red-packet opening, 64 packets at a time", opened, tpcb, 0.5, 1)
    finally:
        await crowd.close()


async def _payments(wallet: Wallet, crowd: Crowd, count: int, amount_fen: int) -> Measured:
    """The till's orders are open before the clock runs."""
    return await pay_orders(wallet, crowd, await orders_of(crowd, count, amount_fen))


async def orders_of(crowd: Crowd, count: int, amount_fen: int) -> list[list[Order]]:
    """So many for each phone."""
    wanted = {"amount": money(amount_fen)}
    opening = (
        [crowd.shop.api.create_till_order(wanted) for _ in range(count)] for _ in crowd.phones
    )
    return [list(await asyncio.gather(*each)) for each in opening]


async def pay_orders(wallet: Wallet, crowd: Crowd, orders: list[list[Order]]) -> Measured:
    async def pay(phone: Phone, turn: int) -> None:
        order = orders[crowd.phones.index(phone)][turn]
        wanted = {"order": order["id"], "amount": money(order["amount"]["amount"])}
        begun = await phone.api.create_payment(wanted)
        payment = await phone.agreed(begun, "confirm_payment", payment_id=begun["id"])
        assert payment["status"] == "posted", payment

    return await _measure(wallet, crowd.phones, pay, len(orders[0]))


async def _openings(wallet: Wallet, crowd: Crowd, count: int, packets: int = 1) -> Measured:
    """Each packet has a share for every phone. All phones open `count`: they are at so many packets
    at a time, and then each goes on to the next."""

    async def send(phone: Phone) -> str:
        wanted = {"kind": "lucky", "amount": money(PHONES * 10), "count": PHONES}
        begun = await phone.api.create_red_packet(wanted)
        done = await phone.agreed(begun, "confirm_red_packet", packet_id=begun["id"])
        return str(done["id"])

    sent = await asyncio.gather(*map(send, crowd.phones[: max(count, packets)]))

    async def open_(phone: Phone, turn: int) -> None:
        place = turn + crowd.phones.index(phone) % packets
        await phone.api.open_red_packet({}, packet_id=sent[place % len(sent)])

    return await _measure(wallet, crowd.phones, open_, count)


async def _measure(wallet: Wallet, phones: Sequence[Phone], work: Work, count: int) -> Measured:
    took: list[float] = []

    async def one(phone: Phone) -> None:
        for turn in range(count):
            started = time.perf_counter()
            await work(phone, turn)
            took.append((time.perf_counter() - started) * 1000)

    before, started = _cpu(wallet), time.perf_counter()
    await asyncio.gather(*(one(phone) for phone in phones))
    seconds, after = time.perf_counter() - started, _cpu(wallet)
    return Measured(seconds, took, {part: after[part] - before[part] for part in after})


def _cpu(wallet: Wallet) -> dict[str, float]:
    """CPU seconds so far, of each part, of PostgreSQL and of this load generator."""
    spent: dict[str, float] = {}
    for process in psutil.Process(wallet.process.pid).children(recursive=True):
        try:
            times, line = process.cpu_times(), process.cmdline()
        except psutil.NoSuchProcess:
            continue
        part = next((word for word in PARTS if word in line), "PostgreSQL and the rest")
        spent[part] = spent.get(part, 0.0) + times.user + times.system
    own = psutil.Process().cpu_times()
    return spent | {"load generator": own.user + own.system}


def _rows(name: str, found: Measured, tpcb: float, floor: float, goal: float) -> list[Row]:
    main = Row(
        name=name,
        rate=found.rate,
        yardstick="TPC-B",
        ratio=found.rate / tpcb,
        floor=floor,
        goal=goal,
    )
    slow = Row(
        name="  p99",
        rate=found.p99,
        unit="ms",
        yardstick="250 ms",
        ratio=found.p99 / 250,
        floor=1,
        goal=80 / 250,
        at_most=True,
    )
    told = [Row(name="  p50", rate=found.p50, unit="ms")]
    told += [
        Row(name=f"  CPU each: {part}", rate=spent, unit="ms")
        for part, spent in sorted(found.cpu_ms.items(), key=lambda item: -item[1])
    ]
    return [main, slow, *told]


def _against_echo(rows: Sequence[Row], echo: float) -> list[Row]:
    return [
        Row(
            name=f"{row.name}, beside the echo",
            rate=row.rate,
            yardstick="echo",
            ratio=row.rate / echo,
        )
        for row in rows
        if row.yardstick == "TPC-B"
    ]


@contextmanager
def _echo() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.echo", str(port)])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


async def _echoes(url: str, seconds: float) -> float:
    done = 0
    async with aiohttp.ClientSession(url) as session:
        while True:  # until it serves
            try:
                await session.get("/")
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
        until = time.perf_counter() + seconds

        async def one() -> None:
            nonlocal done
            while time.perf_counter() < until:
                async with session.post("/api/v1/echo", json={"amount": 2300}) as answer:
                    assert (await answer.json()) == {"amount": 2300}
                done += 1

        await asyncio.gather(*(one() for _ in range(PHONES)))
    return done / seconds
