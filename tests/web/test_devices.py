"""Other devices, sessions, freezing and limits: through the pages, with a real passkey."""

import json
from datetime import timedelta

import pytest

from backend.db import SEC, TX
from backend.risk import FinishSignIn
from backend.risk.rules import NEW_DEVICE_COOL_DOWN
from tests.device_key import DeviceKey
from tests.passkey import Passkey
from tests.web.browser import Browser, forms
from tests.web.conftest import SignedUp, Visitor
from tests.world import Crash, World
from web.security import cookies


async def test_a_second_device_is_added_by_the_first(
    signed_up: SignedUp, visitor: Visitor, world: World
) -> None:
    first, key = await signed_up()
    await first.open("/security")
    page = await first.ceremony("/devices/grants", key)
    assert page.status_code == 200
    link = page.text.split("/devices/new#")[1].split("<")[0].strip()
    second, new = await visitor(), Passkey()
    await second.open("/devices/new")
    await second.ceremony("/devices", new, {"grant": f"http://localhost:8000/devices/new#{link}"})
    assert second.page.url.path == "/security"
    assert "New: lower limits" in second.page.text
    third = await visitor()
    await third.open("/devices/new")
    form = third.form("/devices")
    begun = await third.begin(form.attributes["data-begin"], form.fields | {"grant": link})
    assert begun.status_code == 410  # it worked once


async def test_removing_a_device_ends_its_sessions(
    signed_up: SignedUp, visitor: Visitor, world: World
) -> None:
    first, key = await signed_up()
    second = await visitor()
    await second.open("/sign-in")
    await second.ceremony("/sign-in", key)
    world.clock.move(timedelta(minutes=1))
    await first.open("/security")
    [removal] = [f for f in _actions(first) if f.endswith("/removal")]
    await first.ceremony(removal, key)
    assert first.page.url.path == "/security"
    await second.open("/security")
    assert second.page.url.path == "/signed-out"
    assert not [f for f in _actions(first) if f.endswith("/removal")]


async def test_a_phone_with_a_key_of_its_own_is_told_apart(
    signed_up: SignedUp, world: World
) -> None:
    browser, passkey = await signed_up()
    await browser.open("/security")
    assert ">App<" not in browser.page.text
    risk, phone = world.services.risk, DeviceKey()
    ceremony = await risk.begin_sign_in()
    proof = phone.proof(
        "POST",
        f"{world.settings.public_origin}/api/v1/sign-in",
        world.clock.now().timestamp(),
        chl=json.loads(ceremony.options_json)["challenge"],
    )
    response = passkey.sign(ceremony.options_json)
    await risk.finish_sign_in(
        FinishSignIn(ceremony.ceremony_id, response, "小明的手机", device_proof=proof)
    )
    await browser.open("/security")
    assert browser.page.text.count(">App<") == 1
    assert "小明的手机" in browser.page.text


async def test_a_removal_that_stopped_half_way_is_repeated(
    signed_up: SignedUp, visitor: Visitor
) -> None:
    first, key = await signed_up()
    second = await visitor()
    await second.open("/sign-in")
    await second.ceremony("/sign-in", key)
    await first.open("/security")
    [removal] = [f for f in _actions(first) if f.endswith("/removal")]
    # As if the first call had died between the two systems: removed there, signed in here.
    await SEC.query(
        "update risk.device set removed_at = now() where device_id = $1", removal.split("/")[2]
    )
    assert (await second.open("/security")).url.path == "/security"
    answer = await first.ceremony(removal, key)
    assert answer.status_code == 404
    await second.open("/security")
    assert second.page.url.path == "/signed-out"


async def test_a_wallet_whose_opening_stopped_half_way_heals_at_the_next_sign_in(
    browser: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(_person_id: str) -> None:
        raise Crash("between the person and the account")

    key = Passkey()
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    with monkeypatch.context() as broken:
        broken.setattr(world.services.payments, "open_wallet", crash)
        answer = await browser.ceremony("/sign-up/passkey", key, {"display_name": "安娜"})
        assert answer.status_code == 500
    [person] = await TX.query("select person_id from identity.person")
    account = f"person:{person['person_id']}"
    assert await world.books.balances((account,)) == ()
    await browser.open("/sign-in")
    await browser.ceremony("/sign-in", key)
    assert browser.page.url.path == "/"
    assert await world.balance(account) == 0


async def test_an_approval_for_one_thing_does_nothing_else(
    signed_up: SignedUp, visitor: Visitor
) -> None:
    first, key = await signed_up()
    second = await visitor()
    await second.open("/sign-in")
    await second.ceremony("/sign-in", key)
    await first.open("/security")
    [removal] = [f for f in _actions(first) if f.endswith("/removal")]
    answer = await first.ceremony(removal, key, {"purpose": "add_device"})
    assert answer.status_code == 410
    assert (await second.open("/security")).url.path == "/security"


async def test_sessions_are_listed_and_ended(signed_up: SignedUp, visitor: Visitor) -> None:
    first, key = await signed_up()
    second = await visitor()
    await second.open("/sign-in")
    await second.ceremony("/sign-in", key)
    await first.open("/security")
    [end] = [a for a in _actions(first) if a.startswith("/sessions/ses_")]
    await first.send(end)
    assert first.page.url.path == "/security"
    await second.open("/security")
    assert second.page.url.path == "/signed-out"


async def test_signing_out_everywhere(signed_up: SignedUp, visitor: Visitor) -> None:
    first, key = await signed_up()
    second = await visitor()
    await second.open("/sign-in")
    await second.ceremony("/sign-in", key)
    await second.open("/security")
    await second.send("/sessions/end")
    assert second.page.url.path == "/welcome"
    await first.open("/security")
    assert first.page.url.path == "/signed-out"


async def test_what_is_not_mine_does_not_exist(
    signed_up: SignedUp, visitor: Visitor, world: World
) -> None:
    mine, _ = await signed_up()
    theirs, _ = await signed_up("13800001111", "Bo")
    await theirs.open("/security")
    token = theirs.client.cookies[cookies.SESSION]
    session = await world.services.identity.session(token)
    await mine.open("/security")
    fields = mine.form("/sign-out").fields
    answer = await mine.client.post(
        f"/sessions/{session.session_id}/end",
        data=fields,
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 404
    assert (await theirs.open("/security")).url.path == "/security"


async def test_freezing_and_undoing(signed_up: SignedUp, world: World) -> None:
    browser, key = await signed_up()
    await browser.open("/freeze")
    await browser.send("/freeze")
    assert "Your account is frozen" in browser.page.text
    await browser.ceremony("/freeze/undo", key)
    assert "Undoing was confirmed" in browser.page.text
    await browser.send("/freeze")  # somebody else confirmed it? once more stops it
    assert "Undoing was confirmed" not in browser.page.text
    await browser.ceremony("/freeze/undo", key)
    world.clock.move(NEW_DEVICE_COOL_DOWN)
    await browser.open("/sign-in")
    await browser.ceremony("/sign-in", key)
    page = await browser.open("/freeze")
    assert "Your account is frozen" not in page.text


async def test_limits_say_used_left_and_why(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    page = await browser.open("/limits")
    assert page.status_code == 200
    assert "¥500.00" in page.text
    assert "limit." not in page.text
    assert "limit_reason." not in page.text


def _actions(browser: Browser) -> list[str]:
    return [form.action for form in forms(browser.page.text)]
