"""Sending money to people, through the pages."""

import re

import pytest

from backend import ids
from tests.transfers.people import befriend
from tests.web.pages.conftest import Enter, Guest
from tests.world import World

SENT = {"amount": "88", "note": "午饭"}
# Of each page its own: ids, and what keeps others from sending its forms.
DRAWN_ONCE = re.compile(
    rb'(usr|trf|pay)_[0-9a-z]{26}|nonce="[^"]*"|nonce-[^\s>]*'
    rb'|_csrf_token" value="[^"]*|"x-csrftoken": *"[^"]*'
)


async def two(enter: Enter, world: World, balance: int = 2_000_00) -> tuple[Guest, Guest]:
    payer, payee = await enter(balance, name="小博"), await enter(name="安娜")
    await befriend(world, payer.wallet, payee.wallet)
    return payer, payee


def to(guest: Guest) -> str:
    return f"/send/{guest.wallet.person_id}"


async def opened(payer: Guest, payee: Guest, **fields: str) -> str:
    """The address of a transfer that waits for its confirmation."""
    await payer.see(to(payee))
    page = await payer.tap(to(payee), {"delay": "0"} | SENT | fields)
    assert page.url.path.startswith("/transfers/trf_"), page.text
    return str(page.url.path)


async def phone_of(world: World, guest: Guest) -> str:
    person = await world.services.identity.person(guest.wallet.person_id)
    return person.phone.removeprefix("+86")


async def test_a_friend_is_sent_money_with_one_tap(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    page = await payer.see("/send")
    assert to(payee) in page.text
    here = await opened(payer, payee)
    assert "Confirm transfer" in payer.browser.page.text
    assert "安娜" in payer.browser.page.text
    result = await payer.tap(f"{here}/payment")
    assert result.url.path == here
    assert "Transferred" in result.text
    assert await world.balance(payee.wallet.account_id) == 88_00
    received = await payee.see(here)
    assert "Money received" in received.text
    assert "午饭" in received.text


async def test_htmx_gets_the_same_pages(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    here = await opened(payer, payee)
    answer = await payer.tap_htmx(f"{here}/payment")
    assert answer.headers["hx-redirect"] == here
    assert "Transferred" in (await payer.part(here)).text
    assert (await payer.part(f"{here}?seen=arrived")).status_code == 204


async def test_a_large_amount_takes_the_passkey(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    here = await opened(payer, payee, amount="600")
    result = await payer.browser.ceremony(f"{here}/confirmation", payer.wallet.passkey)
    assert "Transferred" in result.text
    assert await world.balance(payee.wallet.account_id) == 600_00


async def test_a_stranger_s_name_is_masked_and_checked(enter: Enter, world: World) -> None:
    payer, payee = await enter(500_00, name="小博"), await enter(name="安娜")
    await payer.see("/send")
    page = await payer.tap("/send", {"phone": await phone_of(world, payee), "country": "+86"})
    here = page.url.path
    assert payee.wallet.person_id not in page.text
    assert "娜" not in page.text
    fields = {"delay": "0"} | SENT
    page = await payer.tap(here, fields | {"name_check": "王"})
    assert page.status_code == 422
    assert "Tries left: 4" in page.text
    page = await payer.tap(here, fields | {"name_check": "安"})
    assert "*娜" in page.text
    assert "安娜" not in page.text
    result = await payer.tap(f"{page.url.path}/payment")
    assert "Transferred" in result.text
    assert 'name="name_check"' not in (await payer.see(to(payee))).text


async def test_a_number_does_not_tell_whether_it_has_a_wallet(enter: Enter, world: World) -> None:
    payer, payee = await enter(500_00), await enter(name="安娜")
    known = await phone_of(world, payee)
    middle = "1111" if known[3:7] != "1111" else "2222"
    unknown = f"{known[:3]}{middle}{known[7:]}"  # shown alike: the middle is masked
    said: list[list[tuple[int, bytes]]] = []
    for number in (known, unknown):
        await payer.see("/send")
        pages = [await payer.tap("/send", {"phone": number, "country": "+86"})]
        here = pages[0].url.path
        for name in ("王", "李", "张", "刘", "陈", "安"):  # the right one, when no try is left
            fields = {"delay": "0"} | SENT | {"name_check": name}
            pages.append(await payer.tap(here, fields))
        said.append([(page.status_code, DRAWN_ONCE.sub(b"", page.content)) for page in pages])
    assert said[0] == said[1]
    assert b"Tries left: 0" in said[1][-1][1]


async def test_a_malformed_number_is_told_and_drawn_again(enter: Enter) -> None:
    payer = await enter()
    await payer.see("/send")
    page = await payer.tap("/send", {"phone": "12", "country": "+86"})
    assert page.status_code == 422
    assert "no phone number" in page.text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("amount", "0", "more than ¥0.00"),
        ("amount", "-5", "more than ¥0.00"),
        ("amount", "1.234", "two decimals"),
        ("amount", "999999999999", "above what one payment"),
        ("amount", "", "Enter an amount"),
        ("note", "x" * 65, "At most 64 characters"),
        ("note", "a\u202eb", "nothing hidden"),
    ],
)
async def test_what_can_not_be_sent_is_said_on_the_form(
    enter: Enter, world: World, field: str, value: str, said: str
) -> None:
    payer, payee = await two(enter, world)
    await payer.see(to(payee))
    page = await payer.tap(to(payee), {"delay": "0"} | SENT | {field: value})
    assert page.status_code == 422
    assert said in page.text
    assert 'aria-invalid="true"' in page.text


async def test_too_little_money_leads_to_a_top_up_and_back(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world, 10_00)
    here = await opened(payer, payee)
    assert f"return_to={here}" in payer.browser.page.text


async def test_tampered_forms_and_foreign_ids(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    await payer.see(to(payee))
    assert (await payer.tap(to(payee), SENT | {"delay": "48"})).status_code == 400
    await payer.see(to(payee))
    page = await payer.tap(to(payee), SENT | {"delay": "0", "transfer_id": "x"})
    assert "out of date" in page.text
    assert (await payer.see(to(payer))).status_code == 409  # oneself
    for nobody in ("usr_x", ids.new("usr"), ids.new("mch")):
        assert (await payer.see(f"/send/{nobody}")).status_code == 404
    assert (await payer.see(f"/transfers/{ids.new('trf')}")).status_code == 404
    here = await opened(payer, payee)
    assert (await payee.see(here)).status_code == 404  # not paid: not theirs to see


async def test_blocked_people_are_told_the_same(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    here = await opened(payer, payee)
    await world.services.friends.block(payee.wallet.person_id, payer.wallet.person_id, True)
    page = await payer.tap(f"{here}/payment")
    assert page.status_code == 403
    assert "No money has moved" in page.text
    assert "can&#39;t send each other" in page.text


async def test_nobody_sees_it_without_signing_in(enter: Enter, world: World) -> None:
    payer, payee = await two(enter, world)
    here = await opened(payer, payee)
    payer.browser.client.cookies.clear()
    for path in ("/send", to(payee), here, "/requests", "/requests/new"):
        assert (await payer.browser.open(path)).url.path == "/sign-in"
