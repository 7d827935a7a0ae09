"""A payment code is on the screen while somebody looks, and no longer."""

from collections.abc import Callable

from playwright.sync_api import expect

from e2e.people import Visitor
from e2e.places import enter

# Headless Chromium never hides a page that is driven: not behind another tab, not minimised. What
# the browser would say is said for it.
LOOK = """(away) => {
  Object.defineProperty(document, "hidden", {configurable: true, value: away});
  const state = away ? "hidden" : "visible";
  Object.defineProperty(document, "visibilityState", {configurable: true, value: state});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
SAID = "input[name=code]"  # in the form that shows the digits


def test_codes_leave_a_page_that_nobody_looks_at(visitor: Callable[..., Visitor]) -> None:
    consumer = visitor()
    page = consumer.page
    enter(page, "consumer")
    page.goto("/code")
    pictures = page.locator("#paycode .paycode__qr svg, #paycode .paycode__bars svg")
    expect(pictures).to_have_count(2)
    before = page.locator(SAID).input_value()
    page.evaluate(LOOK, True)
    expect(page.locator("[data-codes]")).to_be_empty()
    assert before not in page.content()
    page.evaluate(LOOK, False)
    expect(pictures).to_have_count(2)
    assert page.locator(SAID).input_value() != before  # seen by whoever took the phone: a new one

    page.goto("/code/ahead")
    page.locator("form[action='/code/ahead'] button").click()
    ahead = page.locator(".ahead__one").first
    expect(ahead).to_be_visible()
    page.evaluate(LOOK, True)
    expect(ahead).to_be_hidden()
    page.evaluate(LOOK, False)
    expect(ahead).to_be_visible()  # they are shown once: the same ones
    page.locator("form[action='/code/revocation'] button").click()
    expect(ahead).to_have_count(0)
    assert consumer.errors == []
