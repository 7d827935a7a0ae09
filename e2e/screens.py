"""`python -m e2e.screens [address]`: pictures of every page into artefacts/screens, to look at.

Phone and desktop, light and dark, both languages, with the demo's people. Without an address a
wallet of its own is started. Tells what the first load of each page weighs. Ends with 1 if a page
logged an error or is wider than its screen.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from e2e.people import DESKTOP, PHONE, launch, settle
from e2e.places import EVERYWHERE, all_of, enter
from e2e.wallet import Wallet

FOLDER = Path(__file__).resolve().parents[1] / "artefacts" / "screens"
SIZES = {
    name: ViewportSize(width=size["width"], height=size["height"])
    for name, size in (("phone", PHONE), ("desktop", DESKTOP))
}
SCHEMES = ("light", "dark")
LANGUAGES = ("zh-CN", "en")
# The demo's people pay without passkey, ten times a day: not in every form.
PAID_IN = ("phone-light-zh-CN", "phone-dark-en", "desktop-light-en", "desktop-dark-zh-CN")

WEIGHED_IN = "phone-light-zh-CN"


class Camera:
    """Takes one person's pictures in one form; remembers what was wrong."""

    def __init__(self, page: Page, form: str, language: str) -> None:
        self.page, self._form, self._language = page, form, language
        self.faults: list[str] = []
        self.weights: dict[str, int] = {}
        self._bytes = 0
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("console", self._listen)
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        wire.on("Network.loadingFinished", self._weigh)

    def go(self, name: str, path: str) -> None:
        self._bytes = 0
        self.page.goto(path)
        self.take(name)
        self.weights[name] = self._bytes

    def take(self, name: str) -> None:
        settle(self.page)
        self.page.screenshot(path=FOLDER / f"{name}-{self._form}.png", full_page=True)
        over = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            self.faults.append(f"{name} {self._form}: {over} px too wide")

    def enter(self, who: str) -> None:
        enter(self.page, who)
        if self.page.locator("html").get_attribute("lang") != self._language:
            self.page.locator('form[action="/language"] button').first.evaluate("b => b.click()")
            self.page.wait_for_load_state()

    def _weigh(self, loaded: dict[str, float]) -> None:
        """As it came over the wire: compressed, headers included."""
        self._bytes += int(loaded["encodedDataLength"])

    def _listen(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        if kind == "error" and "status of 4" not in text:
            self.faults.append(f"{self.page.url}: {text}")


def main(address: str = "") -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    weights: dict[str, int] = {}
    with _wallet(address) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        for size, scheme, language in product(SIZES, SCHEMES, LANGUAGES):
            faults += _all_pages(browser, url, size, scheme, language, weights)
        browser.close()
    sys.stdout.write("first load of a page, compressed, in KB:\n")
    for name, weight in sorted(weights.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"{weight / 1024:8.1f}  {name}\n")
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    sys.stdout.write(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}\n")
    return 1 if faults else 0


@contextmanager
def _wallet(address: str) -> Iterator[str]:
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder, Wallet(Path(folder)) as wallet:
        yield wallet.url


def _all_pages(
    browser: Browser, url: str, size: str, scheme: str, language: str, weights: dict[str, int]
) -> list[str]:
    form = f"{size}-{scheme}-{language}"
    people = {}
    for who in EVERYWHERE:
        context = browser.new_context(
            base_url=url,
            viewport=SIZES[size],
            color_scheme=scheme,  # type: ignore[arg-type]
            locale=language,
            has_touch=size == "phone",
            service_workers="block",  # so that each page weighs what a first visit loads
        )
        people[who] = Camera(context.new_page(), form, language)
    for who, camera in people.items():
        if who != "visitor":
            camera.enter(who)
        for name, path in all_of(who, camera.page).items():
            camera.go(name, path)
    if form == WEIGHED_IN:
        weights.update({n: w for camera in people.values() for n, w in camera.weights.items()})
    visitor, consumer, shop = people["visitor"], people["consumer"], people["shop"]
    if form in PAID_IN:
        _a_payment(visitor, consumer, shop)
    for camera in people.values():
        camera.page.context.close()
    return [fault for camera in people.values() for fault in camera.faults]


def _a_payment(visitor: Camera, consumer: Camera, shop: Camera) -> None:
    """The till's code, the payer's side of it, and both ends."""
    shop.page.goto("/cashier")
    shop.page.locator("#f-amount").fill("23.00")
    shop.page.locator('form[action="/orders"] button[type=submit]:visible').click()
    shop.page.wait_for_url("**/orders/*")
    shop.take("order-open")
    path = shop.page.locator(".qr a").get_attribute("href") or ""
    visitor.go("order-visitor", path)
    consumer.go("confirm", path)
    consumer.page.locator("#pay-now").click()
    consumer.page.wait_for_url("**/payments/*")
    consumer.take("result")
    shop.page.locator(".outcome--ok").wait_for()
    shop.take("order-paid")
    consumer.go("order-already-paid", path)
    consumer.page.goto("/bills")
    consumer.page.locator("a.row").first.click()
    consumer.page.locator(".bill").wait_for()
    consumer.take("bill")
    shop.page.goto("/cashier")
    shop.page.locator("#f-amount").fill("1.00")
    shop.page.locator('form[action="/orders"] button[type=submit]:visible').click()
    shop.page.locator('form[action$="/cancellation"] button').click()
    shop.page.locator(".outcome").wait_for()
    shop.take("order-cancelled")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
