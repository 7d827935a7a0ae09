"""A person's own code: shown, with an amount, as a picture, paid by another, and seen arriving."""

import re

import pytest

from tests.web.browser import PARTIAL, Browser
from tests.web.pages.conftest import Enter, Guest
from tests.world import World

LATEST = re.compile(r"/receive/latest\?since=\d+")


async def address(guest: Guest, path: str = "/receive") -> str:
    """Of the code on the page: what is printed under it."""
    page = await guest.see(path)
    found = re.search(r'class="mono" translate="no">([0-9a-z ]+)<', page.text)
    assert found
    return "/u/" + found[1].replace(" ", "")


async def with_amount(guest: Guest, amount: str, note: str = "") -> str:
    await guest.see("/receive/amount")
    page = await guest.tap("/receive", {"amount": amount, "note": note})
    assert page.url.path.startswith("/receive/")
    return str(page.url.path)


async def test_one_s_own_code_is_always_the_same(enter: Enter) -> None:
    anna = await enter(name="安娜")
    assert await address(anna) == await address(anna)
    page = await anna.see("/receive")
    assert "*" in page.text  # the name is masked as the payer sees it
    assert "安娜" not in page.text.split("<main")[1]


async def test_somebody_pays_it(enter: Enter, world: World) -> None:
    anna, bo = await enter(name="安娜"), await enter(balance=100_00, name="小博")
    shown = (await anna.see("/receive")).text
    where = await address(anna)
    page = await bo.see(where)
    assert "Transfer to" in page.text
    assert "安娜" not in page.text
    sheet = await bo.tap(where, {"amount": "20"})
    assert sheet.url.path.startswith("/o/")
    assert "Confirm transfer" in sheet.text
    assert "never transferred to this person" in sheet.text
    result = await bo.tap("/payments")
    assert "Transferred" in result.text
    assert await world.balance(anna.wallet.account_id) == 20_00
    latest = LATEST.search(shown)
    assert latest
    part = await anna.browser.client.get(latest[0], headers=PARTIAL)
    assert "Just received" in part.text
    assert "20<" in part.text
    assert "Just received" not in (await anna.see("/receive")).text  # of a page drawn later


async def test_both_see_a_transfer_in_their_bills(enter: Enter) -> None:
    anna, bo = await enter(name="安娜"), await enter(balance=100_00, name="小博")
    where = await address(anna)
    await bo.see(where)
    await bo.tap(where, {"amount": "20"})
    payment_id = (await bo.tap("/payments")).url.path.removeprefix("/payments/")
    for guest, sign in ((anna, "+"), (bo, "−")):
        page = await guest.see(f"/bills/{payment_id}")
        assert "Transfer" in page.text
        assert f'amount__sign">{sign}¥' in page.text
        assert "Ask the shop" not in page.text


async def test_an_amount_that_is_set_can_t_be_changed(enter: Enter, world: World) -> None:
    anna, bo = await enter(), await enter(balance=100_00)
    where = await address(anna, await with_amount(anna, "8.80", "午饭"))
    page = await bo.see(where)
    assert "午饭" in page.text
    assert 'name="amount"' not in page.text
    await bo.tap(where, {"amount": "1"})
    await bo.tap("/payments")
    assert await world.balance(anna.wallet.account_id) == 8_80


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.234", "５", "999999999"])
async def test_wrong_amounts_are_told(enter: Enter, amount: str) -> None:
    anna, bo = await enter(), await enter(balance=100_00)
    await anna.see("/receive/amount")
    mine = await anna.tap("/receive", {"amount": amount})
    where = await address(anna)
    await bo.see(where)
    theirs, part = await bo.tap(where, {"amount": amount}), await bo.tap_htmx(where)
    for answer in (mine, theirs, part):
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text


async def test_htmx_is_led_on(enter: Enter) -> None:
    anna, bo = await enter(), await enter(balance=100_00)
    await anna.see("/receive/amount")
    made = await anna.tap_htmx("/receive", {"amount": "5"})
    assert made.headers["hx-redirect"].startswith("/receive/")
    where = await address(anna)
    await bo.see(where)
    opened = await bo.tap_htmx(where, {"amount": "5"})
    assert opened.headers["hx-redirect"].startswith("/o/")


async def test_a_picture_to_keep(enter: Enter) -> None:
    anna = await enter(name="安娜")
    path = await with_amount(anna, "8.80", "<script>&")
    answer = await anna.see(f"{path}/picture.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "attachment" in answer.headers["content-disposition"]
    assert "¥8.80" in answer.text
    assert "<script" not in answer.text
    assert "安娜" not in answer.text


async def test_somebody_else_s_code_is_not_mine_to_show(enter: Enter) -> None:
    anna, bo = await enter(), await enter()
    path = await with_amount(anna, "5")
    assert (await bo.see(path)).status_code == 404
    assert (await bo.see(f"{path}/picture.svg")).status_code == 404


async def test_one_s_own_code_is_not_paid(enter: Enter) -> None:
    anna = await enter(balance=100_00)
    page = await anna.see(await address(anna))
    assert page.status_code == 409
    assert 'href="/receive"' in page.text
    assert 'name="order_id"' not in page.text


async def test_a_visitor_sees_whom_they_would_pay(enter: Enter, browser: Browser) -> None:
    anna = await enter(name="安娜")
    where = await address(anna)
    page = await browser.open(where.upper())
    assert page.status_code == 200
    assert f"/sign-in?next={where}" in page.text
    assert "安娜" not in page.text


@pytest.mark.parametrize("path", ["/u/x", "/u/" + "0" * 26, "/receive/x", "/receive/" + "0" * 26])
async def test_unknown_codes_are_not_found(enter: Enter, path: str) -> None:
    assert (await (await enter()).see(path)).status_code == 404


@pytest.mark.parametrize("path", ["/receive", "/receive/amount", "/receive/latest"])
async def test_receiving_is_for_those_signed_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_parts(enter: Enter) -> None:
    anna = await enter()
    for path in ("/receive", "/receive/amount"):
        part = await anna.part(path)
        assert part.status_code == 200
        assert "<html" not in part.text
    assert (await anna.see("/receive/latest")).url.path == "/receive"
