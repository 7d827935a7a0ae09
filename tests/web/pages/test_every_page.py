"""Each address once as a page and once as a part, signed in and not, in both languages."""

import pytest

from tests.web.browser import Browser
from tests.web.pages.conftest import Enter, Till, code_path
from tests.world import World

PERSONAL = [
    "/",
    "/scan",
    "/bills",
    "/topups/new",
    "/withdrawals/new",
    "/cards",
    "/cards/new",
    "/friends",
    "/send",
    "/requests",
    "/packets",
    "/notices",
    "/notices/switches",
    "/shop/new",
]
OF_SHOPS = ["/shop", "/cashier"]


@pytest.mark.parametrize("path", PERSONAL)
async def test_a_page_and_its_part(enter: Enter, path: str) -> None:
    guest = await enter(balance=100_00)
    page, part = await guest.see(path), await guest.part(path)
    assert page.status_code == part.status_code == 200
    assert page.text.startswith("<!doctype html>")
    assert "<html" not in part.text
    assert "HX-Request-Type" in page.headers["vary"]
    assert page.headers["cache-control"] == part.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", OF_SHOPS)
async def test_a_page_of_a_shop_and_its_part(till: Till, path: str) -> None:
    page, part = await till.owner.see(path), await till.owner.part(path)
    assert page.status_code == part.status_code == 200
    assert page.text.startswith("<!doctype html>")
    assert "<html" not in part.text


@pytest.mark.parametrize("path", OF_SHOPS)
async def test_a_till_needs_a_shop(enter: Enter, path: str) -> None:
    guest = await enter()
    assert (await guest.see(path)).url.path == "/shop/new"


@pytest.mark.parametrize("path", [*PERSONAL[1:], *OF_SHOPS, "/events"])
async def test_nobody_sees_it_without_signing_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_parts_carry_their_own_nonce(till: Till) -> None:
    part = await till.owner.part("/cashier")
    policy = part.headers["content-security-policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'hx-nonce="{nonce}"' in part.text
    assert part.text.count("hx-nonce=") == part.text.count(f'hx-nonce="{nonce}"')


async def test_nothing_on_a_page_needs_an_open_policy(till: Till) -> None:
    """No inline script or style, no handlers in attributes, nothing that htmx would evaluate."""
    order = await till.order()
    for path in (*PERSONAL, "/shop", "/cashier", f"/orders/{order.order_id}", code_path(order)):
        text = (await till.owner.see(path)).text
        for forbidden in ("style=", "<style", "onclick=", "hx-on", "js:", "javascript:"):
            assert forbidden not in text, (path, forbidden)
        assert text.count("<script ") == text.count("<script src=")


async def test_pages_speak_both_languages(enter: Enter) -> None:
    guest = await enter()
    for language, text in (("zh-CN", "可用余额"), ("en", "Available balance")):
        await guest.see("/bills")
        await guest.tap("/language", {"language": language})
        answer = await guest.see("/")
        assert f'lang="{language}"' in answer.text
        assert text in answer.text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_no_key_is_left_untranslated(till: Till, world: World, language: str) -> None:
    """Machine words such as "order_status.open" are keys, never texts."""
    order = await till.order()
    await world.services.identity.set_language(till.owner.wallet.person_id, language)
    for path in ("/", "/cashier", f"/orders/{order.order_id}", "/shop", "/bills", "/topups/new"):
        text = (await till.owner.see(path)).text
        for key in ("order_status.", "bill_kind.", "bill_status.", "category.", "takes.", "level."):
            assert f">{key}" not in text, (path, key)


async def test_amounts_can_be_hidden(enter: Enter) -> None:
    guest = await enter(balance=123_45)
    await guest.see("/")
    assert "123" in guest.browser.page.text
    hidden = await guest.tap("/amounts/hidden")
    assert ".45" not in hidden.text  # not even in the source
    shown = await guest.tap("/amounts/shown")
    assert ".45" in shown.text


async def test_home_says_when_the_systems_are_away(enter: Enter, world: World) -> None:
    guest = await enter(balance=100_00)
    world.risk.down = world.ledger.down = True
    answer = await guest.see("/")
    assert answer.status_code == 200
    assert "the security system does not answer" in answer.text
    assert "100" not in answer.text.split("hero__amount")[1][:200]
