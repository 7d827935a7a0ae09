"""Into the demo with one tap, as far as a browser sees it."""

from collections.abc import AsyncIterator

import pytest

from backend.demo import seed
from backend.services import Services
from backend.settings import Settings
from tests.passkey import Passkey
from tests.web.browser import Browser, client_of
from web.app import create_app
from web.security import cookies


@pytest.fixture
async def browser(demo: Settings, product: Services) -> AsyncIterator[Browser]:
    await seed(demo)
    app = create_app(demo, product)
    async with app.lifespan(), client_of(app) as client:
        yield Browser(client)


async def test_one_tap_each(browser: Browser) -> None:
    page = await browser.open("/welcome")
    assert 'class="demo"' in page.text
    for role, first in (("consumer", "/"), ("shop", "/shop")):
        await browser.open("/welcome")
        if browser.page.url.path != "/welcome":
            await browser.open("/security")
            await browser.send("/sign-out")
        answer = await browser.send(f"/demo/{role}")
        assert (answer.status_code, browser.page.url.path) == (200, first)
        assert 'class="demo"' in answer.text
        assert cookies.DEVICE in browser.client.cookies


async def test_adding_a_passkey_to_a_demo_device(browser: Browser) -> None:
    await browser.open("/welcome")
    await browser.send("/demo/consumer")
    page = await browser.open("/security")
    assert "No passkey" in page.text
    key = Passkey()
    await browser.ceremony("/devices", key)
    assert browser.page.url.path == "/security"
    assert "Passkey on this device only" in browser.page.text
    await browser.send("/sign-out")
    await browser.open("/sign-in")
    await browser.ceremony("/sign-in", key)
    assert browser.page.url.path == "/"


async def test_there_are_no_other_roles(browser: Browser) -> None:
    await browser.open("/welcome")
    token = browser.form("/demo/shop").fields["_csrf_token"]
    answer = await browser.client.post(
        "/demo/admin", headers={"Sec-Fetch-Site": "same-origin", "x-csrftoken": token}
    )
    assert answer.status_code == 404
