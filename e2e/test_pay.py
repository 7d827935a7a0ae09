"""The main job: a stranger opens a wallet, tops up, opens a shop's code and pays."""

import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import expect

from e2e import steps
from e2e.people import DESKTOP, Visitor
from e2e.wallet import Wallet


def test_a_stranger_pays_and_the_till_turns_by_itself(
    wallet: Wallet, visitor: Callable[..., Visitor], phone: str, other_phone: str
) -> None:
    shop, consumer = visitor(viewport=DESKTOP), visitor()

    steps.sign_up(shop, wallet, other_phone, "掌柜")
    steps.open_shop(shop, "易茶铺")
    steps.sign_up(consumer, wallet, phone, "小易")
    steps.bind_card(consumer, wallet)
    steps.top_up(consumer, "100")
    address = steps.charge(shop, "23.00")
    steps.shot(shop.page, "till-waiting")

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

    assert "77.00" in steps.balance(consumer)
    _bill_shows(consumer, "23.00", "易茶铺")
    _bill_shows(shop, "23.00", "*易")  # a payer is masked to the shop
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
