"""From the address in the shop's code to the result, with and without htmx."""

import json
import re

from tests.web.browser import NAVIGATION, Browser
from tests.web.pages.conftest import Enter, Till, code_path
from tests.world import World


async def test_a_visitor_sees_who_asks_for_how_much(browser: Browser, till: Till) -> None:
    order = await till.order()
    answer = await browser.open(code_path(order))
    assert answer.status_code == 200
    assert "老王面馆" in answer.text
    assert f"/sign-in?next={code_path(order)}" in answer.text
    assert 'name="payment_id"' not in answer.text


async def test_printed_codes_are_upper_case(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    assert (await payer.see(code_path(order).upper())).status_code == 200
    assert payer.browser.form("/payments").fields["amount_fen"] == "2300"


async def test_one_tap_pays_once(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    page = await payer.see(code_path(order))
    assert "23<" in page.text
    fields = payer.browser.form("/payments").fields
    first = await payer.browser.client.post("/payments", data=fields, headers=NAVIGATION)
    again = await payer.tap("/payments")  # the same form: a double click, or back and once more
    assert first.status_code == 303
    assert again.url.path == first.headers["location"]
    assert "Paid" in again.text
    assert await world.balance(payer.wallet.account_id) == 77_00


async def test_htmx_gets_the_result_and_its_address(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    answer = await payer.tap_htmx("/payments")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    payment_id = payer.browser.form("/payments").fields["payment_id"]
    assert answer.headers["hx-push-url"] == f"/payments/{payment_id}"
    assert "every 2s" not in answer.text  # final: nothing to ask for any more


async def test_a_large_payment_takes_the_passkey_in_one_tap(
    enter: Enter, till: Till, world: World
) -> None:
    payer, order = await enter(balance=1000_00), await till.order(800_00)
    page = await payer.see(code_path(order))
    action = _passkey_action(page.text)
    answer = await payer.browser.ceremony(action, payer.wallet.passkey)
    assert answer.url.path.startswith("/payments/pay_")
    assert await world.balance(payer.wallet.account_id) == 200_00


async def test_a_wrong_passkey_pays_nothing(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=1000_00), await till.order(800_00)
    page = await payer.see(code_path(order))
    payer.wallet.passkey.user_verified = False
    answer = await payer.browser.ceremony(_passkey_action(page.text), payer.wallet.passkey)
    assert answer.status_code == 403
    assert "No money has moved." in answer.text
    assert f'href="{code_path(order)}"' in answer.text
    assert await world.balance(payer.wallet.account_id) == 1000_00


async def test_a_refused_start_of_a_ceremony_is_said_beside_the_button(
    enter: Enter, till: Till, world: World
) -> None:
    payer, order = await enter(balance=1000_00), await till.order(800_00)
    page = await payer.see(code_path(order))
    form = payer.browser.form(_passkey_action(page.text))
    world.risk.down = True
    answer = await payer.browser.begin("/payments/ceremonies", form.fields)
    assert answer.status_code == 503
    assert "No money has moved." in json.loads(answer.text)["message"]


async def test_an_altered_amount_is_refused(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    answer = await payer.tap("/payments", {"amount_fen": "1"})
    assert answer.status_code == 409  # amount_changed
    assert await world.balance(payer.wallet.account_id) == 100_00


async def test_a_tampered_form_is_no_payment(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    for wrong in (
        {"payment_id": "x"},
        {"order_id": "x"},
        {"amount_fen": "-1"},
        {"amount_fen": "²"},
    ):
        await payer.see(code_path(order))
        assert (await payer.tap("/payments", wrong)).status_code == 400


async def test_what_is_not_yours_is_not_found(enter: Enter, till: Till) -> None:
    payment_id, stranger = await paid(enter, till), await enter()
    assert (await stranger.see(f"/payments/{payment_id}")).status_code == 404
    assert (await stranger.see(f"/bills/{payment_id}")).status_code == 404


async def test_the_shop_has_it_as_a_bill(enter: Enter, till: Till) -> None:
    payment_id = await paid(enter, till)
    answer = await till.owner.see(f"/payments/{payment_id}")
    assert answer.url.path == f"/bills/{payment_id}"
    assert "+¥" in answer.text


async def test_a_lost_answer_is_pending_with_a_deadline(
    enter: Enter, till: Till, world: World
) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    payment_id = payer.browser.form("/payments").fields["payment_id"]
    world.ledger.lost.add("post")
    world.ledger.crash_before.add("outcome")
    try:
        await payer.tap("/payments")
    finally:
        world.ledger.heal()
    waiting = await payer.see(f"/payments/{payment_id}")
    assert "Payment under way" in waiting.text
    assert "every 2s" in waiting.text
    world.later(minutes=2)
    await world.services.payments.sweep()
    assert "Paid" in (await payer.see(f"/payments/{payment_id}")).text


async def paid(enter: Enter, till: Till) -> str:
    """The id of a payment that a new person has made."""
    payer = await enter(balance=100_00)
    order = await till.order()
    await payer.see(code_path(order))
    await payer.tap("/payments")
    return payer.browser.page.url.path.removeprefix("/payments/")


def _passkey_action(html: str) -> str:
    found = re.search(r'action="(/payments/pay_\w+/confirmation)"', html)
    assert found
    return found[1]
