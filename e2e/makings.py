"""Pages that are there only once people have done something: a few things in the demo, and where
they can be seen. By person and name, paths."""

from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

from e2e import steps
from e2e.people import Visitor
from e2e.places import enter, follow

Paths = dict[str, dict[str, str]]


def make(browser: Browser, url: str) -> Paths:
    """On a running demo at that address."""
    shop, consumer = Visitor(browser, url), Visitor(browser, url)
    enter(shop.page, "shop")
    enter(consumer.page, "consumer")
    found = {"visitor": {}, "consumer": {}, "shop": {}, "cashier": {}}  # type: Paths
    _codes(shop, consumer, found)
    _till(shop, consumer, found)
    _sent(consumer, found)
    shop.close()
    consumer.close()
    return found


def _codes(shop: Visitor, consumer: Visitor, found: Paths) -> None:
    """Codes that anybody may scan: of a till, of a person, of an invitation."""
    static = follow(shop.page, "/shop/stores", "main a[href^='/shop/stores/']", "a.terminal__code")
    consumer.page.goto("/receive")
    picture = consumer.page.locator("a[href$='/picture.svg']").get_attribute("href") or ""
    personal = "/u/" + picture.removesuffix("/picture.svg").rpartition("/")[2]
    steps.first_passkey(shop)
    join = urlsplit(steps.invite(shop, "cashier")).path
    found["visitor"] |= {"static-outside": static, "personal-outside": personal, "join": join}
    found["consumer"] |= {"static": static, "personal-own": personal, "join-inside": join}
    found["shop"] |= {"personal": personal}


def _till(shop: Visitor, consumer: Visitor, found: Paths) -> None:
    """Orders in each of their states, from both sides, and a payment that went back in part."""
    waiting = f"/{steps.charge(shop, '6.60')}"
    found["shop"]["order-open"] = _path(shop.page)
    found["visitor"]["order-outside"] = waiting
    found["consumer"]["order"] = waiting
    cancelled = f"/{steps.charge(shop, '1.00')}"
    shop.page.locator("form[action$='/cancellation'] button").click()
    shop.page.locator(".outcome").wait_for()
    found["shop"]["order-cancelled"] = _path(shop.page)
    found["consumer"]["order-gone"] = cancelled
    paid = f"/{steps.charge(shop, '5.00')}"
    found["shop"]["order-paid"] = _path(shop.page)
    steps.pay(consumer, paid.removeprefix("/"))
    consumer.page.wait_for_url("**/payments/*")
    found["consumer"] |= {"result": _path(consumer.page), "order-already-paid": paid}
    expect(shop.page.locator("[data-state=paid], .outcome--ok").first).to_be_visible()
    order_id = found["shop"]["order-paid"].rpartition("/")[2]
    steps.refund(shop, order_id, "1.00", "洒了")
    shop.page.wait_for_url("**/refunds/rfd_*")
    found["shop"]["refund-result"] = _path(shop.page)


def _sent(consumer: Visitor, found: Paths) -> None:
    """Money on its way to a friend, and some that was asked for."""
    page = consumer.page
    payee = follow(page, "/send", "main a[href^='/send/']")
    page.goto(payee)
    page.locator("#f-amount").fill("0.88")
    page.locator("label:has(input[name=delay][value='24'])").click()
    page.locator("form .pay__dock button[type=submit]").click()
    page.locator("#pay-now").click()
    page.wait_for_url("**/transfers/trf_*")
    expect(page.locator(".outcome")).to_be_visible()
    found["consumer"] |= {"send-to": payee, "transfer": _path(page)}
    found["consumer"]["bill-of-transfer"] = follow(page, _path(page), "main a[href^='/bills/']")
    steps.split(consumer, "", "9.00")  # in the circle of friends, the only group there is
    found["consumer"]["request"] = _path(page)


def _path(page: Page) -> str:
    return urlsplit(page.url).path
