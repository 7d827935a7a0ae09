"""The till: every way to be paid, and every way back."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from playwright.sync_api import expect

from e2e import steps
from e2e.conftest import product
from e2e.people import DESKTOP, Visitor
from e2e.wallet import Wallet

SHOP = "易茶铺"


@pytest.fixture(scope="module")
def wallet() -> Iterator[Wallet]:
    with product() as running:
        yield running


class Till:
    """A shop's owner at a till, and a customer with money."""

    def __init__(self, shop: Visitor, customer: Visitor) -> None:
        self.shop, self.customer = shop, customer

    def check(self) -> None:
        assert self.shop.errors == []
        assert self.customer.errors == []


@pytest.fixture
def till(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> Callable[[str], Till]:
    def make(yuan: str = "100") -> Till:
        shop, customer = visitor(viewport=DESKTOP), visitor()
        steps.sign_up(shop, wallet, other_phone, "掌柜")
        steps.open_shop(shop, SHOP)
        steps.sign_up(customer, wallet, phone, "小易")
        steps.bind_card(customer, wallet)
        steps.top_up(customer, yuan)
        return Till(shop, customer)

    return make


def order_of(visitor: Visitor) -> str:
    return visitor.page.url.rpartition("/")[2]


def test_a_payment_code_without_a_passkey(till: Callable[..., Till]) -> None:
    both = till()
    code = steps.payment_code(both.customer)
    steps.open_till(both.shop, "23.00")
    steps.scan(both.shop, code)
    expect(both.shop.page.locator("[data-state=paid]")).to_be_visible()
    expect(both.shop.page.locator("main")).to_contain_text("收款到账")
    assert code not in both.shop.page.content()
    assert code not in both.shop.page.url
    steps.shot(both.shop.page, "till-code-paid")
    # The customer's page is not reloaded by this story: it hears of it and turns.
    expect(both.customer.page.locator("main")).to_contain_text("23.00", timeout=10_000)
    assert "77.00" in steps.balance(both.customer)
    # The same code again, from a screenshot: burnt.
    steps.open_till(both.shop, "1.00")
    steps.scan(both.shop, code)
    expect(both.shop.page.locator("[data-state=failed], [data-refused]")).to_be_visible()
    assert "77.00" in steps.balance(both.customer)


def test_a_payment_code_with_a_passkey_live_on_both_sides(till: Callable[..., Till]) -> None:
    both = till("2000")
    code = steps.payment_code(both.customer)
    steps.open_till(both.shop, "800.00")
    steps.scan(both.shop, code)
    expect(both.shop.page.locator("[data-state=user_paying]")).to_be_visible()
    expect(both.shop.page.locator("main")).to_contain_text("顾客确认中")
    steps.shot(both.shop.page, "till-code-asked")
    # The customer did nothing but hold the phone: it asks by itself.
    expect(both.customer.page.locator("#pay-now")).to_be_visible(timeout=10_000)
    expect(both.customer.page.locator("main")).to_contain_text("800.00")
    steps.shot(both.customer.page, "till-code-asks-customer")
    both.customer.page.locator("#pay-now").click()
    expect(both.customer.page.locator(".outcome--ok")).to_be_visible()
    expect(both.shop.page.locator("[data-state=paid]")).to_be_visible(timeout=5_000)
    assert "1,200.00" in steps.balance(both.customer)
    both.check()


def test_a_customer_who_does_not_confirm(till: Callable[..., Till]) -> None:
    both = till("2000")
    steps.open_till(both.shop, "800.00")
    steps.scan(both.shop, steps.payment_code(both.customer))
    expect(both.shop.page.locator("[data-state=user_paying]")).to_be_visible()
    both.shop.page.locator("form[action$='/reversal'] button").click()
    expect(both.shop.page.locator("[data-state=cancelled], [data-state=failed]")).to_be_visible()
    steps.shot(both.shop.page, "till-code-taken-back")
    assert "2,000.00" in steps.balance(both.customer)


def test_a_static_code_of_a_poster(till: Callable[..., Till]) -> None:
    both = till()
    path = steps.poster_path(both.shop)
    steps.shot(both.shop.page, "poster")
    assert urlsplit(_printed(both.shop)).path == path
    both.customer.page.goto(path)
    expect(both.customer.page.locator("main")).to_contain_text(SHOP)
    both.customer.page.locator("input[name=amount]").fill("18.50")
    both.customer.page.locator("main form button[type=submit]").first.click()
    expect(both.customer.page.locator("#pay-now")).to_contain_text("18.50")
    both.customer.page.locator("#pay-now").click()
    expect(both.customer.page.locator(".outcome--ok")).to_be_visible()
    assert "81.50" in steps.balance(both.customer)
    both.check()


def _printed(owner: Visitor) -> str:
    """The code on the file for the printer, as a scanner reads it off the paper."""
    with owner.page.expect_download() as waiting:
        owner.page.locator("a[download][href*='poster.pdf']").click()
    assert waiting.value.suggested_filename.endswith(".pdf")
    page = pypdfium2.PdfDocument(waiting.value.path())[0]
    found = zxingcpp.read_barcodes(page.render(scale=2).to_pil().convert("L"))
    assert len(found) == 1, "not one code on the paper"
    return str(found[0].text)


def test_two_part_refunds_and_a_third_that_is_refused(till: Callable[..., Till]) -> None:
    both = till()
    address = steps.charge(both.shop, "30.00")
    order_id = order_of(both.shop)
    steps.pay(both.customer, address)
    expect(both.customer.page.locator(".outcome--ok")).to_be_visible()
    for yuan, left in (("10.00", "20.00"), ("15.00", "5.00")):
        steps.refund(both.shop, order_id, yuan, "多收金额")
        expect(both.shop.page.locator(".outcome--ok")).to_be_visible()
        expect(both.shop.page.locator("main")).to_contain_text(left)
    steps.shot(both.shop.page, "refunded-in-part")
    steps.refund(both.shop, order_id, "5.01", "再退")
    expect(both.shop.page.locator("#f-amount-error")).to_be_visible()
    assert "95.00" in steps.balance(both.customer)
    both.customer.page.goto("/bills")
    both.customer.page.locator("main a[href^='/bills/pay']").first.click()
    expect(both.customer.page.locator("main")).to_contain_text("25.00")
    steps.shot(both.customer.page, "refunded-bill")


def test_a_cashier_may_charge_and_not_refund(
    till: Callable[..., Till], wallet: Wallet, visitor: Callable[..., Visitor]
) -> None:
    both, cashier = till(), visitor(viewport=DESKTOP)
    steps.sign_up(cashier, wallet, steps.fresh_phone(), "小满")
    steps.hire(both.shop, cashier, "cashier")
    steps.open_till(cashier, "12.00")
    steps.scan(cashier, steps.payment_code(both.customer))
    expect(cashier.page.locator("[data-state=paid]")).to_be_visible()
    order_id = order_of(cashier)
    assert cashier.page.locator("a[href$='/refund']").count() == 0
    cashier.page.goto(f"/shop/orders/{order_id}/refund")
    expect(cashier.page.locator("main")).to_contain_text("退款")
    expect(cashier.page.locator("main")).to_contain_text("收银员")
    steps.shot(cashier.page, "cashier-may-not-refund")
    assert "88.00" in steps.balance(both.customer)


def test_the_till_by_keyboard_alone(till: Callable[..., Till]) -> None:
    both = till()
    code, second = steps.payment_code(both.customer), ""
    page, keys = both.shop.page, both.shop.page.keyboard
    page.goto("/cashier")
    expect(page.locator("#f-amount")).to_be_focused()
    keys.type("23.5", delay=90)
    keys.press("Enter")
    expect(page.locator("#f-pay_code")).to_be_focused()
    steps.scan(both.shop, code)
    expect(page.locator("[data-state=paid]")).to_be_visible()
    expect(page.locator("[data-next]")).to_be_focused()
    page.wait_for_timeout(600)  # longer than the echo of a gun
    keys.press("Enter")  # the next customer
    expect(page.locator("#f-amount")).to_be_focused()
    second = steps.payment_code(both.customer)
    steps.scan(both.shop, second)  # the gun before the amount: the code waits for it
    expect(page.locator("#f-amount")).to_have_value("")
    keys.type("6", delay=90)
    keys.press("Enter")
    expect(page.locator("[data-state=paid]")).to_be_visible()
    page.wait_for_timeout(600)
    keys.press("Enter")
    expect(page.locator("#f-amount")).to_be_focused()
    keys.type("5", delay=90)
    keys.press("Enter")
    page.wait_for_timeout(200)
    keys.press("Enter")  # no code: ours is shown
    expect(page.locator(".qr__code svg")).to_be_visible()
    assert "70.50" in steps.balance(both.customer)
    both.check()


def test_a_lost_network_is_asked_again_with_the_same_number(till: Callable[..., Till]) -> None:
    both = till()
    code = steps.payment_code(both.customer)
    page = steps.open_till(both.shop, "23.00")
    lost: list[str] = []

    def lose_the_answer(route: object) -> None:
        """The server gets the first charge and carries it out; its answer drops."""
        if lost:
            route.continue_()  # type: ignore[attr-defined]
            return
        lost.append(route.request.post_data or "")  # type: ignore[attr-defined]
        route.fetch()  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    page.route("**/orders", lose_the_answer)
    steps.scan(both.shop, code)
    expect(page.locator("#till-again")).to_be_visible()
    expect(page.locator("[data-state=paid]")).to_be_visible(timeout=15_000)
    assert len(lost) == 1
    assert "77.00" in steps.balance(both.customer)


def test_paying_a_static_code_without_javascript(
    till: Callable[..., Till], visitor: Callable[..., Visitor]
) -> None:
    """Up to the passkey, which needs a script; and all the way where none is asked for."""
    both = till("2000")
    path = steps.poster_path(both.shop)
    plain = visitor(java_script_enabled=False)
    plain.context.add_cookies(both.customer.context.cookies())  # type: ignore[arg-type]
    page = plain.page
    for yuan, small in (("12.00", True), ("900.00", False)):
        page.goto(path)
        page.locator("input[name=amount]").fill(yuan)
        page.locator("main form button[type=submit]").first.click()
        expect(page.locator("#pay-now")).to_contain_text(yuan)
        if small:
            page.locator("#pay-now").click()
            expect(page.locator(".outcome--ok")).to_be_visible()
        else:
            expect(page.locator("form[data-passkey=pay]")).to_be_visible()
            expect(page.locator("main")).to_contain_text("通行密钥")
    steps.shot(page, "static-without-javascript")
