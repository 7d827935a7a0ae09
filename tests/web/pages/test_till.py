"""The shop: opening it, the till with its code, the dashboard."""

import re

import pytest

from tests.web.browser import NAVIGATION
from tests.web.pages.conftest import Enter, Guest, Till, code_path

HOSTILE = "<script>alert(1)</script>"


async def test_opening_a_shop(enter: Enter) -> None:
    guest = await enter()
    await guest.see("/shop/new")
    await guest.tap("/shops", {"name": HOSTILE, "category": "food"})
    assert guest.browser.page.url.path == "/cashier"
    assert "<script>alert" not in guest.browser.page.text
    assert "&lt;script&gt;" in guest.browser.page.text
    assert (await guest.see("/shop/new")).url.path == "/shop"


@pytest.mark.parametrize("wrong", [{"name": "一"}, {"name": "x" * 33}, {"category": "casino"}])
async def test_a_shop_s_form_is_drawn_again(enter: Enter, wrong: dict[str, str]) -> None:
    guest = await enter()
    await guest.see("/shop/new")
    answer = await guest.tap_htmx("/shops", {"name": "老王面馆", "category": "food"} | wrong)
    assert answer.status_code == 422
    assert "f-name-error" in answer.text or "f-category-error" in answer.text


async def test_two_tabs_open_one_shop(enter: Enter) -> None:
    guest = await enter()
    first = await guest.see("/shop/new")
    await guest.see("/shop/new")
    await guest.tap("/shops", {"name": "老王面馆", "category": "food"})
    guest.browser.page = first
    await guest.tap("/shops", {"name": "老王面馆", "category": "food"})
    assert guest.browser.page.url.path == "/shop"


async def test_an_amount_becomes_a_code(till: Till) -> None:
    await till.owner.see("/cashier")
    plain = await till.owner.tap("/orders", {"amount": "23"})  # without JavaScript
    assert plain.url.path.startswith("/orders/ord_")
    assert "<svg" in plain.text
    again = await till.owner.see(plain.url.path)
    assert again.status_code == 200


async def test_htmx_gets_the_code_and_its_address(till: Till) -> None:
    await till.owner.see("/cashier")
    order_id = till.owner.browser.form("/orders").fields["order_id"]
    answer = await till.owner.tap_htmx("/orders", {"amount": "23.50", "note": "3 号桌"})
    assert answer.headers["hx-push-url"] == f"/orders/{order_id}"
    assert f"/events?topics=order:{order_id}" in answer.text
    assert "3 号桌" in answer.text


@pytest.mark.parametrize("amount", ["", "0", "0.00", "1,000", "abc", "１"])
async def test_amounts_that_are_none(till: Till, amount: str) -> None:
    await till.owner.see("/cashier")
    answer = await till.owner.tap_htmx("/orders", {"amount": amount})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_the_till_turns_to_paid_by_itself(till: Till, enter: Enter) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    path = f"/orders/{order.order_id}"
    assert (await till.owner.part(f"{path}?seen=open")).status_code == 204
    await pay(payer, code_path(order))
    turned = await till.owner.part(f"{path}?seen=open")
    assert turned.status_code == 200
    assert "data-chime=" in turned.text
    assert "data-chime=" not in (await till.owner.see(path)).text  # a reload is silent
    assert "hx-get" not in turned.text  # paid for good: nothing to wait for


async def test_a_customer_who_was_faster_than_the_cancellation(till: Till, enter: Enter) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await till.owner.see(f"/orders/{order.order_id}")
    await pay(payer, code_path(order))
    answer = await till.owner.tap(f"/orders/{order.order_id}/cancellation")
    assert "Received" in answer.text


async def test_what_the_customer_scanned_and_paid_goes_back_by_a_refund_only(
    till: Till, enter: Enter
) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    page = await till.owner.see(f"/orders/{order.order_id}")
    assert "/reversal" not in page.text
    form = till.owner.browser.form(f"/orders/{order.order_id}/cancellation")
    await till.world.services.payments.start(till.world.paying(payer.wallet, order))
    page = await till.owner.see(f"/orders/{order.order_id}")
    assert 'data-state="paid"' in page.text
    assert "/reversal" not in page.text
    assert f"/shop/orders/{order.order_id}/refund" in page.text
    refused = await till.owner.browser.client.post(
        f"/orders/{order.order_id}/reversal", data=form.fields, headers=NAVIGATION
    )
    assert refused.status_code == 409
    assert "Refund it instead" in refused.text
    assert await till.world.balance(payer.wallet.account_id) == 77_00


async def test_other_shops_orders_are_not_found(till: Till, enter: Enter) -> None:
    stranger, order = await enter(name="老李"), await till.order()
    led = await stranger.see(f"/orders/{order.order_id}")
    assert led.url.path == "/shop/new"  # who has no shop is offered one, and nothing else
    await till.world.shop(stranger.wallet, "别家店")
    assert (await stranger.see(f"/orders/{order.order_id}")).status_code == 404


async def test_the_dashboard_counts_today(till: Till, enter: Enter) -> None:
    payer = await enter(balance=100_00)
    for amount in (23_00, 7_00):
        await pay(payer, code_path(await till.order(amount)))
    text = (await till.owner.see("/shop")).text
    plain = re.sub(r"<[^>]+>", "", text)
    assert "¥30.00" in plain
    assert "¥15.00" in plain  # on average


async def pay(payer: Guest, path: str) -> None:
    await payer.see(path)
    assert "Paid" in (await payer.tap("/payments")).text
