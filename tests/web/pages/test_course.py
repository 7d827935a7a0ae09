"""What became of a payment: refunds on its bill, asking for one, saying that it was not mine."""

import pytest

from backend import ids
from backend.merchant import GiveBack
from tests.web.pages.conftest import Enter, Guest, Till, code_path
from tests.world import World


async def pay(payer: Guest, till: Till, amount_fen: int = 23_00) -> str:
    """The payment's id."""
    order = await till.order(amount_fen)
    await payer.see(code_path(order))
    answer = await payer.tap("/payments")
    return str(answer.url.path.removeprefix("/payments/"))


async def refund(till: Till, payment_id: str, amount_fen: int, reason: str = "洒了") -> None:
    seat = await till.world.seat(till.shop)
    await till.world.services.merchant.refund(
        seat,
        GiveBack(
            refund_id=ids.new("rfd"),
            payment_id=payment_id,
            amount_fen=amount_fen,
            reason=reason,
            device_secret=till.owner.wallet.device_secret,
        ),
    )


async def test_the_payer_sees_no_fee_and_the_course(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    bill = (await payer.see(f"/bills/{await pay(payer, till)}")).text
    assert "Paid; the payee has it" in bill
    assert ">Fee<" not in bill


async def test_refunds_show_on_the_same_bill(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    payment_id = await pay(payer, till)
    await refund(till, payment_id, 8_00, "少一碗")
    await refund(till, payment_id, 5_00)
    for path in (f"/bills/{payment_id}", "/bills"):
        assert "Refunded ¥13.00" in (await payer.see(path)).text
    bill = (await payer.see(f"/bills/{payment_id}")).text
    for text in ("少一碗", "¥8.00", "¥5.00", "Left after refunds", "¥10.00"):
        assert text in bill
    shop = (await till.owner.see(f"/bills/{payment_id}")).text
    assert "少一碗" in shop
    await refund(till, payment_id, 10_00)
    whole = (await payer.see(f"/bills/{payment_id}")).text
    assert "refund-requests" not in whole  # nothing is left to ask for


async def test_asking_the_shop_for_a_refund(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    payment_id = await pay(payer, till)
    await payer.see(f"/bills/{payment_id}")
    action = f"/bills/{payment_id}/refund-requests"
    page = await payer.tap(action, {"reason": "面条是凉的"})
    assert page.url.path == f"/bills/{payment_id}"
    assert "面条是凉的" in page.text
    assert "The shop is looking at it" in page.text
    assert action not in page.text
    seat = await till.world.seat(till.shop)
    [asked] = await till.world.services.merchant.refund_requests(seat)
    assert asked.reason == "面条是凉的"
    await till.world.services.merchant.decline_refund(seat, asked.request_id, "已吃完")
    declined = (await payer.see(f"/bills/{payment_id}")).text
    assert "The shop declined" in declined
    assert "已吃完" in declined


async def test_a_second_request_is_refused(enter: Enter, till: Till) -> None:
    payer = await enter(balance=100_00)
    payment_id = await pay(payer, till)
    await payer.see(f"/bills/{payment_id}")
    drawn, action = payer.browser.page, f"/bills/{payment_id}/refund-requests"
    await payer.tap(action, {"reason": "凉了"})
    payer.browser.page = drawn  # another tab
    answer = await payer.tap(action, {"reason": "真的凉了", "request_id": ids.new("rrq")})
    assert answer.status_code == 409  # refund_asked


@pytest.mark.parametrize("reason", ["", " ", "字" * 201])
async def test_a_request_says_why(enter: Enter, till: Till, reason: str) -> None:
    payer = await enter(balance=100_00)
    payment_id = await pay(payer, till)
    await payer.see(f"/bills/{payment_id}")
    action = f"/bills/{payment_id}/refund-requests"
    page = await payer.tap(action, {"reason": reason})
    assert page.status_code == 422
    assert "up to 200 characters" in page.text
    await payer.see(f"/bills/{payment_id}")
    part = await payer.tap_htmx(action, {"reason": reason})
    assert part.status_code == 422
    assert part.text.lstrip().startswith("<article")


async def test_nobody_asks_for_another_s_money(enter: Enter, till: Till) -> None:
    payer, other = await enter(balance=100_00), await enter()
    payment_id = await pay(payer, till)
    await payer.see(f"/bills/{payment_id}")
    form = payer.browser.form(f"/bills/{payment_id}/refund-requests")
    await other.see("/bills")
    token = other.browser.form("/language").fields["_csrf_token"]
    answer = await other.browser.client.post(
        form.action,
        data=form.fields | {"reason": "x", "_csrf_token": token},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 404


async def test_the_shop_does_not_ask_itself(enter: Enter, till: Till) -> None:
    payment_id = await pay(await enter(balance=100_00), till)
    assert "refund-requests" not in (await till.owner.see(f"/bills/{payment_id}")).text


async def test_a_payment_that_was_not_mine_leads_to_the_freeze(enter: Enter, till: Till) -> None:
    payer, stranger = await enter(balance=100_00), await enter()
    payment_id = await pay(payer, till)
    result = await payer.see(f"/payments/{payment_id}")
    assert f'href="/freeze?payment={payment_id}"' in result.text
    page = await payer.see(f"/freeze?payment={payment_id}")
    assert payment_id in page.text
    assert payer.browser.form("/freeze")
    assert (await stranger.see(f"/freeze?payment={payment_id}")).status_code == 404


async def test_the_sheet_names_store_and_what_is_left(enter: Enter, till: Till) -> None:
    payer = await enter(balance=2000_00)
    small = (await payer.see(code_path(await till.order()))).text
    assert "Left today without passkey" in small
    assert "¥1,000.00 of ¥1,000.00" in small
    assert ">Fee<" not in small
    large = (await payer.see(code_path(await till.order(900_00)))).text
    assert "no passkey needed" not in large


async def test_what_is_missing_leads_to_a_top_up_and_back(enter: Enter, till: Till) -> None:
    payer = await enter(balance=10_00)
    where = code_path(await till.order())
    page = (await payer.see(where)).text
    assert f"/topups/new?amount=13.00&amp;return_to={where}" in page
    assert 'id="pay-now"' not in page


async def test_orders_that_are_over_say_so(enter: Enter, till: Till, world: World) -> None:
    payer, other = await enter(balance=100_00), await enter(balance=100_00)
    paid, gone, late = await till.order(), await till.order(), await till.order()
    await payer.see(code_path(paid))
    await payer.tap("/payments")
    await world.services.merchant.cancel(await world.seat(till.shop), gone.order_id)
    mine = await payer.see(code_path(paid))
    assert mine.status_code == 409
    assert "View bill" in mine.text
    theirs = await other.see(code_path(paid))
    assert "View bill" not in theirs.text
    world.later(minutes=16)
    for order, status in ((gone, 410), (late, 410)):
        page = await other.see(code_path(order))
        assert page.status_code == status
        assert "No money has moved." in page.text
        assert 'href="/scan"' in page.text
    own = await till.owner.see(code_path(await till.order()))
    assert own.status_code == 409
    assert 'href="/shop"' in own.text
