"""The BFF killed in the middle of a rush at one red packet, on the running product, over HTTP.

Every phone asks again with the same key: whoever had heard before hears the same, as many as there
are shares have one, the others hear that they are too late, and the books have each share once.
"""

import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from e2e.wallet import Wallet
from tests.bench.crowd import TOPUP_FEN, Crowd
from tests.conftest import enterable
from tests.mobile_api.steps import yuan
from tests.phone import Phone

pytestmark = [pytest.mark.crash, pytest.mark.timeout(500)]

PHONES, SHARES, TOTAL_FEN = 48, 30, 88_88
WAVE = 6  # phones that ask together: a batch may answer all of them
HEARD = 3  # answers before the kill, at least
HEARD_WITHIN_S = 90  # restart, recovery, and the lease of a write whose process died
TOO_LATE = "packet_empty"


class Told:
    """What each phone heard: the code of a refusal, or its share."""

    def __init__(self, packet_id: str, phones: list[Phone]) -> None:
        self._path = f"/v1/red-packets/{packet_id}/open"
        self._keys = {id(phone): secrets.token_hex(16) for phone in phones}
        self.answers: dict[int, dict[str, Any]] = {}
        self.cut_off = 0
        self.some_heard = asyncio.Event()

    async def ask(self, phone: Phone) -> None:
        """Once; nothing is noted where there is no answer, or one that does not stay."""
        try:
            answer = await phone.post(self._path, {}, self._keys[id(phone)])
        except aiohttp.ClientError:
            self.cut_off += 1
            return
        found = answer.json()
        if answer.is_success or not found["retryable"]:
            self.answers[id(phone)] = found
            if len(self.answers) >= HEARD:
                self.some_heard.set()

    async def ask_all(self, phones: list[Phone]) -> None:
        """In waves, so that a kill finds some who have heard and some who have not."""
        for start in range(0, len(phones), WAVE):
            await asyncio.gather(*(self.ask(phone) for phone in phones[start : start + WAVE]))

    async def insist(self, phone: Phone) -> dict[str, Any]:
        """What the phone hears at last."""
        deadline, before = time.monotonic() + HEARD_WITHIN_S, self.answers.pop(id(phone), None)
        while id(phone) not in self.answers:
            assert time.monotonic() < deadline, "no answer"
            await self.ask(phone)
            await asyncio.sleep(0.2)
        found = self.answers[id(phone)]
        assert before in (None, found), "what was heard is said again"
        return found


@pytest.fixture
async def crowd() -> AsyncIterator[tuple[Wallet, Crowd]]:
    """Each phone has an address of its own; one of them has money."""
    # Not in pytest's own folder: every other pytest that starts closes that to the clusters' users.
    with (
        tempfile.TemporaryDirectory(prefix="yipay-rush-", ignore_cleanup_errors=True) as folder,
        Wallet(enterable(Path(folder))) as wallet,
    ):
        crowd = Crowd(wallet, PHONES)
        await crowd.enter(funded=1)
        yield wallet, crowd
        await crowd.close()


async def test_the_bff_killed_in_a_rush(crowd: tuple[Wallet, Crowd]) -> None:
    wallet, phones = crowd[0], crowd[1].phones
    sender = phones[0]
    wanted = {"kind": "lucky", "count": SHARES} | yuan(TOTAL_FEN)
    sent = (await sender.consent(await sender.post("/v1/red-packets", wanted))).json()
    told = Told(sent["id"], phones)
    bff = wallet.part("serve", "bff")
    asking = asyncio.create_task(told.ask_all(phones))
    await told.some_heard.wait()
    bff.kill()
    await asking
    assert told.cut_off, "the kill came in the middle"
    found = await asyncio.gather(*(told.insist(phone) for phone in phones))
    shares = [one for one in found if "amount" in one]
    assert [one["code"] for one in found if "amount" not in one] == [TOO_LATE] * (PHONES - SHARES)
    assert sorted(one["position"] for one in shares) == list(range(SHARES))
    assert sum(one["amount"]["amount"] for one in shares) == TOTAL_FEN
    await _until_posted(sender, sent["id"])
    got = [one["amount"]["amount"] if "amount" in one else 0 for one in found]
    balances = await asyncio.gather(*(phone.done(phone.get("/v1/balance")) for phone in phones))
    got[0] += TOPUP_FEN - TOTAL_FEN
    assert [one["available"]["amount"] for one in balances] == got
    proof = await sender.done(sender.get(f"/v1/red-packets/{sent['id']}/proof"))
    assert proof["fair"]
    assert proof["amounts"] == [
        one["amount"]["amount"] for one in sorted(shares, key=lambda one: one["position"])
    ]
    await _audit(wallet)


async def _until_posted(sender: Phone, packet_id: str) -> None:
    """What was decided follows into the books by itself."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while True:
        detail = await sender.done(sender.get(f"/v1/red-packets/{packet_id}/detail"))
        assert len(detail["shares"]) == SHARES
        if {share["status"] for share in detail["shares"]} == {"posted"}:
            return
        assert time.monotonic() < deadline, detail
        await asyncio.sleep(0.5)


async def _audit(wallet: Wallet) -> None:
    audit = [sys.executable, "-m", "backend.cli", "audit"]
    found = await asyncio.to_thread(
        subprocess.run, audit, env=wallet.environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
