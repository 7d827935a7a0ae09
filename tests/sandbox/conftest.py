"""A sandbox bank and a sandbox SMS on free ports, and a wallet that takes call-backs."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from backend.sandbox import bank, sms
from backend.sandbox.bank_book import Pace
from backend.settings import Settings
from tests.ports import free_port

QUICK = Pace(hang_s=0.6, settle_s=0.4, late_s=0.6, contradict_s=0.3, early_s=1.5)


@pytest.fixture
def places(tmp_path: Path) -> Settings:
    """Settings whose services listen on free ports and keep their files in the test's folder."""
    return Settings(
        data_dir=str(tmp_path),
        bank_keys=str(tmp_path / "bank.json"),
        keys_dir=str(tmp_path / "keys"),
        verdict_keys=str(tmp_path / "verdict.json"),
        port=free_port(),
        bank_url=f"http://127.0.0.1:{free_port()}",
        sms_url=f"http://127.0.0.1:{free_port()}",
    )


class Wallet:
    """Takes call-backs; answers 500 to the first `failures` of them."""

    def __init__(self) -> None:
        self.failures = 0
        self.words: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        if self.failures:
            self.failures -= 1
            return web.Response(status=500)
        self.words.append(await request.read())
        return web.Response(status=204)


@pytest.fixture
async def wallet(places: Settings) -> AsyncIterator[Wallet]:
    taker = Wallet()
    app = web.Application()
    app.router.add_post(bank.CALLBACK_PATH, taker.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", places.port).start()
    yield taker
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def bank_url(places: Settings) -> AsyncIterator[str]:
    stop = await bank.serve(places, pace=QUICK)
    yield places.bank_url
    await stop()


@pytest.fixture
async def sms_url(places: Settings) -> AsyncIterator[str]:
    stop = await sms.serve(places)
    yield places.sms_url
    await stop()


class Said(msgspec.Struct):
    """What the bank answers about an order."""

    outcome: str
    reason: str
    word: tuple[bytes, str, bytes] | None
