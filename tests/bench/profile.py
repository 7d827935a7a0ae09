"""Where the time of a whole payment over the JSON API goes: processes, Python by module, databases.

Of 64 phones that pay with one tap. CPU time, which a busy machine does not change; each row is of
one payment.
"""

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import psutil
import uvloop

from e2e.wallet import Wallet
from tests.bench import api
from tests.bench.cluster import Bench
from tests.bench.crowd import Crowd
from tests.bench.inside import Inside, Seen
from tests.bench.report import Row
from tests.bench.sampled import Noted
from tests.conftest import enterable

PARTS = (("serve", "bff"), ("serve", "risk"), ("serve", "ledger"))
STEPS, LIBRARIES, STATEMENTS = 14, 8, 12  # rows of each
WRITTEN_WITHIN_S = 10


class Sampled(Wallet):
    module = "tests.bench.sampled"


def run(bench: Bench, quick: bool) -> list[Row]:
    del bench  # its yardstick says nothing here
    with tempfile.TemporaryDirectory(prefix="yipay-bench-", ignore_cleanup_errors=True) as folder:
        wallet = Sampled(enterable(Path(folder)))
        inside = Inside(wallet)
        with wallet:
            return uvloop.run(_profile(wallet, inside, quick))


async def _profile(wallet: Wallet, inside: Inside, quick: bool) -> list[Row]:
    crowd, count = Crowd(wallet, api.PHONES), api.QUICK_PAYMENTS if quick else api.PAYMENTS
    try:
        await crowd.enter()
        orders = await api.orders_of(crowd, count, api.SMALL_FEN)
        begun = await inside.begin()
        _tell(wallet, signal.SIGUSR1)
        found = await api.pay_orders(wallet, crowd, orders)
        _tell(wallet, signal.SIGUSR2)
        seen = await inside.end(begun)
        noted = {" ".join(words): await _noted(wallet, words[-1]) for words in PARTS}
    finally:
        await crowd.close()
    payments = count * api.PHONES
    rows = [_row(f"CPU: {part}", spent * 1000, "µs") for part, spent in _most(found.cpu_ms)]
    for name, part in noted.items():
        rows += _python(name.removeprefix("serve "), found.cpu_ms, part)
    for system, counts in seen.items():
        rows += _database(system, counts, payments)
    return rows


def _tell(wallet: Wallet, number: signal.Signals) -> None:
    for words in PARTS:
        psutil.Process(wallet.part(*words).pid).send_signal(number)


async def _noted(wallet: Wallet, name: str) -> list[Noted]:
    [file] = [wallet.folder / "data" / "log" / f"{name}.samples"]
    deadline = time.monotonic() + WRITTEN_WITHIN_S
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} was not written"
        await asyncio.sleep(0.05)
    return msgspec.json.decode(file.read_bytes(), type=list[Noted])


def _python(name: str, cpu_ms: dict[str, float], noted: list[Noted]) -> list[Row]:
    """What the part's CPU time went to, by what it was seen at."""
    total = sum(each.times for each in noted)
    each_ms = cpu_ms[name] / total
    steps, libraries = Counter[str](), Counter[str]()
    for each in noted:
        steps[each.step] += each.times
        libraries[each.library] += each.times
    found = [(f"{name}, in {step}", n) for step, n in steps.most_common(STEPS)]
    found += [(f"{name}, code: {whose}", n) for whose, n in libraries.most_common(LIBRARIES)]
    return [_row(what, n * each_ms * 1000, "µs") for what, n in found]


def _database(system: str, seen: Seen, payments: int) -> list[Row]:
    calls = sum(each.calls for each in seen.statements)
    plans = sum(each.plans for each in seen.statements)
    run_ms = sum(each.run_ms for each in seen.statements)
    planned_ms = sum(each.planned_ms for each in seen.statements)
    top = sorted(seen.statements, key=lambda s: -(s.run_ms + s.planned_ms))[:STATEMENTS]
    return [
        _row(f"{system}: statements", calls / payments, ""),
        _row(f"{system}: plans made", plans / payments, ""),
        _row(f"{system}: transactions", seen.transactions / payments, ""),
        _row(f"{system}: flushes of the log", seen.flushes / payments, ""),
        _row(f"{system}: log", seen.log_bytes / payments / 1024, "KB"),
        _row(f"{system}: planning", planned_ms / payments * 1000, "µs"),
        _row(f"{system}: running", run_ms / payments * 1000, "µs"),
        *(
            _row(
                f"{system}, {each.calls / payments:.2f} x {' '.join(each.query.split())[:60]}",
                (each.run_ms + each.planned_ms) / payments * 1000,
                "µs",
            )
            for each in top
        ),
    ]


def _most(cpu_ms: dict[str, float]) -> Iterable[tuple[str, float]]:
    return sorted(cpu_ms.items(), key=lambda item: -item[1])


def _row(name: str, rate: float, unit: str) -> Row:
    return Row(name=name, rate=rate, unit=unit)
