"""The whole way of a top-up: a sandbox bank over HTTP, its call-backs, risk, ledger, and faults."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from aiohttp import web

from backend import ids, keys
from backend.banking import BankGateway, BindCard, Card, ConfirmCard, StartTopUp, TopUp
from backend.banking.gateway import HttpBank
from backend.banking.service import BankingService
from backend.bankword import BankStatement, message
from backend.bills.service import BillsService
from backend.errors import DomainError, Unavailable
from backend.events import Events
from backend.events.service import EventsService
from backend.ledger import Ledger
from backend.ledger.service import running
from backend.risk import BankWord, Risk
from backend.risk.service import build
from backend.sandbox import bank as sandbox_bank
from backend.sandbox.bank_book import Pace
from backend.sandbox.cards import number
from backend.settings import Settings
from tests.ports import free_port
from tests.world import SmsBox

QUICK = Pace(hang_s=5.0, settle_s=3.2, late_s=2.5, contradict_s=0.3, early_s=1.0)
BANK_TIMEOUT_S = 2.5
PHONES = SmsBox()


class TravelClock:
    """The machine's time, moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead  # noqa: TID251

    def move(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Crash(BaseException):
    """The process dies here: nothing may catch it on its way."""


class Faulty:
    """A service that fails at chosen calls: `before` it is carried out, or `after`.

    Keys are names of methods, or "name#2" for its second call.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.before: dict[str, BaseException] = {}
        self.after: dict[str, BaseException] = {}
        self.down = False
        self.calls: list[str] = []

    def heal(self) -> None:
        self.calls.clear()
        self.before.clear()
        self.after.clear()
        self.down = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def call(*args: Any) -> Any:
            self.calls.append(name)
            nth = f"{name}#{self.calls.count(name)}"
            if self.down:
                raise Unavailable()
            if error := self.before.get(name) or self.before.get(nth):
                raise error
            result = await method(*args)
            if error := self.after.get(name) or self.after.get(nth):
                raise error
            return result

        return call


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """For what the bank, a process of its own, does in its own time."""
    async with asyncio.timeout(20):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class World:
    """A banking service and all that is around it."""

    def __init__(self, settings: Settings, clock: TravelClock, ledger: Ledger, risk: Risk) -> None:
        self.settings, self.clock = settings, clock
        self.books, self.ledger, self.risk = ledger, Faulty(ledger), Faulty(risk)
        self.bank = Faulty(HttpBank(settings.bank_url, timeout_s=BANK_TIMEOUT_S))
        self.bills = BillsService()
        self.events = Faulty(EventsService(settings.tx_url))
        self.http = aiohttp.ClientSession()
        self.heard: list[str] = []
        self.deaf = False
        self.banking = self.rebuild()

    def rebuild(self) -> BankingService:
        """As after a restart, or with another bank."""
        self.banking = BankingService(
            bank=cast(BankGateway, self.bank),
            ledger=cast(Ledger, self.ledger),
            risk=cast(Risk, self.risk),
            bills=self.bills,
            events=cast(Events, self.events),
            clock=self.clock,
            bank_keys=Path(self.settings.bank_keys),
            history=True,
        )
        return self.banking

    # -- the bank's side ------------------------------------------------------------------------

    async def take_callback(self, request: web.Request) -> web.Response:
        if self.deaf:
            return web.Response(status=503)
        word = msgspec.json.decode(await request.read(), type=BankWord)
        try:
            await self.banking.bank_said(word)
        except DomainError as refusal:
            self.heard.append(refusal.code)
            return web.Response(status=400)
        self.heard.append("")
        return web.Response(status=204)

    def word(self, outcome: str = "paid", signer: keys.Signer | None = None, **of: Any) -> BankWord:
        """As the bank would sign it, of an order `of`: topup_id, person_id, amount_fen."""
        signer = signer or keys.FileSigner(self.settings.path("bank-keys"), "bank")
        signed = message(
            BankStatement(
                of["topup_id"],
                of["person_id"],
                of["amount_fen"],
                of.get("currency", "CNY"),
                outcome,
                1,
                of.get("token", ""),
            )
        )
        return BankWord(signed, signer.key_id, signer.sign(signed))

    async def custody(self) -> int:
        async with self.http.get(f"{self.settings.bank_url}/custody") as answer:
            return int((await answer.json())["total_fen"])

    async def code(self) -> str:
        """The newest on the bank's statement page, read as a person would."""
        async with self.http.get(f"{self.settings.bank_url}/statement") as answer:
            found = re.search(r"验证码 (\d{4})", await answer.text())
        assert found
        return found[1]

    # -- what people do -------------------------------------------------------------------------

    async def offered(self, person_id: str, last4: str = "0001") -> Card:
        return await self.banking.bind_card(
            BindCard(
                card_id=ids.new("crd"),
                person_id=person_id,
                number=number("622200", last4),
                holder="张三",
            )
        )

    async def card(self, person_id: str, last4: str = "0001") -> Card:
        card = await self.offered(person_id, last4)
        return await self.banking.confirm_card(
            ConfirmCard(card_id=card.card_id, person_id=person_id, code=await self.code())
        )

    async def order(self, last4: str = "0001", amount_fen: int = 100_00) -> StartTopUp:
        """A new person with a bound card, about to tap "top up"."""
        person_id = ids.new("usr")
        card = await self.card(person_id, last4)
        return StartTopUp(
            topup_id=ids.new("top"),
            person_id=person_id,
            card_id=card.card_id,
            amount_fen=amount_fen,
        )

    async def seen(self, start: StartTopUp) -> TopUp:
        return await self.banking.topup(start.person_id, start.topup_id)

    async def until(self, start: StartTopUp, status: str, *, sweeping: bool = True) -> TopUp:
        """Wait for a state, while the worker's sweeper runs with a quick clock."""

        async def reached() -> bool:
            if sweeping:
                await self.sweep()
            return (await self.seen(start)).status == status

        await until(reached)
        return await self.seen(start)

    def heal(self) -> None:
        for part in (self.bank, self.ledger, self.risk, self.events):
            part.heal()

    async def sweep(self) -> int:
        self.clock.move(15)
        return await self.banking.sweep()

    # -- the books ------------------------------------------------------------------------------

    async def balance(self, account_id: str) -> int:
        found = await self.books.balances((account_id,))
        return int(found[0].posted_fen) if found else 0

    async def wallet(self, start: StartTopUp) -> int:
        return await self.balance(f"person:{start.person_id}")

    async def check_books(self, *people: str) -> None:
        """All settled: the sum is 0, nothing in transit, and the bank has what the books say."""
        clearing, transit = await self.balance("bank:clearing"), await self.balance("bank:transit")
        owned = sum([await self.balance(f"person:{person_id}") for person_id in people])
        assert transit == 0
        assert clearing + owned == 0
        assert await self.custody() == -clearing

    async def close(self) -> None:
        await self.http.close()
        await self.events.close()


@pytest.fixture
def places(settings: Settings) -> Settings:
    return msgspec.structs.replace(
        settings, port=free_port(), bank_url=f"http://127.0.0.1:{free_port()}"
    )


@pytest.fixture
async def bank_stopped(places: Settings) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The sandbox bank runs; call the answer to stop it."""
    stopping = await sandbox_bank.serve(places, pace=QUICK)
    stopped = False

    async def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            await stopping()

    yield stop
    await stop()


@pytest.fixture
async def world(
    databases: Settings, places: Settings, bank_stopped: Callable[[], Awaitable[None]]
) -> AsyncIterator[World]:
    clock = TravelClock()  # one for all, so that a verdict lives as long as it should
    async with running(places, clock) as ledger:
        made = World(places, clock, ledger, build(places, clock, PHONES, audited=False))
        app = web.Application()
        app.router.add_post(sandbox_bank.CALLBACK_PATH, made.take_callback)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", places.port).start()
        yield made
        await runner.cleanup()
        await made.bank._inner.close()
        await made.close()
