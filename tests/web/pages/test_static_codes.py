"""A shop's static code: the payer types the amount, as a page, with htmx, and as a visitor."""

import pytest

from backend import ids
from backend.merchant import Terminal
from tests.web.browser import Browser
from tests.web.pages.conftest import Enter, Till
from tests.world import World

WRONG = {
    "": "Enter an amount.",
    "0": "more than ¥0.00",
    "0.00": "more than ¥0.00",
    "-5": "more than ¥0.00",
    "1.005": "At most two decimals",
    "１２.５０": "full-width digits",
    "999999999": "above what one payment can carry",
    "1e3": "Enter an amount such as",
    "12,50": "Enter an amount such as",
    "abc": "Enter an amount such as",
}


async def terminal(till: Till) -> Terminal:
    seat = await till.world.seat(till.shop)
    return (await till.world.services.merchant.terminals(seat))[0]


def path_of(found: Terminal) -> str:
    return "/p/" + found.code_id.removeprefix("stc_")


async def test_typed_amount_to_result(enter: Enter, till: Till, world: World) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    page = await payer.see(path_of(found))
    assert "老王面馆" in page.text
    assert found.name in page.text
    assert "¥500.00 of ¥500.00 left today" in page.text
    sheet = await payer.tap(path_of(found), {"amount": "12.50", "note": "两碗面"})
    assert sheet.url.path.startswith("/o/")
    assert "12<" in sheet.text
    assert "两碗面" in sheet.text
    assert "¥500.00 of ¥500.00" in sheet.text
    result = await payer.tap("/payments")
    assert "Paid" in result.text
    assert await world.balance(payer.wallet.account_id) == 87_50
    assert "¥487.50 of ¥500.00 left today" in (await payer.see(path_of(found))).text


async def test_htmx_is_led_to_the_sheet(enter: Enter, till: Till) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    answer = await payer.tap_htmx(path_of(found), {"amount": "5"})
    assert answer.status_code == 200
    assert answer.headers["hx-redirect"].startswith("/o/")


async def test_either_case_and_the_short_code(enter: Enter, till: Till) -> None:
    payer, found = await enter(), await terminal(till)
    for path in (path_of(found).upper(), f"/p/{found.short_code}"):
        assert "老王面馆" in (await payer.see(path)).text


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("amount", WRONG)
async def test_a_wrong_amount_says_why(enter: Enter, till: Till, amount: str, htmx: bool) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    tap = payer.tap_htmx if htmx else payer.tap
    answer = await tap(path_of(found), {"amount": amount})
    assert answer.status_code == 422
    assert WRONG[amount] in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert ("<html" in answer.text) == (not htmx)


async def test_the_reason_is_told_in_chinese_too(enter: Enter, till: Till, world: World) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await world.services.identity.set_language(payer.wallet.person_id, "zh-CN")
    await payer.see(path_of(found))
    answer = await payer.tap(path_of(found), {"amount": "１２"})
    assert "请用半角数字" in answer.text


async def test_a_long_note_is_refused(enter: Enter, till: Till) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    answer = await payer.tap(path_of(found), {"amount": "5", "note": "n" * 65})
    assert answer.status_code == 422
    assert "at most 64" in answer.text


async def test_the_same_form_with_another_amount_is_asked_about(enter: Enter, till: Till) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    form = payer.browser.page
    await payer.tap(path_of(found), {"amount": "5"})
    payer.browser.page = form  # back in the browser's history
    answer = await payer.tap(path_of(found), {"amount": "6"})
    assert answer.status_code == 409
    assert "another amount" in answer.text
    assert (await payer.tap(path_of(found), {"amount": "6"})).url.path.startswith("/o/")


async def test_a_tampered_form_opens_nothing(enter: Enter, till: Till) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    answer = await payer.tap(path_of(found), {"amount": "5", "order_id": "x"})
    assert answer.status_code == 422
    assert "out of date" in answer.text


async def test_a_visitor_comes_back_after_signing_in(browser: Browser, till: Till) -> None:
    found = await terminal(till)
    page = await browser.open(path_of(found))
    assert page.status_code == 200
    assert "老王面馆" in page.text
    assert f"/sign-in?next={path_of(found)}" in page.text
    assert 'name="amount"' not in page.text


async def test_a_shop_does_not_pay_itself(till: Till) -> None:
    page = await till.owner.see(path_of(await terminal(till)))
    assert page.status_code == 409
    assert 'href="/shop"' in page.text
    assert 'name="amount"' not in page.text


async def test_a_closed_terminal_says_so(enter: Enter, till: Till, world: World) -> None:
    payer, found = await enter(balance=100_00), await terminal(till)
    await payer.see(path_of(found))
    seat = await world.seat(till.shop)
    await world.services.merchant.change_terminal(seat, found.terminal_id, found.name, True)
    late = await payer.tap(path_of(found), {"amount": "5"})  # the form was open already
    page = await payer.see(path_of(found))
    for answer in (late, page):
        assert answer.status_code == 409
        assert "No money has moved." in answer.text
        assert 'name="amount"' not in answer.text


@pytest.mark.parametrize("code", ["x", "0" * 26, "00000000", "%F0%9F%92%A9", "0" * 27])
async def test_an_unknown_code_is_not_found(enter: Enter, code: str) -> None:
    payer = await enter()
    assert (await payer.see(f"/p/{code}")).status_code == 404


async def test_above_the_day_s_limit_the_passkey_is_asked(
    enter: Enter, till: Till, world: World
) -> None:
    payer, found = await enter(balance=1000_00), await terminal(till)
    await payer.see(path_of(found))
    sheet = await payer.tap(path_of(found), {"amount": "600"})
    assert "/confirmation" in sheet.text
    action = sheet.text.split('action="/payments/')[1].split('"')[0]
    await payer.browser.ceremony(f"/payments/{action}", payer.wallet.passkey)
    assert await world.balance(payer.wallet.account_id) == 400_00


async def test_an_order_opened_for_one_is_no_one_else_s(
    enter: Enter, till: Till, browser: Browser
) -> None:
    payer, other, found = await enter(balance=100_00), await enter(), await terminal(till)
    await payer.see(path_of(found))
    sheet = await payer.tap(path_of(found), {"amount": "12.34", "note": "geheim"})
    answer = await other.see(sheet.url.path)
    assert answer.status_code == 403
    visitor = await browser.open(sheet.url.path)
    for page in (answer, visitor):
        assert "12.34" not in page.text
        assert ".34<" not in page.text
        assert "geheim" not in page.text


async def test_ids_of_another_kind_are_no_codes(enter: Enter, till: Till) -> None:
    payer, order = await enter(), await till.order()
    assert (await payer.see("/p/" + order.order_id.removeprefix("ord_"))).status_code == 404
    assert (await payer.see("/u/" + ids.new("usr").removeprefix("usr_"))).status_code == 404
