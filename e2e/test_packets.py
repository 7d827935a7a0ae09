"""Red packets among friends: a lucky one in a group, one for a friend alone."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from e2e import steps
from e2e.conftest import product
from e2e.people import Visitor
from e2e.wallet import Wallet

Make = Callable[..., Visitor]


@pytest.fixture(scope="module")
def wallet() -> Iterator[Wallet]:
    with product() as running:
        yield running


@pytest.mark.timeout(300)
def test_a_lucky_packet_in_a_group(wallet: Wallet, visitor: Make) -> None:
    anna, ben, cleo, dan = steps.people(visitor, wallet, "安娜", "本本", "可可", "丹丹")
    steps.open_group(anna, "一家人", ben, cleo, dan)
    for one in (ben, cleo):
        one.page.goto("/packets")  # they look at their inbox when it comes
    path = steps.send_packet(anna, "lucky", "10", "3", to="一家人")
    steps.in_every_form(anna, "packet-share")

    got: list[str] = []
    for one in (ben, cleo):
        waiting = one.page.locator(f"a[href='{path}']")
        expect(waiting).to_be_visible(timeout=10_000)  # by itself
        waiting.click()
        if one is ben:
            steps.in_every_form(ben, "packet-closed")
        got.append(steps.open_packet(one, "packet-turning-" + ("desktop", "phone")[len(got)]))
        expect(one.page.locator(".chip--gold")).to_have_count(0)  # not before the end
    dan.page.goto(path)  # sees that something is left, and waits too long
    anna.page.goto(path)
    got.append(steps.open_packet(anna))
    assert sum(steps.fen(amount) for amount in got) == 10_00
    assert min(steps.fen(amount) for amount in got) >= 1

    for one in (anna, ben, cleo):  # nobody reloads
        expect(one.page.locator(".chip--gold")).to_have_count(1, timeout=10_000)
        expect(one.page.locator("[data-seed]")).to_be_visible()
        expect(one.page.locator("#proof .ok")).to_have_count(3)
    steps.in_every_form(cleo, "packet-all-open")

    dan.page.locator("#open").click()
    expect(dan.page.locator(".packet__told")).to_contain_text("手慢了")
    steps.in_every_form(dan, "packet-too-late")
    assert steps.balance(dan) == "¥0.00"
    for one in (anna, ben, cleo):
        assert one.errors == []


@pytest.mark.timeout(300)
def test_a_packet_for_one_friend_lands_live(wallet: Wallet, visitor: Make) -> None:
    anna, ben = steps.people(visitor, wallet, "安娜", "本本")
    steps.befriend(anna, ben)
    ben.page.goto("/")
    expect(ben.page.locator(".firsts__count")).to_have_count(0)
    path = steps.send_packet(anna, "exclusive", "8.88", to="本本")
    expect(ben.page.locator(".firsts__count")).to_contain_text("1", timeout=10_000)
    ben.page.locator("a.firsts__packets").click()
    ben.page.locator(f"a[href='{path}']").click()
    assert steps.open_packet(ben) == "¥8.88"
    assert "8.88" in steps.balance(ben)
    assert anna.errors == []
    assert ben.errors == []
