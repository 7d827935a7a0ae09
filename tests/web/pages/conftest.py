"""People who are signed in already, with money, cards and shops: the pages start there."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import httpx
import msgspec
import pytest

from backend.identity import IDLE_LIFE, OpenSession
from backend.merchant import Shop
from backend.payments import Order
from backend.sandbox import bank as sandbox_bank
from backend.sandbox.bank_book import Pace
from backend.settings import Settings
from tests.ports import free_port
from tests.web.browser import PARTIAL, Browser
from tests.web.conftest import Visitor
from tests.world import Wallet, World, open_world
from web.security import cookies

QUICK = Pace(hang_s=1.0, settle_s=0.5, late_s=0.5, contradict_s=0.3, early_s=0.3)


class Guest(msgspec.Struct):
    """A person at a browser, signed in."""

    browser: Browser
    wallet: Wallet
    world: World
    signed_in_at: datetime

    async def awake(self) -> None:
        """Signed in again where the clock was moved on: making a person takes half a day."""
        if self.world.clock.now() - self.signed_in_at > IDLE_LIFE / 2:
            self.signed_in_at = await give_session(self.browser, self.world, self.wallet)

    async def see(self, path: str) -> httpx.Response:
        await self.awake()
        return await self.browser.open(path)

    async def part(self, path: str) -> httpx.Response:
        """The same address as htmx asks for it; the page on screen stays."""
        await self.awake()
        before = self.browser.page
        try:
            return await self.browser.open(path, **PARTIAL)
        finally:
            self.browser.page = before

    async def tap(self, action: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Submit a form of the page, as browsers do without htmx."""
        return await self.browser.send(action, fields)

    async def sign(self, action: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Submit a form of the page with the passkey."""
        return await self.browser.ceremony(action, self.wallet.passkey, fields)

    async def tap_htmx(self, action: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Submit a form of the page, as htmx does."""
        form = self.browser.form(action)
        headers = PARTIAL | {"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"}
        data = form.fields | (fields or {})
        return await self.browser.client.post(action, data=data, headers=headers)


Enter = Callable[..., Awaitable[Guest]]


class Till(msgspec.Struct):
    """A shop, and its owner at the till."""

    owner: Guest
    shop: Shop
    world: World

    async def order(self, amount_fen: int = 23_00) -> Order:
        return await self.world.order(self.shop, amount_fen)


@pytest.fixture
def enter(visitor: Visitor, world: World) -> Enter:
    """Somebody with this balance, signed in; other arguments as of World.person."""

    async def make(balance: int = 0, **person: object) -> Guest:
        wallet = await world.person(balance, **person)  # type: ignore[arg-type]
        return await sign_in(await visitor(), world, wallet)

    return make


async def sign_in(browser: Browser, world: World, wallet: Wallet) -> Guest:
    await world.services.identity.set_language(wallet.person_id, "en")
    return Guest(browser, wallet, world, await give_session(browser, world, wallet))


async def give_session(browser: Browser, world: World, wallet: Wallet) -> datetime:
    device_id = await world.services.risk.device_of(wallet.device_secret)
    opened = await world.services.identity.open_session(
        OpenSession(person_id=wallet.person_id, device_id=device_id, label="test")
    )
    browser.client.cookies.set(cookies.SESSION, opened.token)
    browser.client.cookies.set(cookies.DEVICE, wallet.device_secret)
    return world.clock.now()


@pytest.fixture
async def till(enter: Enter, world: World) -> Till:
    owner = await enter(name="老王")
    return Till(owner, await world.shop(owner.wallet), world)


@pytest.fixture
async def bank_world(databases: Settings) -> AsyncIterator[World]:
    """A world whose bank answers."""
    settings = msgspec.structs.replace(
        databases, port=free_port(), bank_url=f"http://127.0.0.1:{free_port()}"
    )
    stop = await sandbox_bank.serve(settings, pace=QUICK)
    async with open_world(settings) as made:
        yield made
    await stop()


async def micro_code(world: World) -> str:
    """The newest on the bank's statement page, read as a person would."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{world.settings.bank_url}/statement")
    found = re.search(r"验证码 (\d{4})", answer.text)
    assert found, answer.text
    return found[1]


def code_path(order: Order) -> str:
    return "/o/" + order.order_id.removeprefix("ord_")
