"""Why an order can't be paid: a clear page each, with the truth about the money."""

from datetime import timedelta

import httpx

from tests.web.pages.conftest import Enter, Guest, Till, code_path
from tests.world import World

NOTHING_MOVED = "No money has moved."


async def test_expired(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    world.clock.move(timedelta(minutes=14))
    assert "data-until" in (await payer.see(code_path(order))).text
    world.clock.at = order.expires_at + timedelta(seconds=1)
    answer = await payer.see(code_path(order))
    assert answer.status_code == 410
    assert NOTHING_MOVED in answer.text


async def test_paid_by_you_and_by_somebody_else(enter: Enter, till: Till) -> None:
    other = await enter(balance=100_00)
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    await payer.tap("/payments")
    mine = await payer.see(code_path(order))
    assert mine.status_code == 409
    assert "/bills/pay_" in mine.text
    theirs = await other.see(code_path(order))
    assert theirs.status_code == 409
    assert "/bills/pay_" not in theirs.text


async def test_cancelled(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await till.owner.see(f"/orders/{order.order_id}")
    await till.owner.tap(f"/orders/{order.order_id}/cancellation")
    answer = await payer.see(code_path(order))
    assert answer.status_code == 410
    assert NOTHING_MOVED in answer.text


async def test_ones_own_shop(till: Till, world: World) -> None:
    await world.fund(till.owner.wallet, 100_00)
    answer = await till.owner.see(code_path(await till.order()))
    assert answer.status_code == 409
    assert NOTHING_MOVED in answer.text


async def test_a_frozen_shop(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    owner = till.owner.wallet
    await till.owner.see("/cashier")
    await world.services.payments.freeze(owner.person_id, owner.device_secret)
    answer = await payer.see(code_path(order))
    assert answer.status_code == 403
    assert NOTHING_MOVED in answer.text
    refused = await till.owner.tap_htmx("/orders", {"amount": "5"})
    assert refused.status_code == 403
    assert 'data-refused="shop_frozen"' in refused.text
    assert NOTHING_MOVED in refused.text


async def test_a_frozen_payer_is_led_to_security(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await world.services.payments.freeze(payer.wallet.person_id, payer.wallet.device_secret)
    answer = await payer.see(code_path(order))
    assert answer.status_code == 403
    assert 'href="/security"' in answer.text


async def test_too_little_money_leads_to_a_top_up_and_back(enter: Enter, till: Till) -> None:
    payer, order = await enter(balance=10_00), await till.order()
    answer = await payer.see(code_path(order))
    assert answer.status_code == 200
    assert f"/topups/new?amount=13.00&amp;return_to={code_path(order)}" in answer.text
    assert 'name="payment_id"' not in answer.text


async def test_money_that_went_meanwhile(enter: Enter, till: Till, world: World) -> None:
    """Two tabs, money for one: the second tab's tap is refused, in its own words."""
    payer = await enter(balance=30_00)
    first, second = await till.order(), await till.order()
    await payer.see(code_path(second))
    other_tab = payer.browser.page
    await payer.see(code_path(first))
    await payer.tap("/payments")
    payer.browser.page = other_tab
    answer = await payer.tap_htmx("/payments")
    assert answer.status_code == 422
    assert f"return_to={code_path(second)}" in answer.text
    assert await world.balance(payer.wallet.account_id) == 7_00


async def test_the_security_system_is_away(enter: Enter, till: Till, world: World) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await payer.see(code_path(order))
    shown = payer.browser.page
    world.risk.down = True
    for answer in (await payer.see(code_path(order)), await _tap_again(payer, shown)):
        assert answer.status_code == 503
        assert NOTHING_MOVED in answer.text
        assert "retry-after" in answer.headers
    world.risk.down = False
    payer.browser.page = shown
    assert "Paid" in (await payer.tap("/payments")).text


async def test_no_such_order(enter: Enter) -> None:
    payer = await enter()
    for code in ("0" * 26, "7zzzzzzzzzzzzzzzzzzzzzzzzz", "x", "ÄÖÜ"):
        assert (await payer.see(f"/o/{code}")).status_code == 404


async def _tap_again(payer: Guest, shown: httpx.Response) -> httpx.Response:
    payer.browser.page = shown
    return await payer.tap("/payments")
