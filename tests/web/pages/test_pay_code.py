"""A payment code on a person's screen: drawn, renewed, read out, taken along; what follows it."""

import re

import pytest

from backend import ids
from backend.merchant import ChargeShown
from backend.payments import Charged
from backend.risk import MAX_AHEAD, PayCodeInvalid
from tests.web.browser import PARTIAL, Browser
from tests.web.pages.conftest import Enter, Guest, Till
from tests.world import World

DIGITS = re.compile(r'name="code" value="(88\d{16})"')
STATE = re.compile(r"/code/state\?since=\d+")
HTMX = PARTIAL | {"HX-Request": "true"}


def code_on(html: str) -> str:
    found = DIGITS.search(html)
    assert found, html
    return found[1]


async def charge(till: Till, code: str, amount_fen: int = 23_00) -> Charged:
    """The cashier reads the code from the payer's screen."""
    await till.owner.awake()
    shown = ChargeShown(
        order_id=ids.new("ord"),
        payment_id=ids.new("pay"),
        amount_fen=amount_fen,
        pay_code=code,
        device_secret=till.owner.wallet.device_secret,
    )
    return await till.world.services.merchant.charge_shown(await till.world.seat(till.shop), shown)


async def led_to(payer: Guest, page: str) -> str:
    """Where the page that shows the code goes on to, "" while nothing has happened."""
    found = STATE.search(page)
    assert found
    answer = await payer.browser.client.get(found[0], headers=HTMX)
    assert answer.status_code in {200, 204}
    return str(answer.headers.get("hx-redirect", ""))


async def test_a_code_is_drawn_twice_and_its_digits_are_hidden(enter: Enter) -> None:
    payer = await enter(balance=100_00)
    page = await payer.see("/code")
    assert page.status_code == 200
    code = code_on(page.text)
    assert page.text.count("<path") > 2
    assert page.text.count(code) == 1  # the hidden field that asks for them, nothing to read
    assert code[:4] + " " + code[4:8] not in page.text
    assert "every 55s" in page.text


async def test_each_renewal_is_another_code(enter: Enter) -> None:
    payer = await enter(balance=100_00)
    page, part = await payer.see("/code"), await payer.part("/code")
    assert code_on(page.text) != code_on(part.text)
    assert part.text.lstrip().startswith("<section")
    assert "<html" not in part.text


async def test_a_till_reads_it_and_the_page_goes_on_to_the_result(
    enter: Enter, till: Till, world: World
) -> None:
    payer = await enter(balance=100_00)
    page = (await payer.see("/code")).text
    assert await led_to(payer, page) == ""
    charged = await charge(till, code_on(page))
    assert charged.state == "succeeded"
    assert await led_to(payer, page) == f"/payments/{charged.payment_id}"
    assert "Paid" in (await payer.see(f"/payments/{charged.payment_id}")).text
    assert await world.balance(payer.wallet.account_id) == 77_00
    world.later(seconds=1)
    assert await led_to(payer, (await payer.see("/code")).text) == ""  # of a page drawn later


async def test_a_large_amount_turns_the_page_to_the_confirm_sheet(
    enter: Enter, till: Till, world: World
) -> None:
    payer = await enter(balance=1000_00)
    page = (await payer.see("/code")).text
    charged = await charge(till, code_on(page), 800_00)
    assert charged.state == "user_paying"
    assert "asks you to confirm ¥800.00" in (await payer.see("/")).text
    assert "asks you to confirm ¥800.00" in (await payer.see("/code")).text
    where = await led_to(payer, page)
    assert where == "/o/" + charged.order.order_id.removeprefix("ord_")
    sheet = await payer.see(where)
    assert "The till has read your payment code" in sheet.text
    action = f"/payments/{charged.payment_id}/confirmation"
    answer = await payer.browser.ceremony(action, payer.wallet.passkey)
    assert answer.url.path == f"/payments/{charged.payment_id}"
    assert await world.balance(payer.wallet.account_id) == 200_00
    assert "asks you to confirm" not in (await payer.see("/")).text


