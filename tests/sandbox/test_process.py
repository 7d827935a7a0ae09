"""The sandbox bank as a process: killed at any moment, it knows what it has signed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import aiohttp
import pytest

from backend import ids
from backend import settings as settings_module
from backend.settings import Settings
from tests.sandbox.conftest import Said
from tests.sandbox.test_bank import Customer

RUN = (
    "import asyncio; from backend import settings; from backend.sandbox import bank; "
    "asyncio.run(bank.run(settings.load()))"
)
ROUNDS, ORDERS = 4, 12


class Process:
    def __init__(self, settings: Settings) -> None:
        self._environment = settings_module.to_environment(settings) | {"PATH": os.defpath}
        self.url = settings.bank_url
        self._child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._child = self._spawn()
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                try:
                    async with http.get(f"{self.url}/custody"):
                        return
                except aiohttp.ClientError:
                    assert self._child.poll() is None, "the bank did not start"
                    await asyncio.sleep(0.05)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", RUN], env=self._environment)

    def kill(self) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait()
            self._child = None


@pytest.fixture
def process(places: Settings) -> Iterator[Process]:
    made = Process(places)
    yield made
    made.kill()


@pytest.mark.crash
async def test_killed_under_load_it_keeps_its_word(
    process: Process, http: aiohttp.ClientSession
) -> None:
    customer, said = Customer(http, process.url), dict[str, Said]()
    await process.start()
    token = await customer.card()

    async def order(order_id: str) -> None:
        with suppress(aiohttp.ClientError):  # killed before it answered: who knows
            said[order_id] = await customer.debit(token, 1_00, order_id)

    for _ in range(ROUNDS):
        orders = [asyncio.create_task(order(ids.new("top"))) for _ in range(ORDERS)]
        await asyncio.sleep(0.03)
        process.kill()
        await asyncio.gather(*orders)
        await process.start()
        for order_id, answer in said.items():
            assert await customer.find(order_id) == answer
    assert said
    assert await customer.custody() >= len(said) * 1_00
