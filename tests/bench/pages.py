"""Server time of the wallet's pages and the weight of the first load, on the whole product."""

import re
import tempfile
import time
from pathlib import Path

import httpx

from e2e.wallet import Wallet
from tests.bench.cluster import Bench
from tests.bench.report import Row
from tests.conftest import enterable

FLOOR_MS, GOAL_MS = 25.0, 10.0  # p95 of any page
FLOOR_KB, GOAL_KB = 80.0, 50.0  # first load of home, compressed
ROUNDS, QUICK_ROUNDS = 200, 40

CONSUMER = ("/", "/bills", "/topups/new", "/cards", "/security", "/limits", "/scan")
SHOP = ("/shop", "/cashier", "/bills")


class Reader:
    """A browser as far as pages go. Its cookies are Secure, which httpx keeps off plain http."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Sec-Fetch-Site": "same-origin"})
        self._cookies: dict[str, str] = {}

    def get(self, path: str) -> httpx.Response:
        return self._keep(self._client.get(path, headers=self._headers()))

    def enter(self, role: str) -> None:
        """By the demo's one-tap door."""
        token = re.search(r'name="_csrf_token" value="([^"]+)"', self.get("/welcome").text)
        assert token is not None
        answer = self._client.post(
            f"/demo/{role}", data={"_csrf_token": token[1]}, headers=self._headers()
        )
        assert answer.status_code == 303, answer.status_code
        self._keep(answer)

    def p95_ms(self, path: str, rounds: int) -> float:
        """After a few for warming up, one after the other."""
        took = []
        for number in range(rounds + 5):
            started = time.perf_counter()
            assert self.get(path).status_code == 200, path
            if number >= 5:
                took.append((time.perf_counter() - started) * 1000)
        return sorted(took)[int(len(took) * 0.95)]

    def weight_kb(self, path: str) -> float:
        """Of the page and every style sheet, script and icon it names, as sent."""
        page = self.get(path)
        parts = set(re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js|svg))"', page.text))
        return sum(_sent(r) for r in (page, *(self.get(part) for part in parts))) / 1000

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}

    def _keep(self, answer: httpx.Response) -> httpx.Response:
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer


def _sent(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.url
    return answer.num_bytes_downloaded


def run(_: Bench, quick: bool) -> list[Row]:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with (
        tempfile.TemporaryDirectory(prefix="yipay-bench-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as wallet,
    ):
        consumer, shop = Reader(wallet.url), Reader(wallet.url)
        consumer.enter("consumer")
        shop.enter("shop")
        rows = [_page(consumer, path, rounds) for path in CONSUMER]
        rows += [_page(shop, path, rounds) for path in SHOP]
        return [*rows, _weight(consumer)]


def _page(reader: Reader, path: str, rounds: int) -> Row:
    took = reader.p95_ms(path, rounds)
    return Row(
        name=f"page {path}, p95 with the connection",
        rate=took,
        unit="ms",
        yardstick=f"{FLOOR_MS:g} ms",
        ratio=took / FLOOR_MS,
        floor=1,
        goal=GOAL_MS / FLOOR_MS,
        at_most=True,
    )


def _weight(reader: Reader) -> Row:
    weight = reader.weight_kb("/")
    return Row(
        name="first load of home, compressed",
        rate=weight,
        unit="KB",
        yardstick=f"{FLOOR_KB:g} KB",
        ratio=weight / FLOOR_KB,
        floor=1,
        goal=GOAL_KB / FLOOR_KB,
        at_most=True,
    )
