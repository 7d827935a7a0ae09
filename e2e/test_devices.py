"""A second device, a freeze, the demo's one-tap entry, and the way back from an empty balance."""

from collections.abc import Callable

from playwright.sync_api import expect

from e2e import steps
from e2e.people import DESKTOP, Visitor
from e2e.wallet import Wallet


def test_a_second_device_signs_in_and_pays_known_payees_only(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> None:
    shop, first, second = visitor(), visitor(), visitor(viewport=DESKTOP)
    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "书店")
    steps.sign_up(first, wallet, phone, "读者")
    steps.bind_card(first, wallet)
    steps.top_up(first, "100")

    second.take_over(first)
    steps.sign_in(second)
    second.page.goto("/security")
    expect(second.page.locator("main")).to_contain_text("新设备")
    steps.shot(second.page, "second-device")

    address = steps.charge(shop, "10.00")
    second.page.goto(f"/{address}")
    expect(second.page.locator("main")).to_contain_text("新设备")
    assert second.page.locator("#pay-now").count() == 0
    steps.shot(second.page, "second-device-unknown-payee")

    steps.pay(first, address)
    expect(first.page.locator(".outcome--ok")).to_be_visible()
    known = steps.charge(shop, "11.00")
    steps.pay(second, known)
    expect(second.page.locator(".outcome--ok")).to_be_visible()
    assert "79.00" in steps.balance(first)


def test_a_device_is_added_with_the_older_one(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str
) -> None:
    first, second = visitor(), visitor()
    steps.sign_up(first, wallet, phone, "小北")
    first.page.goto("/security")
    first.page.locator("form[action='/devices/grants'] button[type=submit]").click()
    link = first.page.locator("main .mono")
    expect(link).to_have_count(1)
    second.page.goto(str(link.text_content()).strip())
    second.page.locator("form[data-passkey=register] button[type=submit]").click()
    second.page.wait_for_url("**/security")
    expect(second.page.locator("form[action$='/removal']")).to_have_count(1)  # the older one
    steps.shot(second.page, "two-devices")


def test_a_freeze_stops_paying_and_its_end_takes_a_passkey_and_a_wait(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> None:
    shop, consumer = visitor(), visitor()
    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "花店")
    steps.sign_up(consumer, wallet, phone, "小南")
    steps.bind_card(consumer, wallet)
    steps.top_up(consumer, "100")
    address = steps.charge(shop, "12.00")

    consumer.page.goto("/security")
    consumer.page.locator("form[action='/freeze'] button[type=submit]").first.click()
    expect(consumer.page.locator("main")).to_contain_text("冻结")
    steps.shot(consumer.page, "frozen")
    consumer.page.goto(f"/{address}")
    expect(consumer.page.locator("main")).to_contain_text("冻结")
    assert consumer.page.locator("#pay-now").count() == 0

    consumer.page.goto("/freeze")
    consumer.page.locator("form[action='/freeze/undo'] button[type=submit]").click()
    expect(consumer.page.locator("form[action='/freeze/undo']")).to_have_count(0)
    steps.shot(consumer.page, "thawing")
    consumer.page.goto(f"/{address}")
    assert consumer.page.locator("#pay-now").count() == 0  # the wait is not over
    assert steps.balance(consumer) == "¥100.00"


def test_an_empty_balance_leads_to_a_top_up_and_back(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> None:
    shop, consumer = visitor(), visitor()
    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "果园")
    steps.sign_up(consumer, wallet, phone, "小西")
    steps.bind_card(consumer, wallet)
    address = steps.charge(shop, "33.00")

    consumer.page.goto(f"/{address}")
    steps.shot(consumer.page, "balance-too-low")
    consumer.page.locator("main a[href^='/topups/new?']").click()
    expect(consumer.page.locator("input[name=amount]")).to_have_value("33.00")
    consumer.page.locator("#topup button[type=submit]").click()
    expect(consumer.page.locator(".outcome--ok")).to_be_visible(timeout=20_000)
    consumer.page.locator(".actions a.button--block").first.click()
    consumer.page.locator("#pay-now").click()
    expect(consumer.page.locator(".outcome--ok")).to_be_visible()
    assert steps.balance(consumer) == "¥0.00"


def test_the_demo_is_entered_with_one_tap_and_pays_at_once(visitor: Callable[..., Visitor]) -> None:
    shop, consumer = visitor(viewport=DESKTOP), visitor()
    shop.page.goto("/welcome")
    shop.page.locator("form[action='/demo/shop'] button").click()
    shop.page.goto("/shop")
    steps.shot(shop.page, "demo-dashboard")
    consumer.page.goto("/welcome")
    consumer.page.locator("form[action='/demo/consumer'] button").click()
    expect(consumer.page.locator(".hero__amount").first).to_be_visible()
    steps.shot(consumer.page, "demo-home")
    address = steps.charge(shop, "9.90")
    steps.pay(consumer, address)
    expect(consumer.page.locator(".outcome--ok")).to_be_visible()
    expect(shop.page.locator(".outcome--ok")).to_be_visible(timeout=5_000)