async def test_digits_that_were_read_out_take_the_passkey(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    page = (await payer.see("/code")).text
    code = code_on(page)
    part = await payer.tap_htmx("/code/digits")
    grouped = " ".join((code[:4], code[4:8], code[8:12], code[12:16], code[16:]))
    assert grouped in part.text
    assert "asks for your passkey" in part.text
    assert "<html" not in part.text
    assert (await charge(till, code)).state == "user_paying"


async def test_digits_are_shown_without_htmx_too(enter: Enter) -> None:
    payer = await enter(balance=100_00)
    code = code_on((await payer.see("/code")).text)
    page = await payer.tap("/code/digits")
    assert page.text.startswith("<!doctype html>")
    assert f"{code[:4]} {code[4:8]}" in page.text


@pytest.mark.parametrize(
    "code", ["", "87" + "1" * 16, "88" + "1" * 15, "８８" + "1" * 16, "x" * 18]
)
async def test_what_is_no_code_has_no_digits(enter: Enter, code: str) -> None:
    payer = await enter()
    await payer.see("/code")
    assert (await payer.tap("/code/digits", {"code": code})).status_code == 400


async def test_somebody_else_s_code_is_not_revealed(enter: Enter) -> None:
    payer, other = await enter(), await enter()
    code = code_on((await other.see("/code")).text)
    await payer.see("/code")
    answer = await payer.tap("/code/digits", {"code": code})
    assert answer.status_code >= 400
    assert code[:4] + " " + code[4:8] not in answer.text


@pytest.mark.parametrize("until", ["", "x", "9" * 15, "9" * 30, "-1", "²"])
async def test_an_altered_end_moves_nothing_but_a_ring(enter: Enter, until: str) -> None:
    payer = await enter()
    await payer.see("/code")
    page = await payer.tap("/code/digits", {"until_ms": until})
    assert page.status_code == 200
    left = re.search(r'data-left-ms="(\d+)"', page.text)
    assert left
    assert int(left[1]) <= 60_000


async def test_a_refused_payment_is_told_and_the_code_is_burnt(
    enter: Enter, till: Till, world: World
) -> None:
    payer = await enter(balance=1_00)
    page = (await payer.see("/code")).text
    code = code_on(page)
    charged = await charge(till, code)
    assert charged.state == "failed"
    with pytest.raises(PayCodeInvalid):
        await charge(till, code, 50)
    assert await world.balance(payer.wallet.account_id) == 1_00


async def test_codes_ahead_are_shown_once_and_without_digits(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    await payer.see("/code/ahead")
    page = await payer.tap("/code/ahead")
    assert page.text.count("ahead__qr") == MAX_AHEAD
    assert not re.search(r"88\d{16}", page.text)
    assert "ahead__qr" not in (await payer.see("/code/ahead")).text


async def test_all_codes_of_the_device_can_be_made_void(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    code = code_on((await payer.see("/code")).text)
    await payer.see("/code/ahead")
    page = await payer.tap("/code/revocation")
    assert "are void" in page.text
    with pytest.raises(PayCodeInvalid):
        await charge(till, code)


async def test_signing_out_makes_them_void(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    code = code_on((await payer.see("/code")).text)
    await payer.see("/security")
    await payer.tap("/sign-out")
    with pytest.raises(PayCodeInvalid):
        await charge(till, code)


async def test_signing_out_goes_on_without_the_security_system(enter: Enter, world: World) -> None:
    payer = await enter()
    await payer.see("/security")
    form = payer.browser.form("/sign-out")
    world.risk.down = True
    try:
        answer = await payer.tap("/sign-out", form.fields)
    finally:
        world.risk.heal()
    assert answer.url.path == "/welcome"


async def test_a_frozen_person_gets_no_code(enter: Enter) -> None:
    payer = await enter(balance=100_00)
    await payer.see("/freeze")
    await payer.tap("/freeze")
    page = await payer.see("/code")
    assert page.status_code == 403
    assert "paycode__bars" not in page.text


async def test_no_code_while_the_security_system_is_away(enter: Enter, world: World) -> None:
    payer = await enter(balance=100_00)
    world.risk.down = True
    try:
        page = await payer.see("/code")
    finally:
        world.risk.heal()
    assert page.status_code == 503
    assert "No money has moved." in page.text


@pytest.mark.parametrize("path", ["/code", "/code/ahead", "/code/state"])
async def test_codes_are_for_those_signed_in(browser: Browser, path: str) -> None:
    await browser.open(path)
    assert browser.page.url.path == "/sign-in"


async def test_the_state_is_no_page(enter: Enter) -> None:
    payer = await enter()
    assert (await payer.see("/code/state")).url.path == "/code"
