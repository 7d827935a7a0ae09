"""Money among friends: called back before it arrives, and a bill that is split among all."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from e2e import steps
from e2e.conftest import product
from e2e.people import Visitor
from e2e.wallet import Wallet

Make = Callable[..., Visitor]
SOON_MS = 10_000  # pages turn by themselves


@pytest.fixture(scope="module")
def wallet() -> Iterator[Wallet]:
    with product() as running:
        yield running


@pytest.mark.timeout(300)
def test_a_delayed_transfer_is_called_back(wallet: Wallet, visitor: Make) -> None:
    anna, ben = steps.people(visitor, wallet, "安娜", "本本")
    steps.befriend(anna, ben)
    ben.page.goto("/notices")
    steps.transfer(anna, "本本", "20", delay="24")
    transfer, page = anna.page.url, anna.page
    expect(page.locator(".outcome--wait")).to_be_visible()
    steps.in_every_form(anna, "transfer-waiting")
    assert "80.00" in steps.balance(anna)

    notice = ben.page.locator("a.notice--unread", has_text="稍后到账")
    expect(notice).to_contain_text("¥20.00", timeout=SOON_MS)  # ben reloads nothing
    notice.click()
    ben.page.wait_for_url("**/transfers/trf_*")
    expect(ben.page.locator(".outcome--wait")).to_be_visible()
    assert steps.balance(ben) == "¥0.00"
    ben.page.go_back()

    page.goto(transfer)
    page.locator("form[action$='/recall'] button[type=submit]").click()
    expect(page.locator("main")).to_contain_text("已撤回")
    expect(ben.page.locator("main")).to_contain_text("撤回", timeout=SOON_MS)
    steps.in_every_form(ben, "transfer-recalled-payee")
    assert "100.00" in steps.balance(anna)
    assert steps.balance(ben) == "¥0.00"

    page.goto(transfer)  # the bill says both: what went out, and that all of it came back
    steps.in_every_form(anna, "transfer-recalled")
    page.locator("main a[href^='/bills/']").click()
    expect(page.locator("#detail")).to_contain_text("20.00")
    expect(page.locator("#detail")).to_contain_text("已退")
    steps.in_every_form(anna, "transfer-recalled-bill")
    ben.page.goto("/bills")
    expect(ben.page.locator("main a.row")).to_have_count(0)  # it never was ben's
    assert anna.errors == []
    assert ben.errors == []


@pytest.mark.timeout(300)
def test_a_bill_split_among_friends(wallet: Wallet, visitor: Make) -> None:
    anna, ben, cleo, dan = steps.people(visitor, wallet, "安娜", "本本", "可可", "丹丹")
    steps.bind_card(cleo, wallet)
    steps.top_up(cleo, "50")
    steps.open_group(ben, "火锅", anna, cleo, dan)
    for one in (anna, cleo, dan):
        one.page.goto("/")
    steps.split(ben, "火锅", "120")
    asked = ben.page.locator("#request")
    expect(asked).to_contain_text("已付 0/3 人")

    for paid, one in enumerate((anna, cleo), 1):
        expect(one.page.locator(".bell__count")).to_be_visible(timeout=SOON_MS)
        one.page.locator("#bell").click()
        one.page.locator("a.notice--unread", has_text="向你收款 ¥30.00").click()
        one.page.wait_for_url("**/requests/req_*")
        if one is cleo:
            steps.in_every_form(cleo, "split-asked")  # one has paid, two have not
        one.page.locator("main a[href^='/send/']").click()
        one.page.locator("#f-name_check").fill("本")  # not a friend, and the first time
        one.page.locator("form .pay__dock button[type=submit]").click()
        one.page.locator("#pay-now").click()
        one.page.wait_for_url("**/transfers/trf_*")
        expect(asked).to_contain_text(f"已付 {paid}/3 人", timeout=SOON_MS)  # ben reloads nothing
    dan.page.goto(ben.page.url)
    dan.page.locator("form[action$='/decline'] button[type=submit]").click()
    expect(asked).to_contain_text("已拒绝", timeout=SOON_MS)
    steps.in_every_form(ben, "split-done")

    assert "70.00" in steps.balance(anna)
    assert "20.00" in steps.balance(cleo)
    assert steps.balance(dan) == "¥0.00"
    assert "60.00" in steps.balance(ben)
    ben.page.goto("/notices")  # one for the whole request, not one for each who answered
    told = ben.page.locator("a.notice", has_text="已付 2/3 人")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("丹丹 拒绝支付 ¥30.00")
    steps.shot(ben.page, "split-notices")
    for one in (anna, ben, cleo, dan):
        assert one.errors == []
