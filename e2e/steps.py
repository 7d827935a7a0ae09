"""What people do in the stories, in the order and with the words of the pages."""

import itertools
import re
import time
from collections import deque
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect

from backend.sandbox.cards import number
from e2e.people import DESKTOP, PHONE, Visitor, settle
from e2e.wallet import Wallet

ARTEFACTS = Path("artefacts/e2e")

QR = zxingcpp.barcode_formats_from_str("QRCode")

# The page turns, and the amount rises among coins.
TURNING_MS = (320, 800, 1200)
HELD = """(at) => document.getAnimations().forEach((a) => { a.pause(); a.currentTime = at; })"""

DOORS_A_MINUTE = 8  # sign-ups, at about five posts each, and other doors beside them

_numbers = itertools.count(13712340001)
_turns: dict[str, deque[float]] = {}


def fresh_phone() -> str:
    """A number that no other story uses."""
    return str(next(_numbers))


def shot(page: Page, name: str) -> None:
    """Keep what the person sees."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png", full_page=True)


def in_every_form(visitor: Visitor, name: str) -> None:
    """The page they are on, on phone and desktop, light and dark, in both languages; then as it
    was."""
    page, before = visitor.page, visitor.page.viewport_size
    assert before is not None
    for language in ("en", "zh-CN"):
        address = page.url
        switch = page.locator(f"form[action='/language'] button[value='{language}']").first
        switch.evaluate("b => b.click()")
        expect(page.locator("html")).to_have_attribute("lang", language)
        page.goto(address)
        for size, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
            page.set_viewport_size(ViewportSize(width=viewport["width"], height=viewport["height"]))
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                settle(page)
                shot(page, f"{name}-{size}-{scheme}-{language}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)


def fen(text: str) -> int:
    return int(text.replace("¥", "").replace(",", "").replace(".", ""))


def _take_turn(wallet: Wallet) -> None:
    """All live at one address, whose doors take 60 posts a minute: nobody is let to meet that."""
    turns = _turns.setdefault(wallet.url, deque(maxlen=DOORS_A_MINUTE))
    if len(turns) == DOORS_A_MINUTE:
        time.sleep(max(0.0, turns[0] + 60 - time.monotonic()))
    turns.append(time.monotonic())


def sign_up(visitor: Visitor, wallet: Wallet, phone: str, name: str) -> None:
    """From nothing to a wallet: number, code from the sandbox SMS, passkey."""
    _take_turn(wallet)
    page = visitor.page
    page.goto("/")
    page.locator("a[href='/sign-up']").click()
    page.get_by_label("手机号").fill(phone)
    page.locator("main button[type=submit]").click()
    page.wait_for_url("**/sign-up/code")
    page.locator("input[name=code]").fill(wallet.sms_code(f"+86{phone}"))
    page.locator("form[action='/sign-up/code'] button[type=submit]").click()
    page.wait_for_url("**/sign-up/passkey")
    page.locator("input[name=display_name]").fill(name)
    page.locator("form[data-passkey=register] button[type=submit]").click()
    expect(page.locator(".hero__amount")).to_be_visible(timeout=15_000)


def sign_in(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/sign-in")
    page.locator("form[data-passkey=sign-in] button[type=submit]").click()
    expect(page.locator(".hero__amount")).to_be_visible(timeout=15_000)


def bind_card(visitor: Visitor, wallet: Wallet, last4: str = "0001") -> None:
    """With the code of the one-fen deposit, as the bank's own page shows it."""
    page = visitor.page
    page.goto("/cards/new")
    page.locator("input[name=number]").fill(number("622200", last4))
    page.locator("input[name=holder]").fill("Holder")
    page.locator("main form button[type=submit]").click()
    page.locator("input[name=code]").fill(micro_code(wallet))
    page.locator("main form button[type=submit]").click()
    expect(page.locator("input[name=code]")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(last4)


def micro_code(wallet: Wallet) -> str:
    """The newest one on the bank's statement page."""
    statement = httpx.get(f"{wallet.bank_url}/statement").text
    found = re.search(r"<strong>[^<]*?(?<!\d)(\d{4})(?!\d)[^<]*</strong>", statement)
    assert found is not None, "the bank shows no code"
    return found[1]


def top_up(visitor: Visitor, yuan: str) -> None:
    page = visitor.page
    page.goto("/topups/new")
    page.locator("input[name=amount]").fill(yuan)
    page.locator("#topup button[type=submit]").click()
    expect(page.locator(".outcome--ok")).to_be_visible(timeout=20_000)


def open_shop(visitor: Visitor, name: str) -> None:
    page = visitor.page
    page.goto("/shop/new")
    page.locator("input[name=name]").fill(name)
    page.locator(".choice").first.click()
    page.locator("main form button[type=submit]").click()
    expect(page.locator("input[name=category]")).to_have_count(0)
    page.wait_for_load_state()


def charge(visitor: Visitor, yuan: str) -> str:
    """Show a code at the till; the address that it holds, as a path."""
    page = visitor.page
    page.goto("/cashier")
    page.locator("input[name=amount]").fill(yuan)
    page.locator(
        "form[action='/orders'] .till__submit button, form[action='/orders'] .keypad__go"
    ).locator("visible=true").first.click()
    expect(page.locator(".qr__code svg")).to_be_visible()
    address = page.locator(".qr a").get_attribute("href")
    assert address is not None
    return urlsplit(address).path.lstrip("/")


def pay(visitor: Visitor, address: str) -> None:
    """Open the code's address and confirm, whatever it takes."""
    visitor.page.goto(f"/{address}")
    visitor.page.locator("#pay-now").click()


def balance(visitor: Visitor) -> str:
    visitor.page.goto("/")
    return visitor.page.locator(".hero__amount").first.inner_text().replace("\n", "").strip()


def open_till(visitor: Visitor, yuan: str) -> Page:
    """The till with an amount, waiting for a code."""
    page = visitor.page
    page.goto("/cashier")
    page.locator("#f-amount").fill(yuan)
    return page


def payment_code(visitor: Visitor) -> str:
    """What a scanner reads off the phone: the QR code in a picture of the screen."""
    visitor.page.goto("/code")
    picture = visitor.page.locator(".paycode__qr").screenshot()
    with Image.open(BytesIO(picture)) as drawn:
        found = zxingcpp.read_barcodes(drawn, formats=QR)
    assert [code.text for code in found], "no code on the screen"
    return str(found[0].text)


def scan(visitor: Visitor, code: str) -> None:
    """A scanner gun: it types faster than any hand and ends with Enter."""
    visitor.page.keyboard.type(code)
    visitor.page.keyboard.press("Enter")


def first_passkey(visitor: Visitor) -> None:
    """Somebody of the demo, who comes without one."""
    page = visitor.page
    page.goto("/security")
    form = page.locator("form[action='/devices'][data-passkey=register]")
    form.locator("button[type=submit]").click()
    expect(form).to_have_count(0)


def invite(owner: Visitor, role: str) -> str:
    """The link that makes whoever opens it a member; the owner's passkey is over the role."""
    owner.page.goto("/shop/staff")
    form = owner.page.locator("form[action='/shop/staff/invitations']")
    form.locator(f"label:has(input[value='{role}'])").click()
    form.locator("button[type=submit]").click()
    return owner.page.locator("#f-link").input_value()


def hire(owner: Visitor, member: Visitor, role: str) -> None:
    """Invited on the shop's page, joined with the member's own passkey."""
    member.page.goto(invite(owner, role))
    member.page.locator("form[data-passkey=approve] button[type=submit]").click()
    member.page.wait_for_url(lambda url: "/j/" not in url)


def refund(visitor: Visitor, order_id: str, yuan: str, reason: str) -> None:
    """Part of an order, by the form of the dashboard."""
    page = visitor.page
    page.goto(f"/shop/orders/{order_id}/refund")
    page.locator("label:has(input[value='part'])").click()
    page.locator("#f-amount").fill(yuan)
    page.locator("#f-reason").fill(reason)
    page.locator("#refund form button[type=submit]").click()


def poster_path(owner: Visitor) -> str:
    """The path behind the code of the first till's poster, read off its preview."""
    page = owner.page
    page.goto("/shop/stores")
    page.locator("main a[href^='/shop/stores/']").first.click()
    page.locator("main a[href$='/poster']").first.click()
    preview = page.locator(".poster__preview img")
    expect(preview).to_be_visible()
    expect(preview).to_have_js_property("complete", True)
    with Image.open(BytesIO(preview.screenshot())) as drawn:
        found = zxingcpp.read_barcodes(drawn, formats=QR)
    assert [code.text for code in found], "no code on the poster"
    return urlsplit(str(found[0].text)).path


def befriend(one: Visitor, other: Visitor) -> None:
    """By the other's link; the other accepts."""
    other.page.goto("/friends/new")
    other.page.locator("form[action='/friends/links'] button[type=submit]").click()
    one.page.goto(other.page.locator("#link").inner_text())
    one.page.locator("form[action='/friends/requests'] button[type=submit]").click()
    one.page.wait_for_url(lambda url: "/f/" not in url)
    other.page.goto("/friends")
    other.page.locator("form[action$='/acceptance'] button[type=submit]").first.click()
    expect(other.page.locator("form[action$='/acceptance']")).to_have_count(0)


def open_group(owner: Visitor, name: str, *members: Visitor) -> None:
    """A group that the members join by its link."""
    page = owner.page
    page.goto("/groups/new")
    page.locator("form[action='/groups'] input[name=name]").fill(name)
    page.locator("form[action='/groups'] button[type=submit]").click()
    page.locator("form[action$='/links'] button[type=submit]").click()
    link = page.locator("#link").inner_text()
    for member in members:
        member.page.goto(link)
        member.page.locator("form[action^='/g/'] button[type=submit]").click()
        member.page.wait_for_url("**/groups/*")


def send_packet(visitor: Visitor, kind: str, yuan: str, count: str = "", to: str = "") -> str:
    """Fill a red packet for a group or a friend (by name) or whoever has the link; its path."""
    page = visitor.page
    page.goto("/packets/new")
    page.locator(f"label:has(input[value='{kind}'])").click()
    payee = "#f-to_person" if kind == "exclusive" else "#f-to_group"
    if to:
        value = page.locator(f"{payee} option", has_text=to).get_attribute("value")
        page.locator(payee).select_option(value)
    if count:
        page.locator("#f-count").fill(count)
    page.locator("#f-amount").fill(yuan)
    page.locator("#new-packet button[type=submit]").click()
    confirm = page.locator("form[data-passkey=pay] button[type=submit]")
    expect(confirm.or_(page.locator("#packet-link"))).to_be_visible()
    if confirm.is_visible():
        confirm.click()
    expect(page.locator("#packet-link")).to_be_visible()
    return urlsplit(page.locator("#packet-link").inner_text()).path


def open_packet(visitor: Visitor, turning: str = "") -> str:
    """Open the envelope on the page; what was in it. turning: the name of a picture in between."""
    page = visitor.page
    if turning:
        visitor.play(0)
    page.locator("#open").click()
    amount = page.locator(".won__amount .amount")
    if turning:
        page.locator(".turn--now").wait_for()
        for step, at_ms in enumerate(TURNING_MS, 1):
            page.evaluate(HELD, at_ms)
            shot(page, f"{turning}-{step}")
        visitor.play(1)
        page.evaluate("document.getAnimations().forEach((a) => a.play())")
    expect(amount).to_be_visible()
    return amount.inner_text().replace("\n", "").strip()


def transfer(visitor: Visitor, name: str, yuan: str, delay: str = "0") -> None:
    """To a friend; delay in hours."""
    page = visitor.page
    page.goto("/send")
    page.locator("main a[href^='/send/']", has_text=name).first.click()
    page.locator("#f-amount").fill(yuan)
    page.locator(f"label:has(input[name=delay][value='{delay}'])").click()
    page.locator("form .pay__dock button[type=submit]").click()
    page.locator("#pay-now").click()
    page.wait_for_url("**/transfers/trf_*")


def split(visitor: Visitor, group: str, yuan: str) -> None:
    """Among everybody in the group, oneself too."""
    page = visitor.page
    page.goto("/requests/new")
    page.locator("a[href*='group=']", has_text=group).click()
    page.locator("#f-amount").fill(yuan)
    for box in page.locator("input[name^='with_']").all():
        box.check()
    page.locator("form[action='/requests/summary'] button[type=submit]").click()
    page.locator("form[action='/requests'] button[type=submit]").click()
    page.wait_for_url("**/requests/req_*")


def people(make: Callable[..., Visitor], wallet: Wallet, *names: str) -> list[Visitor]:
    """The first one has 100 yuan; the second sits at a desk."""
    made: list[Visitor] = []
    for name in names:
        one = make(viewport=DESKTOP) if len(made) == 1 else make()
        sign_up(one, wallet, fresh_phone(), name)
        made.append(one)
    bind_card(made[0], wallet)
    top_up(made[0], "100")
    return made
