"""What goes wrong, or is done on purpose, at a till: money only moves as agreed."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e import steps
from e2e.people import Visitor
from e2e.wallet import Wallet


class Counter:
    """A shop with its owner, and a customer with ¥1,000, ready at the till."""

    def __init__(self, shop: Visitor, consumer: Visitor) -> None:
        self.shop, self.consumer = shop, consumer


@pytest.fixture
def counter(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> Counter:
    shop, consumer = visitor(), visitor()
    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "面馆")
    steps.sign_up(consumer, wallet, phone, "客人")
    steps.bind_card(consumer, wallet)
    steps.top_up(consumer, "1000")
    return Counter(shop, consumer)


def test_a_bogus_passkey_pays_nothing(counter: Counter) -> None:
    consumer = counter.consumer
    for bits in ({"isBogusSignature": True}, {"isBadUV": True}, {"isBadUP": True}):
        address = steps.charge(counter.shop, "600.00")
        consumer.page.goto(f"/{address}")
        consumer.override(**bits)
        consumer.page.locator("#pay-now").click()
        expect(consumer.page.locator(".outcome--bad")).to_be_visible()
        expect(consumer.page.locator("main")).to_contain_text("通行密钥没有通过验证")
        expect(consumer.page.locator("main")).to_contain_text("没有资金变动。")
        steps.shot(consumer.page, f"refused-{next(iter(bits))}")
        consumer.override(isBogusSignature=False, isBadUV=False, isBadUP=False)
        assert "1,000.00" in steps.balance(consumer)

    steps.pay(consumer, address)  # the order is open again for an honest passkey
    expect(consumer.page.locator(".outcome--ok")).to_be_visible()
    assert "400.00" in steps.balance(consumer)


def test_an_altered_amount_is_refused(counter: Counter) -> None:
    consumer = counter.consumer
    address = steps.charge(counter.shop, "20.00")
    consumer.page.goto(f"/{address}")
    consumer.page.eval_on_selector("input[name=amount_fen]", "field => { field.value = '100' }")
    consumer.page.locator("#pay-now").click()
    expect(consumer.page.locator("main")).to_contain_text("金额与订单不一致")
    steps.shot(consumer.page, "amount-altered")
    assert "1,000.00" in steps.balance(consumer)


def test_a_double_click_two_tabs_and_the_back_button_pay_once(counter: Counter) -> None:
    consumer = counter.consumer
    address = steps.charge(counter.shop, "30.00")
    consumer.page.goto(f"/{address}")
    other_tab = consumer.context.new_page()
    other_tab.goto(f"/{address}")
    consumer.page.locator("#pay-now").dblclick()
    expect(consumer.page.locator(".outcome--ok")).to_be_visible()
    other_tab.locator("#pay-now").click()
    expect(other_tab.locator("main")).to_contain_text("这笔订单已经付过了。")
    expect(other_tab.locator("main")).to_contain_text("没有重复扣款。")  # it was by you
    consumer.page.go_back()
    consumer.page.goto(f"/{address}")
    expect(consumer.page.locator("#pay-now")).to_have_count(0)
    assert "970.00" in steps.balance(consumer)


def test_without_the_security_system_nothing_moves_and_then_it_does(
    wallet: Wallet, counter: Counter
) -> None:
    consumer = counter.consumer
    address = steps.charge(counter.shop, "40.00")
    consumer.page.goto(f"/{address}")
    risk = wallet.part("serve", "risk")
    risk.suspend()
    try:
        consumer.page.locator("#pay-now").click()
        expect(consumer.page.locator("main")).to_contain_text("没有付款", timeout=30_000)
        steps.shot(consumer.page, "security-system-away")
        assert "1,000.00" in steps.balance(consumer)  # reading goes on
        steps.shot(consumer.page, "home-security-system-away")
    finally:
        risk.resume()
    steps.pay(consumer, address)
    expect(consumer.page.locator(".outcome--ok")).to_be_visible(timeout=30_000)
    assert "960.00" in steps.balance(consumer)


def test_a_killed_security_system_comes_back(wallet: Wallet, counter: Counter) -> None:
    consumer = counter.consumer
    address = steps.charge(counter.shop, "50.00")
    consumer.page.goto(f"/{address}")
    killed = wallet.part("serve", "risk")
    killed.kill()
    consumer.page.locator("#pay-now").click()
    expect(consumer.page.locator(".outcome")).to_be_visible(timeout=30_000)
    for _ in range(20):
        if consumer.page.locator(".outcome--ok").count():
            break
        consumer.page.goto(f"/{address}")
        if consumer.page.locator("#pay-now").count():
            consumer.page.locator("#pay-now").click()
            expect(consumer.page.locator(".outcome")).to_be_visible(timeout=30_000)
    assert "950.00" in steps.balance(consumer)
    assert wallet.part("serve", "risk").pid != killed.pid
