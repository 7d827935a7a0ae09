"""The web face over real systems, and browsers to visit it with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from litestar import Litestar

from backend.settings import Settings
from tests.passkey import Passkey
from tests.web.browser import Browser, client_of
from tests.web.shared import serving
from tests.world import World, open_world

Visitor = Callable[[], Awaitable[Browser]]
SignedUp = Callable[..., Awaitable[tuple[Browser, Passkey]]]


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made


@pytest.fixture
async def app(world: World) -> AsyncIterator[Litestar]:
    async with serving(world.settings, world.services, world.clock) as made:
        yield made


@pytest.fixture
async def visitor(app: Litestar) -> AsyncIterator[Visitor]:
    """Makes browsers that know nothing of each other."""
    async with AsyncExitStack() as stack:

        async def make() -> Browser:
            return Browser(await stack.enter_async_context(client_of(app)))

        yield make


@pytest.fixture
async def browser(visitor: Visitor) -> Browser:
    return await visitor()


@pytest.fixture
def signed_up(visitor: Visitor, world: World) -> SignedUp:
    """Opens a wallet through the pages."""

    async def make(phone: str = "13912345678", name: str = "安娜") -> tuple[Browser, Passkey]:
        browser, key = await visitor(), Passkey()
        await browser.open("/sign-up")
        await browser.send("/sign-up", {"country": "+86", "phone": phone})
        await browser.send("/sign-up/code", {"code": world.sms.codes[f"+86{phone}"]})
        answer = await browser.ceremony("/sign-up/passkey", key, {"display_name": name})
        assert answer.status_code == 200, answer.text
        return browser, key

    return make
