"""Withdrawing on the web: choosing, confirming with a passkey, what became of it, bad input."""

import asyncio

import httpx
import pytest

from backend import ids
from tests.web.browser import Browser
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Guest, sign_in
from tests.web.pages.test_banking import bind, only_card
from tests.world import World

MONEY = 1_000_00


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
async def guest(visitor: Visitor, world: World) -> Guest:
    return await sign_in(await visitor(), world, await world.person(balance=MONEY))


async def fields(guest: Guest, world: World, **changes: str) -> dict[str, str]:
    card_id = await only_card(guest, world)
    return {"amount": "300", "card_id": card_id, "speed": "instant"} | changes


async def begun(guest: Guest, world: World, **changes: str) -> str:
    """The path of a withdrawal that waits for its passkey."""
    await guest.see("/withdrawals/new")
    answer = await guest.tap("/withdrawals", await fields(guest, world, **changes))
    assert "Confirm withdrawal" in answer.text, answer.text
    return str(answer.url.path)


async def confirmed(guest: Guest, path: str) -> httpx.Response:
    """As passkey.js does it: the ceremony, the authenticator, the form."""
    form = guest.browser.form(f"{path}/confirmation")
    headers = {"Accept": "application/json", "X-YiPay": "1", "Sec-Fetch-Site": "same-origin"}
    asked = await guest.browser.client.post(f"{path}/ceremony", data=form.fields, headers=headers)
    assert asked.status_code == 200, asked.text
    ceremony = asked.json()
    response = guest.wallet.passkey.sign(httpx.Response(200, json=ceremony["options"]).content)
    return await guest.tap(
        f"{path}/confirmation",
        {"ceremony_id": ceremony["ceremony_id"], "response_json": response.decode()},
    )


@pytest.fixture
async def topped_up(guest: Guest, world: World) -> Guest:
    """The bank has as much of the wallet's money as the books say: it came from a card."""
    guest = await sign_in(guest.browser, world, await world.person())
    await bind(guest, world)
    await guest.see("/topups/new")
    card_id = await only_card(guest, world)
    await guest.tap("/topups", {"amount": "1000", "card_id": card_id})
    return guest


async def test_from_home_to_the_card(topped_up: Guest, world: World) -> None:
    guest = topped_up
    assert "/withdrawals/new" in (await guest.see("/")).text
    page = await guest.see("/withdrawals/new")
    assert "¥1,000.00" in page.text
    assert "amount=1000.00" in page.text  # all of it
    assert "¥10,000.00 left today" in page.text
    path = await begun(guest, world)
    assert await world.balance(guest.wallet.account_id) == MONEY
    answer = await confirmed(guest, path)
    assert "The money is on your card" in answer.text
    assert await world.balance(guest.wallet.account_id) == MONEY - 300_00
    assert "The money is on your card" in (await guest.see(path)).text  # a reload takes nothing
    assert await world.balance(guest.wallet.account_id) == MONEY - 300_00
    bill = await guest.see(f"/bills/{path.rpartition('/')[2]}")
    assert "On your card" in bill.text
    assert "Withdrawal" in bill.text
    assert path.rpartition("/")[2] in (await guest.see("/bills?kind=withdrawal")).text
    pdf = await guest.see(f"/bills/{path.rpartition('/')[2]}/receipt.pdf")
    assert pdf.content.startswith(b"%PDF")


async def test_without_a_card_to_binding_one_and_back(guest: Guest, world: World) -> None:
    page = await guest.see("/withdrawals/new")
    start = "/cards/new?return_to=/withdrawals/new"
    assert start in page.text
    browser: Browser = await bind(guest, world, start=start)
    assert browser.page.url.path == "/withdrawals/new"
    assert 'name="speed"' in browser.page.text


async def test_for_the_next_day(guest: Guest, world: World) -> None:
    await bind(guest, world)
    answer = await confirmed(guest, await begun(guest, world, speed="next_day"))
    assert "Withdrawal accepted" in answer.text
    assert "every 2s" not in answer.text  # nothing happens before nine
    assert await world.balance(guest.wallet.account_id) == MONEY - 300_00


