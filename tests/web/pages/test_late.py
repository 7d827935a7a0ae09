"""A payment that came too late for its till: what the shop, its till and the payer are told while
it goes back by itself and when it has, in both languages."""

import re
from html import unescape

import httpx
import msgspec
import pytest

from backend.payments import Order
from tests.web.pages.conftest import Enter, Guest, Till
from tests.web.pages.paying import LANGUAGES, main_of, speak
from tests.web.pages.test_till_codes import code_of

BOARD = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#board"}
GOES_BACK = {"zh-CN": "结果来得太晚，自动退回", "en": "came too late, goes back by itself"}
CAME_LATE = {"zh-CN": "结果来得太晚", "en": "Came too late for the till"}
ITSELF = {"zh-CN": "系统自动", "en": "by itself"}
RECEIVED = {"zh-CN": "到账", "en": "Received"}
GIVEN_BACK = {
    "zh-CN": ("已退回", "全额已退回你的余额。"),
    "en": ("Given back", "All of it is back in your balance."),
}
PART = {"zh-CN": "其中 ¥3.00 已退回你的余额。", "en": "¥3.00 of it is back in your balance."}
ARRIVED = {"zh-CN": "款项已到对方账户。", "en": "The payee has the money already."}


class Late(msgspec.Struct, frozen=True):
    """seen: the newest payment that the dashboard had shown before."""

    till: Till
    payer: Guest
    order: Order
    seen: str


def seen_of(text: str) -> str:
    found = re.search(r'hx-get="/shop\?seen=(\d+)"', text)
    assert found
    return found[1]


async def board(owner: Guest, seen: str) -> httpx.Response:
    await owner.awake()
    return await owner.browser.client.get(f"/shop?seen={seen}", headers=BOARD)


@pytest.fixture
async def late(till: Till, enter: Enter) -> Late:
    """In the books, and too late."""
    payer, owner, world = await enter(balance=100_00), till.owner, till.world
    seen = seen_of((await owner.see("/shop")).text)
    await owner.see("/cashier")
    fields = {"amount": "23", "pay_code": await code_of(payer)}
    world.ledger.lost = {"post", "outcome"}
    order_id = (await owner.tap("/orders", fields)).url.path.rpartition("/")[2]
    world.ledger.heal()
    world.later(seconds=30)
    await world.services.payments.sweep()
    return Late(till, payer, await world.services.payments.order(order_id), seen)


async def go_back(late: Late) -> None:
    late.till.world.later(seconds=10)
    await late.till.world.services.payments.sweep()
    assert await late.till.world.balance(late.payer.wallet.account_id) == 100_00


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_dashboard_does_not_announce_it(late: Late, language: str) -> None:
    owner = late.till.owner
    await speak(owner, language)
    for state in ("unknown", "reversed"):
        answer = await board(owner, late.seen)
        assert late.order.order_id in answer.text
        assert "data-chime" not in answer.text
        assert RECEIVED[language] not in answer.text
        assert GOES_BACK[language] in answer.text
        assert GOES_BACK[language] in (await owner.see("/shop")).text
        page = await owner.see(f"/orders/{late.order.order_id}")
        assert f'data-state="{state}"' in page.text
        if state == "unknown":
            await go_back(late)


async def test_the_next_one_is_heard_again(late: Late) -> None:
    order = await late.till.order(7_00)
    await late.till.world.services.payments.start(late.till.world.paying(late.payer.wallet, order))
    answer = await board(late.till.owner, late.seen)
    assert answer.text.count("data-chime") == 1
    assert 'data-chime="Received 7.00 yuan"' in answer.text


async def test_the_sums_of_the_day_hold_both(late: Late) -> None:
    await go_back(late)
    zone = await late.till.world.seat(late.till.shop)
    now = late.till.world.clock.now()
    days = await late.till.world.services.sales.days(
        zone.shop_id, now.replace(hour=0, minute=0, second=0, microsecond=0), now, "UTC"
    )
    assert [(day.amount_fen, day.count, day.refund_fen) for day in days] == [(23_00, 1, 23_00)]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_refund_that_nobody_made_has_its_pages(late: Late, language: str) -> None:
    owner, world = late.till.owner, late.till.world
    await go_back(late)
    await speak(owner, language)
    assert late.order.payment_id is not None
    [refund] = await world.services.payments.refunds(late.till.shop.shop_id, late.order.payment_id)
    where = f"/shop/orders/{late.order.order_id}"
    for path in (f"{where}/refund", f"{where}/refunds/{refund.refund_id}", where):
        answer = await owner.see(path)
        assert answer.status_code == 200, main_of(answer)
        text = unescape(answer.text)
        assert CAME_LATE[language] in text, path
        assert not re.search(r">\s*reversal\s*<", answer.text), path  # a machine word
        assert path == where or ITSELF[language] in text, path


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_payers_result_agrees_with_their_bill(late: Late, language: str) -> None:
    payer = late.payer
    await speak(payer, language)
    await go_back(late)
    page = await payer.see(f"/payments/{late.order.payment_id}")
    for words in (*GIVEN_BACK[language], "¥23.00"):
        assert words in main_of(page)
    assert ARRIVED[language] not in page.text
    bill = await payer.see(f"/bills/{late.order.payment_id}")
    assert not re.search(r">\s*reversal\s*<", bill.text)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_part_that_came_back_is_told_too(till: Till, enter: Enter, language: str) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await till.world.services.payments.start(till.world.paying(payer.wallet, order))
    payment_id = (await till.world.services.payments.order(order.order_id)).payment_id
    await speak(payer, language)
    page = await payer.see(f"/payments/{payment_id}")
    assert ARRIVED[language] in page.text
    where = f"/shop/orders/{order.order_id}/refund"
    await till.owner.see(where)
    await till.owner.tap(where, {"extent": "part", "amount": "3", "reason": "少一份"})
    page = await payer.see(f"/payments/{payment_id}")
    assert PART[language] in page.text
    assert ARRIVED[language] not in page.text
    assert GIVEN_BACK[language][1] not in page.text


async def test_the_result_leads_to_bill_receipt_and_freeze(till: Till, enter: Enter) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    await till.world.services.payments.start(till.world.paying(payer.wallet, order))
    payment_id = (await till.world.services.payments.order(order.order_id)).payment_id
    page = await payer.see(f"/payments/{payment_id}")
    for path in (f"/bills/{payment_id}", f"/freeze?payment={payment_id}"):
        assert f'href="{path}"' in page.text
        assert (await payer.see(path)).status_code == 200
    receipt = f"/bills/{payment_id}/receipt.json"
    assert f'href="{receipt}"' in page.text
    assert (await payer.see(receipt)).json()["id"]
