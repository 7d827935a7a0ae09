"""Processes killed in the middle of a request, on the running product: the phone asks again with
the same key until it hears, and every payment was made once."""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.wallet import Wallet
from tests.bench.crowd import TOPUP_FEN, Crowd
from tests.conftest import enterable
from tests.mobile_api.steps import yuan
from tests.phone import Phone

pytestmark = [pytest.mark.crash, pytest.mark.timeout(500)]

FEN = 1_00
ROUNDS = ("bff", "ledger", "risk", "bff", "ledger", "risk", "bff")
KILL_WITHIN_MS = 60  # of the start of a request
HEARD_WITHIN_S = 90  # restart, recovery, and the lease of a write whose process died


@pytest.fixture
async def crowd() -> AsyncIterator[tuple[Wallet, Phone, Phone]]:
    """A payer with money and a shop's phone, on connections of their own."""
    # Not in pytest's own folder: every other pytest that starts closes that to the clusters' users.
    with (
        tempfile.TemporaryDirectory(prefix="yipay-crash-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as wallet,
    ):
        crowd = Crowd(wallet, 1)
        await crowd.enter()
        async with httpx.AsyncClient(base_url=wallet.url, timeout=10) as client:
            for phone in (*crowd.phones, crowd.shop):
                phone.client = client
            yield wallet, crowd.phones[0], crowd.shop
        await crowd.close()


async def test_killed_mid_request(crowd: tuple[Wallet, Phone, Phone]) -> None:
    wallet, payer, shop = crowd
    payments = set()
    for part in ROUNDS:
        order = await _heard(shop, "/v1/till/orders", yuan(FEN), secrets.token_hex(16))
        body, key = {"order": order["id"]} | yuan(FEN), secrets.token_hex(16)
        asking = asyncio.create_task(payer.post("/v1/payments", body, key))
        await asyncio.sleep(secrets.randbelow(KILL_WITHIN_MS) / 1000)
        wallet.part("serve", part).kill()
        with suppress(httpx.TransportError):
            await asking
        paid = await _heard(payer, "/v1/payments", body, key)
        assert paid["status"] == "posted"
        assert paid == await _heard(payer, "/v1/payments", body, key)
        payments.add(paid["id"])
    assert len(payments) == len(ROUNDS)
    balance = await payer.done(payer.get("/v1/balance"))
    assert balance["available"] == yuan(TOPUP_FEN - FEN * len(ROUNDS))["amount"]
    today = await shop.done(shop.get("/v1/shop/today"))
    sums = (today["today"]["count"], today["today"]["amount"]["amount"])
    assert sums == (len(ROUNDS), FEN * len(ROUNDS))
    audit = [sys.executable, "-m", "backend.cli", "audit"]
    found = await asyncio.to_thread(
        subprocess.run, audit, env=wallet.environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


async def _heard(phone: Phone, path: str, body: Any, key: str) -> dict[str, Any]:
    """Again, with the same key, until there is an answer that stays."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while True:
        told = "no answer"
        with suppress(httpx.TransportError):
            answer = await phone.post(path, body, key)
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            told = answer.text
            assert answer.json()["retryable"], told
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.3)