async def test_what_the_bank_refuses_is_back(guest: Guest, world: World) -> None:
    await bind(guest, world, "0009")
    path = await begun(guest, world)
    answer = await confirmed(guest, path)
    for _ in range(50):
        if "The bank did not take it" in answer.text:
            break
        await asyncio.sleep(0.1)
        answer = await guest.see(path)
    assert "¥300.00 is back in your balance." in answer.text
    assert await world.balance(guest.wallet.account_id) == MONEY
    bill = await guest.see(f"/bills/{path.rpartition('/')[2]}")
    assert "All of it is in your balance." in bill.text
    assert "No money has moved." not in bill.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": ""}, "Enter an amount"),
        ({"amount": "0"}, "Enter an amount"),
        ({"amount": "-5"}, "Enter an amount"),
        ({"amount": "1.234"}, "Enter an amount"),
        ({"amount": "１００"}, "Enter an amount"),
        ({"amount": "1000.01"}, "Your balance is less than that. ¥1,000.00 can be withdrawn."),
        ({"card_id": "crd_x"}, "Choose a card."),
        ({"speed": "soon"}, "Choose how soon it should arrive."),
        ({"withdrawal_id": "x"}, "This form is out of date."),
    ],
)
async def test_bad_input_is_drawn_again(
    guest: Guest, world: World, wrong: dict[str, str], said: str
) -> None:
    await bind(guest, world)
    await guest.see("/withdrawals/new")
    answer = await guest.tap_htmx("/withdrawals", await fields(guest, world, **wrong))
    assert answer.status_code == 422
    assert said in answer.text
    assert "<html" not in answer.text


async def test_over_a_limit_and_with_a_strange_card(guest: Guest, world: World) -> None:
    await bind(guest, world)
    await world.fund(guest.wallet, 60_000_00)
    for amount, speed, said in (
        ("10000.01", "instant", "can go at once today"),
        ("50000.01", "next_day", "At most ¥50,000.00 in one withdrawal."),
    ):
        await guest.see("/withdrawals/new")
        wanted = await fields(guest, world, amount=amount, speed=speed)
        answer = await guest.tap_htmx("/withdrawals", wanted)
        assert (answer.status_code, said in answer.text) == (403, True), answer.text
    await guest.see("/withdrawals/new")
    strange = await fields(guest, world, card_id=ids.new("crd"))
    assert (await guest.tap_htmx("/withdrawals", strange)).status_code == 404


async def test_a_frozen_account(guest: Guest, world: World) -> None:
    await bind(guest, world)
    path = await begun(guest, world)
    await world.services.risk.freeze(guest.wallet.person_id, guest.wallet.device_secret)
    answer = await guest.tap(f"{path}/confirmation", {"ceremony_id": "", "response_json": ""})
    assert answer.status_code == 403
    assert "Not withdrawn" in answer.text
    assert await world.balance(guest.wallet.account_id) == MONEY


async def test_one_that_nobody_confirmed(guest: Guest, world: World) -> None:
    await bind(guest, world)
    path = await begun(guest, world)
    world.later(minutes=15)
    page = await guest.see(path)
    assert "Not withdrawn" in page.text
    assert "confirmation" not in page.text


async def test_nobody_elses(guest: Guest, world: World, visitor: Visitor) -> None:
    await bind(guest, world)
    path = await begun(guest, world)
    other = await sign_in(await visitor(), world, await world.person())
    assert (await other.see(path)).status_code == 404
    assert (await other.see("/withdrawals/wdr_x")).status_code == 404


async def test_the_form_while_the_security_system_is_away(guest: Guest, world: World) -> None:
    await bind(guest, world)
    world.risk.down = True
    page = await guest.see("/withdrawals/new")
    assert page.status_code == 200
    assert "Withdrawals are paused" in page.text


async def test_limits_page_names_them(guest: Guest, world: World) -> None:
    page = await guest.see("/limits")
    assert "Withdrawals at once, by day" in page.text
    assert "Next-day withdrawals, by day" in page.text
