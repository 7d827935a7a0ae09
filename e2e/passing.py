"""Pages that pass by: what a till and a payer see while something happens, or as the answer to a
form. Each is given out, by name, while it is on the screen."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from e2e import steps
from e2e.people import Visitor
from e2e.places import enter

Seen = Iterator[tuple[str, Page]]

BIG = "600.00"  # always takes a passkey
ANSWER_MS = 20_000
TURNING_MS = 10_000  # pages turn by themselves
TRIES = 30  # a second each; for the first quarter of a minute it is too soon
# As a browser without scripts sends it.
SENT_PLAINLY = (
    "(form, path) => { form.action = path; HTMLFormElement.prototype.submit.call(form); }"
)


def pages(browser: Browser, url: str) -> Seen:
    """On a running demo at that address."""
    shop, consumer = Visitor(browser, url), Visitor(browser, url)
    enter(shop.page, "shop")
    enter(consumer.page, "consumer")
    steps.first_passkey(consumer)
    yield from _refused_at_the_till(shop, consumer)
    yield from _under_way(shop, consumer)
    yield from _foreign_code(consumer.page)
    yield from _to_and_from_the_bank(consumer)
    yield from _taken_back(shop, consumer)
    shop.close()
    consumer.close()


def _refused_at_the_till(shop: Visitor, consumer: Visitor) -> Seen:
    """By a payment code: the till waits, the payer is asked, and the passkey is no good."""
    _read_code(shop, consumer)
    yield "till-confirming", shop.page
    yield "code-asks-payer", consumer.page
    consumer.override(isBogusSignature=True)
    consumer.page.locator("#pay-now").click()
    consumer.page.locator(".outcome--bad").wait_for()
    consumer.override(isBogusSignature=False)
    yield "payment-refused", consumer.page
    expect(shop.page.locator("[data-state=failed]")).to_be_visible(timeout=TURNING_MS)
    yield "till-failed", shop.page
    consumer.page.goto(urlsplit(consumer.page.url).path.removesuffix("/confirmation"))
    yield "payment-refused-result", consumer.page


def _under_way(shop: Visitor, consumer: Visitor) -> Seen:
    """A payment that was begun; its passkey is still to come."""
    page = consumer.page
    page.goto(f"/{steps.charge(shop, BIG)}")
    payment_id = page.locator("input[name=payment_id]").input_value()
    page.locator("form[data-passkey=pay]").evaluate(SENT_PLAINLY, "/payments")
    page.wait_for_url("**/payments")
    yield "payment-passkey", page
    page.goto(f"/payments/{payment_id}")
    page.locator(".outcome--wait").wait_for()
    yield "payment-under-way", page


def _foreign_code(page: Page) -> Seen:
    page.goto("/scan")
    page.locator("#f-text").fill("https://qr.alipay.com/fkx0123456789")
    page.locator("#f-text").press("Enter")
    page.locator("[data-kind=wallet]").wait_for()
    yield "scan-told", page


def _to_and_from_the_bank(consumer: Visitor) -> Seen:
    page = consumer.page
    steps.top_up(consumer, "10")
    yield "top-up-result", page
    page.goto("/withdrawals/new")
    page.locator("#f-amount").fill("10")
    page.locator("#withdrawal button[type=submit]").click()
    confirm = page.locator("form[data-passkey=pay] button[type=submit]")
    confirm.wait_for()
    yield "withdrawal-confirm", page
    confirm.click()
    page.locator(".outcome").wait_for(timeout=ANSWER_MS)
    yield "withdrawal-result", page


def _taken_back(shop: Visitor, consumer: Visitor) -> Seen:
    """Paid, and the till never learns it: it gives up, as soon as it may."""
    order_id = _read_code(shop, consumer)
    consumer.page.locator("#pay-now").click()
    till = shop.page
    expect(till.locator("[data-state=paid]")).to_be_visible(timeout=TURNING_MS)
    reversed_now = till.locator("[data-state=reversed]")
    for _ in range(TRIES):
        till.goto("/cashier")
        till.locator("#till").evaluate(SENT_PLAINLY, f"/orders/{order_id}/reversal")
        till.locator("[data-state]").wait_for()
        if reversed_now.count():
            break
        till.wait_for_timeout(1000)
    expect(reversed_now).to_be_visible()
    yield "till-reversed", till


def _read_code(shop: Visitor, consumer: Visitor) -> str:
    """The till has read the consumer's code, whose page asks by itself; the order."""
    code = steps.payment_code(consumer)
    till = steps.open_till(shop, BIG)
    steps.scan(shop, code)
    expect(till.locator("[data-state=user_paying]")).to_be_visible()
    expect(consumer.page.locator("#pay-now")).to_be_visible(timeout=TURNING_MS)
    return till.url.rpartition("/")[2]
