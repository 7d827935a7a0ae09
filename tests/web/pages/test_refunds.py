"""Refunds by a shop's people, and the requests of payers."""

import re

import pytest

from backend import ids
from backend.merchant import AskRefund
from backend.payments import Order
from backend.shop_roles import Role
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Enter, Guest, Till, sign_in

HOSTILE = "<b>why</b>"


async def paid(till: Till, payer: Guest, amount_fen: int = 23_00) -> Order:
    order = await till.order(amount_fen)
    command = till.world.paying(payer.wallet, order)
    started = await till.world.services.payments.start(command)
    assert started.payment.status == "posted"
    return order


def path_of(order: Order) -> str:
    return f"/shop/orders/{order.order_id}/refund"


def plain(text: str) -> str:
    return re.sub(r"<[^>]+>", "", text)


async def test_in_parts_and_no_more_than_is_left(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    order = await paid(till, payer)
    for amount, left in (("10", "13.00"), ("8.5", "4.50")):
        await till.owner.see(path_of(order))
        answer = await till.owner.tap(
            path_of(order), {"extent": "part", "amount": amount, "reason": HOSTILE}
        )
        assert "Refunded" in answer.text
        assert left in plain(answer.text)
        assert HOSTILE not in answer.text
        assert "&lt;b&gt;" in answer.text
    form = await till.owner.see(path_of(order))
    assert "4.50" in plain(form.text)
    beyond = await till.owner.tap(
        path_of(order), {"extent": "part", "amount": "4.51", "reason": "again"}
    )
    assert beyond.status_code == 422
    assert "more than is left" in beyond.text
    assert await till.world.balance(payer.wallet.account_id) == 100_00 - 4_50


async def test_the_whole_in_one_tap_and_twice_is_once(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    order = await paid(till, payer)
    form = await till.owner.see(path_of(order))
    fields = {"extent": "whole", "reason": "sold out"}
    first = await till.owner.tap(path_of(order), fields)
    till.owner.browser.page = form
    second = await till.owner.tap(path_of(order), fields)
    assert first.url == second.url
    assert await till.world.balance(payer.wallet.account_id) == 100_00
    assert "Everything has been refunded" in (await till.owner.see(path_of(order))).text


async def test_the_fee_comes_back_in_proportion(enter: Enter) -> None:
    owner, payer = await enter(name="老王"), await enter(balance=100_00)
    till = Till(owner, await owner.world.shop(owner.wallet, fees=True), owner.world)
    order = await paid(till, payer, 50_00)
    await owner.see(path_of(order))
    fields = {"extent": "part", "amount": "25", "reason": "half"}
    answer = plain((await owner.tap(path_of(order), fields)).text)
    fee = order.fee_fen
    assert fee > 0
    assert f"¥0.{(fee + 1) // 2:02d}" in answer or f"¥0.{fee // 2:02d}" in answer


async def test_a_large_refund_takes_the_passkey_of_who_refunds(till: Till, enter: Enter) -> None:
    payer = await enter(balance=1_000_00)
    order = await till.order(600_00)
    await payer.see(f"/o/{order.order_id[4:]}")
    form = next(
        f for f in _forms(payer) if f.startswith("/payments/") and f.endswith("/confirmation")
    )
    await payer.browser.ceremony(form, payer.wallet.passkey)
    await till.owner.see(path_of(order))
    asked = await till.owner.tap(path_of(order), {"extent": "whole", "reason": "returned"})
    assert "passkey" in asked.text
    assert await till.world.balance(payer.wallet.account_id) == 400_00
    # Whoever left the page finds the passkey's form again.
    action = next(f for f in _forms(till.owner) if "/refunds/" in f)
    waiting = await till.owner.see(action.removesuffix("/confirmation"))
    assert "waits for its confirmation" in waiting.text
    await till.owner.tap(path_of(order))
    action = next(f for f in _forms(till.owner) if "/refunds/" in f)
    done = await confirm(till.owner, action)
    assert "Refunded" in done
    assert await till.world.balance(payer.wallet.account_id) == 1_000_00


async def test_a_cashier_gets_the_page_that_names_the_permission(
    till: Till, enter: Enter, visitor: Visitor
) -> None:
    member = await till.world.person(name="小满")
    await till.world.hire(till.owner.wallet, member, Role.CASHIER)
    cashier = await sign_in(await visitor(), till.world, member)
    order = await paid(till, await enter(balance=100_00))
    answer = await cashier.see(path_of(order))
    assert answer.status_code == 403
    said = answer.text.lower()
    assert "cashier" in said  # the role that lacks it
    assert "owner" in said  # and who has it: the sentence that names the permission is whole


async def test_unpaid_and_foreign_orders_have_no_form(till: Till, enter: Enter) -> None:
    order = await till.order()
    assert (await till.owner.see(path_of(order))).status_code == 404
    other = await enter(name="老李")
    await till.world.shop(other.wallet, "别家店")
    order = await paid(till, await enter(balance=100_00))
    assert (await other.see(path_of(order))).status_code == 404


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.234", "１０"])
async def test_amounts_that_are_none(till: Till, enter: Enter, amount: str) -> None:
    order = await paid(till, await enter(balance=100_00))
    await till.owner.see(path_of(order))
    fields = {"extent": "part", "amount": amount, "reason": "x"}
    answer = await till.owner.tap(path_of(order), fields)
    assert answer.status_code == 422
    assert "f-amount-error" in answer.text


async def test_a_payers_request_is_granted_or_declined(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    orders = [await paid(till, payer, amount) for amount in (23_00, 7_00)]
    for order in orders:
        found = await till.world.services.payments.order(order.order_id)
        assert found.payment_id is not None
        await till.world.services.merchant.ask_refund(
            AskRefund(
                request_id=ids.new("rrq"),
                payment_id=found.payment_id,
                payer_id=payer.wallet.person_id,
                reason=HOSTILE,
            )
        )
    page = await till.owner.see("/shop/refunds")
    assert page.text.count("<article") == 2
    assert HOSTILE not in page.text
    await till.owner.see(path_of(orders[0]))
    await till.owner.tap(path_of(orders[0]), {"extent": "whole", "reason": "granted"})
    page = await till.owner.see("/shop/refunds")
    assert page.text.count("<article") == 1
    action = next(f for f in _forms(till.owner) if f.endswith("/decline"))
    empty = await till.owner.tap(action, {"answer": ""})
    assert empty.status_code == 422
    done = await till.owner.tap(action, {"answer": "已经当面解决"})
    assert "No open requests" in done.text
    order = await till.world.services.payments.order(orders[1].order_id)
    request = await till.world.services.merchant.refund_request(
        payer.wallet.person_id, str(order.payment_id)
    )
    assert request is not None
    assert (request.status, request.answer) == ("declined", "已经当面解决")


async def confirm(guest: Guest, action: str) -> str:
    """What passkey.js does with a ceremony that came with the form."""
    form = guest.browser.form(action)
    response = guest.wallet.passkey.sign(form.attributes["data-options"].encode()).decode()
    answer = await guest.tap(
        action, {"ceremony_id": form.attributes["data-ceremony"], "response_json": response}
    )
    return answer.text


def _forms(guest: Guest) -> list[str]:
    return re.findall(r'<form[^>]*\saction="([^"]+)"', guest.browser.page.text)
