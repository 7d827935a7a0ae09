"""The demo shows where the codes are that a phone or a bank would bring; nothing else does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from backend.sandbox.cards import luhn
from tests.passkey import Passkey
from tests.web.browser import Browser, client_of
from tests.web.conftest import SignedUp
from tests.world import World
from web.app import create_app

SMS, BANK = "http://127.0.0.1:8003", "http://127.0.0.1:8004"


@pytest.fixture
async def guest(world: World) -> AsyncIterator[Browser]:
    """A visitor of a wallet in demo mode."""
    settings = msgspec.structs.replace(world.settings, demo=True, sms_url=SMS, bank_url=BANK)
    app = create_app(settings, world.services, world.clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.lifespan())
        yield Browser(await stack.enter_async_context(client_of(app)))


def _opens_tab(page: str, address: str) -> bool:
    return f'href="{address}" target="_blank" rel="noopener"' in page


async def test_the_code_is_one_tap_away(guest: Browser) -> None:
    assert _opens_tab((await guest.open("/sign-up")).text, SMS)
    await guest.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    assert guest.page.url.path == "/sign-up/code"
    assert _opens_tab(guest.page.text, SMS)


async def test_elsewhere_no_page_speaks_of_a_sandbox(browser: Browser, signed_up: SignedUp) -> None:
    assert "sandbox" not in (await browser.open("/sign-up")).text
    person, _ = await signed_up()
    form = (await person.open("/cards/new?fill=test")).text
    assert "_blank" not in form
    assert "622200" not in form


async def test_a_test_card_fills_itself_in(guest: Browser, world: World) -> None:
    await guest.open("/sign-up")
    await guest.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await guest.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    await guest.ceremony("/sign-up/passkey", Passkey(), {"display_name": "Anna"})
    assert _opens_tab((await guest.open("/cards/new")).text, BANK)
    await guest.open("/cards/new?fill=test")
    fields = guest.form("/cards").fields
    assert luhn(fields["number"])
    assert fields["holder"] == "Anna"
