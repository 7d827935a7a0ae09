"""Binding a card, confirming it, topping up, and back to what was to be paid."""

import pytest

from backend import ids
from backend.sandbox.cards import number
from tests.web.browser import Browser
from tests.web.conftest import Visitor
from tests.web.pages.conftest import Guest, code_path, micro_code, sign_in
from tests.world import World

GOOD, EMPTY, LOST = "0001", "0002", "0003"


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
async def guest(visitor: Visitor, world: World) -> Guest:
    return await sign_in(await visitor(), world, await world.person())


async def bind(guest: Guest, world: World, last4: str = GOOD, start: str = "/cards/new") -> Browser:
    await guest.see(start)
    await guest.tap("/cards", {"number": number("622200", last4), "holder": "安娜"})
    path = guest.browser.page.url.path
    await guest.tap(f"{path}/confirmation", {"code": await micro_code(world)})
    return guest.browser


async def test_a_card_for_the_shop_leads_back_to_the_choice(guest: Guest, world: World) -> None:
    await guest.see("/shop/new")
    await guest.tap("/shops", {"name": "老王面馆", "category": "food"})
    choice = (await guest.see("/shop/settlement/card")).text
    start = "/cards/new?return_to=/shop/settlement/card"
    assert start in choice
    browser = await bind(guest, world, start=start)
    assert browser.page.url.path == "/shop/settlement/card"
    assert GOOD in browser.page.text


async def test_a_card_leads_back_to_no_other_place(guest: Guest, world: World) -> None:
    browser = await bind(guest, world, start="/cards/new?return_to=/shop/staff")
    assert browser.page.url.path == "/topups/new"


async def test_a_card_and_money_in_three_forms(guest: Guest, world: World) -> None:
    await bind(guest, world)
    assert guest.browser.page.url.path == "/topups/new"
    answer = await guest.tap("/topups", {"amount": "100", "card_id": await only_card(guest, world)})
    assert "The money has arrived" in answer.text
    assert await world.balance(guest.wallet.account_id) == 100_00
    again = await guest.see(str(answer.url.path))
    assert "The money has arrived" in again.text  # a reload tops up nothing
    assert await world.balance(guest.wallet.account_id) == 100_00


async def test_the_same_forms_as_parts(guest: Guest, world: World) -> None:
    await guest.see("/cards/new")
    answer = await guest.tap_htmx("/cards", {"number": number("622200", GOOD), "holder": "安娜"})
    assert answer.headers["hx-redirect"].startswith("/cards/crd_")
    await guest.see(answer.headers["hx-redirect"])
    action = f"{guest.browser.page.url.path}/confirmation"
    wrong = await guest.tap_htmx(
        action, {"code": f"{(int(await micro_code(world)) + 1) % 10**4:04}"}
    )
    assert wrong.status_code == 422
    assert "<html" not in wrong.text
    assert 'aria-invalid="true"' in wrong.text
    right = await guest.tap_htmx(action, {"code": await micro_code(world)})
    assert right.headers["hx-redirect"] == "/topups/new"


@pytest.mark.parametrize(
    "wrong", [{"number": "12"}, {"number": "6222 0000 0000 000x"}, {"holder": ""}]
)
async def test_bad_input_is_drawn_again(guest: Guest, wrong: dict[str, str]) -> None:
    await guest.see("/cards/new")
    answer = await guest.tap("/cards", {"number": number("622200", GOOD), "holder": "安"} | wrong)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_a_card_that_no_bank_knows(guest: Guest) -> None:
    await guest.see("/cards/new")
    answer = await guest.tap("/cards", {"number": "4111111111111112", "holder": "安娜"})
    assert answer.status_code == 422


@pytest.mark.parametrize("amount", ["", "0", "-1", "1e3", "１００", "0.001", "99999999999"])
async def test_amounts_that_are_none(guest: Guest, world: World, amount: str) -> None:
    await bind(guest, world)
    answer = await guest.tap(
        "/topups", {"amount": amount, "card_id": await only_card(guest, world)}
    )
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_a_top_up_above_the_limit_says_what_is_left(guest: Guest, world: World) -> None:
    await bind(guest, world)
    card_id = await only_card(guest, world)
    answer = await guest.tap("/topups", {"amount": "20000.01", "card_id": card_id})
    assert answer.status_code == 403  # limit_exceeded
    assert 'aria-invalid="true"' in answer.text


async def test_the_bank_refuses(guest: Guest, world: World) -> None:
    await bind(guest, world, EMPTY)
    answer = await guest.tap("/topups", {"amount": "5", "card_id": await only_card(guest, world)})
    assert "The bank refused" in answer.text
    assert "Nothing was taken from your card." in answer.text


async def test_money_in_transit_has_a_deadline_and_asks_again(guest: Guest, world: World) -> None:
    await bind(guest, world, LOST)
    answer = await guest.tap("/topups", {"amount": "5", "card_id": await only_card(guest, world)})
    assert "In transit" in answer.text
    assert "hx-get=" in answer.text
    same = await guest.part(f"{answer.url.path}?seen=pending")
    assert same.status_code == 204  # nothing new: nothing to read out again


async def test_a_top_up_leads_back_to_the_payment(guest: Guest, world: World) -> None:
    owner = await world.person()
    order = await world.order(await world.shop(owner))
    await guest.awake()
    here = code_path(order)
    await guest.see(f"/topups/new?amount=23.00&return_to={here}")
    assert f"/cards/new?return_to={here}" in guest.browser.page.text
    await bind(guest, world, start=f"/cards/new?return_to={here}")
    assert guest.browser.form("/topups").fields["return_to"] == here
    card_id = await only_card(guest, world)
    done = await guest.tap("/topups", {"amount": "23.00", "card_id": card_id})
    assert f'href="{here}"' in done.text


@pytest.mark.parametrize("evil", ["https://evil.example", "//evil.example", "/o/x", "/sign-out"])
async def test_it_leads_nowhere_else(guest: Guest, evil: str) -> None:
    for path in ("/topups/new", "/cards/new"):
        answer = await guest.see(f"{path}?return_to={evil}")
        assert f'"{evil}"' not in answer.text


async def test_other_people_s_cards_and_top_ups_are_not_found(guest: Guest) -> None:
    for path in (f"/cards/{ids.new('crd')}", f"/topups/{ids.new('top')}"):
        assert (await guest.see(path)).status_code == 404


async def only_card(guest: Guest, world: World) -> str:
    [card] = await world.services.banking.cards(guest.wallet.person_id)
    return card.card_id
