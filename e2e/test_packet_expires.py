"""A red packet that not all opened: a day passes with nobody at work, and the rest returns."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from e2e import steps
from e2e.conftest import product
from e2e.people import Visitor
from e2e.wallet import Wallet

Make = Callable[..., Visitor]

DAY = timedelta(hours=24, minutes=1)
SWEPT_MS = 30_000  # by then the worker has been round


@pytest.fixture(scope="module")
def wallet() -> Iterator[Wallet]:
    """One whose time is moved: nobody else's story is in it."""
    with product() as running:
        yield running


@pytest.mark.timeout(480)
def test_a_packet_expires_and_returns(wallet: Wallet, visitor: Make) -> None:
    anna, ben, cleo = steps.people(visitor, wallet, "安娜", "本本", "可可")
    steps.open_group(anna, "一家人", ben, cleo)
    path = steps.send_packet(anna, "lucky", "10", "3", to="一家人")
    ben.page.goto(path)
    got = steps.fen(steps.open_packet(ben))
    cleo.page.goto(path)  # looks at it, and forgets to open it
    expect(cleo.page.locator("#open")).to_be_visible()
    assert steps.balance(anna) == "¥90.00"
    for one in (anna, ben, cleo):  # they close the page
        one.page.goto("about:blank")

    wallet.pass_time(DAY)  # the worker was away when the packet ended
    back = f"¥{(10_00 - got) / 100:.2f}"
    _the_sender_has_the_rest(anna, path, back, got)
    _the_opener_sees_the_end(ben, path, got)
    _too_late(cleo, path)
    _told_to_visitors(visitor(), path)

    anna.page.goto("about:blank")
    ben.page.goto("about:blank")
    wallet.pass_time(timedelta(hours=1))  # whoever begins again does not give it back again
    steps.sign_in(anna)
    assert steps.fen(steps.balance(anna)) == 100_00 - got
    assert _returns(anna) == 1
    assert _yipay(wallet, "verify", "packet", "red_" + path.rpartition("/")[2]).returncode == 0
    books = _yipay(wallet, "audit")
    assert "the books are in order" in books.stdout
    for one in (anna, ben):
        assert one.errors == []


def _the_sender_has_the_rest(anna: Visitor, path: str, back: str, got: int) -> None:
    page = anna.page
    page.goto("/")
    page.wait_for_url("**/signed-out*")  # signed in a day ago: that is over
    steps.sign_in(anna)
    page.goto(path)  # their own: it leads to the list
    expect(page.locator("#shares .day")).to_contain_text(back, timeout=SWEPT_MS)
    expect(page.locator("#shares h2#opened")).to_contain_text("1/3")
    steps.in_every_form(anna, "packet-returned")
    assert steps.fen(steps.balance(anna)) == 100_00 - got

    page.goto("/notices")
    told = page.locator(".notice", has_text="已退回余额")
    expect(told).to_have_count(1)
    expect(told).to_contain_text(back)
    steps.in_every_form(anna, "packet-returned-notices")
    page.goto("/packets?box=sent")
    expect(page.locator("a.row").first).to_contain_text("1/3 · 已退回")
    steps.in_every_form(anna, "packet-returned-sent")
    assert _returns(anna) == 1
    page.locator("main a[href^='/bills/']", has_text="红包退回").click()
    expect(page.locator(".bill")).to_contain_text(back)
    page.goto(page.url)
    steps.in_every_form(anna, "packet-returned-bill")


def _the_opener_sees_the_end(ben: Visitor, path: str, got: int) -> None:
    page = ben.page
    steps.sign_in(ben)
    assert steps.fen(steps.balance(ben)) == got
    page.goto(path)
    expect(page.locator("#envelope")).to_contain_text("你已经领过这个红包")
    page.goto(f"/packets/red_{path.rpartition('/')[2]}")
    expect(page.locator(".chip--gold")).to_have_count(1)
    expect(page.locator("[data-seed]")).to_be_visible()
    expect(page.locator("#proof .ok")).to_have_count(1)  # the one share there is
    expect(page.locator("#proof .note--ok")).to_be_visible()
    steps.in_every_form(ben, "packet-ended-opener")


def _too_late(cleo: Visitor, path: str) -> None:
    steps.sign_in(cleo)
    assert steps.balance(cleo) == "¥0.00"
    cleo.page.goto("/packets")
    expect(cleo.page.locator(f"a[href='{path}']")).to_have_count(0)
    cleo.page.goto(path)
    expect(cleo.page.locator("#open")).to_have_count(0)
    expect(cleo.page.locator(".packet__told")).to_contain_text("红包已过期")
    steps.in_every_form(cleo, "packet-expired")


def _told_to_visitors(stranger: Visitor, path: str) -> None:
    stranger.page.goto(path)
    expect(stranger.page.locator(".packet__told")).to_contain_text("红包已过期")
    steps.in_every_form(stranger, "packet-expired-visitor")


def _returns(visitor: Visitor) -> int:
    visitor.page.goto("/bills")
    return visitor.page.locator("main a[href^='/bills/']", has_text="红包退回").count()


def _yipay(wallet: Wallet, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        env=wallet.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
