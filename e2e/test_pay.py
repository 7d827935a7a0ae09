"""The main job: a stranger opens a wallet, tops up, opens a shop's code and pays. What the till and
the payer are told on the way: how long the code lives, and aloud what came in."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from e2e import steps
from e2e.people import DESKTOP, Visitor
from e2e.wallet import Wallet

Make = Callable[..., Visitor]

# Long enough to load a page in; htmx gives requests up after a minute.
LEAD = timedelta(seconds=50)

LISTEN = """window.spoken = [];
SpeechSynthesis.prototype.speak = (words) => spoken.push(`${words.lang}: ${words.text}`);"""
# The words follow the chime, which takes the mark off the page, by less than that.
SPOKEN = "() => new Promise((done) => setTimeout(() => done(spoken), 700))"


@pytest.mark.timeout(300)
def test_a_stranger_pays_and_the_till_turns_by_itself(
    wallet: Wallet, visitor: Make, phone: str, other_phone: str
) -> None:
    shop, consumer = visitor(viewport=DESKTOP), visitor()
    shop.context.add_init_script(LISTEN)

    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "易茶铺")
    steps.sign_up(consumer, wallet, phone, "小易")
    steps.bind_card(consumer, wallet)
    steps.top_up(consumer, "100")
    address = steps.charge(shop, "23.00")
    steps.shot(shop.page, "till-waiting")
    _end_told_late(visitor, shop, shop.page.url)
    _end_told_late(visitor, consumer, f"/{address}")

    consumer.page.goto(f"/{address}")
    expect(consumer.page.locator("#pay-now")).to_contain_text("23.00")
    expect(consumer.page.locator("main")).to_contain_text("易茶铺")
    steps.shot(consumer.page, "confirm")
    consumer.page.locator("#pay-now").click()
    expect(consumer.page.locator(".outcome--ok")).to_be_visible()
    steps.shot(consumer.page, "paid")

    # The till is not reloaded by this story: the page hears of it and turns.
    expect(shop.page.locator(".outcome--ok")).to_be_visible(timeout=5_000)
    steps.shot(shop.page, "till-paid")
    assert _said(shop.page) == ["zh-CN: 收款到账，23.00 元"]

    assert "77.00" in steps.balance(consumer)
    _bill_shows(consumer, "23.00", "易茶铺")
    _bill_shows(shop, "23.00", "*易")  # a payer is masked to the shop
    _said_where_it_is_wanted(shop, consumer)
    audit = subprocess.run(
        [sys.executable, "-m", "backend.cli", "audit"],
        env=wallet.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert consumer.errors == []
    assert shop.errors == []


def _bill_shows(visitor: Visitor, amount: str, counterparty: str) -> None:
    visitor.page.goto("/bills")
    row = visitor.page.locator("main a[href^='/bills/']").filter(has_text=amount).first
    row.click()
    expect(visitor.page.locator("main")).to_contain_text(counterparty)


def _end_told_late(visitor: Make, looker: Visitor, path: str) -> None:
    """In the order's last quarter only. A page of their own, whose clock alone goes on."""
    page = visitor(viewport=looker.page.viewport_size).page
    page.context.add_cookies(looker.context.cookies())  # type: ignore[arg-type]
    page.goto(path)
    told = page.locator("[data-until]")
    begun, end = (
        datetime.fromisoformat(str(told.get_attribute(name)))
        for name in ("data-from", "data-until")
    )
    last_quarter = end - (end - begun) / 4
    page.clock.install(time=last_quarter - LEAD)
    page.reload()
    page.clock.pause_at(last_quarter - timedelta(seconds=10))
    expect(told.locator("[data-left]")).to_have_text("3:55")
    expect(told).to_be_hidden()
    page.clock.run_for(15_000)
    expect(told.locator("[data-left]")).to_have_text("3:40")
    expect(told).to_be_visible()


def _said_where_it_is_wanted(shop: Visitor, consumer: Visitor) -> None:
    """On the dashboard too, once its sound is on; not with the voice off, and not in English."""
    board = shop.context.new_page()
    board.goto("/shop")
    board.locator("[data-sound]").check()
    shop.page.goto("/cashier")
    shop.page.locator("[data-voice]").uncheck()
    assert _said_when_paid(shop, consumer, "1.20") == []
    shop.page.goto("/cashier")
    shop.page.locator("[data-voice]").check()
    assert _said_when_paid(shop, consumer, "1.30") == ["zh-CN: 收款到账，1.30 元"]
    expect(board.locator(".is-new").first).to_contain_text("1.30")
    assert _said(board) == ["zh-CN: 收款到账，1.30 元"]
    board.close()
    switch = shop.page.locator("form[action='/language'] button[value='en']").first
    switch.evaluate("button => button.click()")
    expect(shop.page.locator("html")).to_have_attribute("lang", "en")
    assert _said_when_paid(shop, consumer, "1.40") == []


def _said_when_paid(shop: Visitor, consumer: Visitor, yuan: str) -> list[str]:
    steps.pay(consumer, steps.charge(shop, yuan))
    expect(shop.page.locator(".outcome--ok")).to_be_visible(timeout=10_000)
    return _said(shop.page)


def _said(page: Page) -> list[str]:
    """On this page, since it was opened."""
    expect(page.locator("[data-chime]")).to_have_count(0)
    return list(page.evaluate(SPOKEN))
