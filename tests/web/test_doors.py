"""Opening a wallet, signing in and out, other devices: through the pages, with a real passkey."""

import json
from datetime import timedelta

import pytest

from backend.db import SEC
from backend.identity import IDLE_LIFE
from tests.passkey import Passkey
from tests.web.browser import COOKIE_DOMAIN, NAVIGATION, Browser, forms
from tests.web.conftest import SignedUp, Visitor
from tests.world import World
from web.security import cookies


async def test_a_stranger_opens_a_wallet(signed_up: SignedUp, world: World) -> None:
    browser, _ = await signed_up()
    assert browser.page.url.path == "/"
    assert {cookies.SESSION, cookies.DEVICE} <= set(browser.client.cookies)
    assert cookies.ENROLMENT not in browser.client.cookies


async def test_a_wrong_code_is_counted_and_said(browser: Browser, world: World) -> None:
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    right = world.sms.codes["+8613912345678"]
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    answer = await browser.send("/sign-up/code", {"code": wrong})
    assert answer.status_code == 422
    assert "Tries left: 4" in answer.text
    await browser.send("/sign-up/code", {"code": right})
    assert browser.page.url.path == "/sign-up/passkey"


@pytest.mark.parametrize(("phone", "code"), [("123", ""), ("", "12345"), ("", "abcdef")])
async def test_bad_input_is_drawn_again(browser: Browser, phone: str, code: str) -> None:
    await browser.open("/sign-up")
    answer = await browser.send("/sign-up", {"country": "+86", "phone": phone or "13912345678"})
    if code:
        answer = await browser.send("/sign-up/code", {"code": code})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_steps_can_not_be_skipped(browser: Browser) -> None:
    for step in ("/sign-up/code", "/sign-up/passkey"):
        await browser.open(step)
        assert browser.page.url.path == "/sign-up"


async def test_a_registration_without_a_proven_number_is_refused(browser: Browser) -> None:
    page = await browser.open("/sign-up")
    fields = {"_csrf_token": browser.form("/sign-up").fields["_csrf_token"], "display_name": "X"}
    answer = await browser.begin("/sign-up/passkey/ceremony", fields)
    assert page.status_code == 200
    assert answer.status_code == 400  # bad_request: neither enrolment nor grant
    assert "message" in answer.json()


async def test_a_name_is_asked_for(browser: Browser, world: World) -> None:
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    form = browser.form("/sign-up/passkey")
    answer = await browser.begin(form.attributes["data-begin"], form.fields)
    assert answer.status_code == 422
    assert answer.json()["message"] == "Enter a name of 1 to 32 characters."
    answer = await browser.send("/sign-up/passkey", {"display_name": " "})
    assert answer.status_code == 422


async def test_a_known_number_is_told_after_its_proof_only(
    signed_up: SignedUp, visitor: Visitor, world: World
) -> None:
    await signed_up()
    world.clock.move(timedelta(minutes=2))
    browser = await visitor()
    await browser.open("/sign-up")
    first = await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    assert "already" not in first.text
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    assert browser.page.url.path == "/sign-up/known"
    assert cookies.SESSION not in browser.client.cookies


async def test_codes_are_not_sent_too_often(browser: Browser, visitor: Visitor) -> None:
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    again = await visitor()
    await again.open("/sign-up")
    answer = await again.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= 60
    assert "possible again in" in answer.text


async def test_signing_in_and_out(signed_up: SignedUp) -> None:
    browser, key = await signed_up()
    await browser.open("/security")
    answer = await browser.send("/sign-out")
    assert browser.page.url.path == "/welcome"
    assert cookies.SESSION not in browser.client.cookies
    assert cookies.DEVICE in browser.client.cookies  # the device stays bound
    assert answer.status_code == 200
    await browser.open("/sign-in")
    await browser.ceremony("/sign-in", key)
    assert browser.page.url.path == "/"
    assert (await browser.open("/security")).text.count("This device</span>") == 1


async def test_signing_out_clears_what_the_browser_keeps(signed_up: SignedUp) -> None:
    browser, _ = await signed_up()
    await browser.open("/security")
    form = browser.form("/sign-out")
    answer = await browser.client.post(
        "/sign-out", data=form.fields, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.headers["clear-site-data"] == '"cache", "storage"'


async def test_a_session_never_survives_a_sign_in(signed_up: SignedUp) -> None:
    browser, key = await signed_up()
    before = browser.client.cookies[cookies.SESSION]
    await browser.open("/sign-in")
    assert browser.page.url.path == "/"  # signed in already
    # A second tab still shows the door; its form bears the token of the first session.
    token = {"_csrf_token": _token(browser)}
    begun = (await browser.begin("/sign-in/ceremony", token)).json()
    response = key.sign(_json(begun["options"])).decode()
    fields = token | {"ceremony_id": begun["ceremony_id"], "response_json": response, "next": "/"}
    await browser.client.post("/sign-in", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
    after = browser.client.cookies[cookies.SESSION]
    assert after != before
    browser.client.cookies.set(cookies.SESSION, before, domain=COOKIE_DOMAIN)
    await browser.open("/security")
    assert browser.page.url.path == "/signed-out"  # the old one is dead on the server


async def test_an_id_chosen_by_a_visitor_is_worth_nothing(
    visitor: Visitor, signed_up: SignedUp
) -> None:
    browser = await visitor()
    browser.client.cookies.set(cookies.SESSION, "A" * 43, domain=COOKIE_DOMAIN)
    await browser.open("/security")
    assert browser.page.url.path == "/signed-out"


async def test_an_idle_session_ends(signed_up: SignedUp, world: World) -> None:
    browser, _ = await signed_up()
    assert (await browser.open("/security")).url.path == "/security"
    world.clock.move(IDLE_LIFE + timedelta(seconds=1))
    await browser.open("/security")
    assert str(browser.page.url).endswith("/signed-out?next=/security")
    assert "You were signed out" in browser.page.text
    assert "15 minutes" in browser.page.text
    assert 'href="/sign-in?next=/security"' in browser.page.text
    assert cookies.SESSION not in browser.client.cookies  # said once
    assert (await browser.open("/")).url.path == "/welcome"


async def test_signing_in_leads_back(signed_up: SignedUp, world: World) -> None:
    browser, key = await signed_up()
    world.clock.move(IDLE_LIFE + timedelta(seconds=1))
    await browser.open("/limits")
    await browser.open("/sign-in?next=/limits")  # the button of the page that says so
    await browser.ceremony("/sign-in", key)
    assert browser.page.url.path == "/limits"


async def test_staying_signed_in(signed_up: SignedUp, world: World) -> None:
    """What the warning's button asks for keeps the session awake, and tells when it is over."""
    browser, _ = await signed_up()
    assert 'data-stay="/sessions/here"' in (await browser.open("/security")).text
    world.clock.move(IDLE_LIFE - timedelta(seconds=20))
    kept = await browser.client.get("/sessions/here", headers=NAVIGATION)
    assert (kept.status_code, kept.content) == (204, b"")
    world.clock.move(IDLE_LIFE - timedelta(seconds=20))
    assert (await browser.open("/signed-out?next=/limits")).url.path == "/limits"
    world.clock.move(IDLE_LIFE + timedelta(seconds=1))
    late = await browser.client.get("/sessions/here", headers=NAVIGATION)
    assert late.status_code == 303


@pytest.mark.parametrize("where", ["//evil.example/x", "https://evil.example", "/\\evil", "x"])
async def test_nobody_is_led_elsewhere(browser: Browser, where: str) -> None:
    await browser.open(f"/sign-in?next={where}")
    assert browser.form("/sign-in").fields["next"] == "/"


async def test_a_foreign_passkey_opens_nothing(signed_up: SignedUp, visitor: Visitor) -> None:
    _, key = await signed_up()
    thief, other = await visitor(), Passkey()
    other.user_handle = key.user_handle
    await thief.open("/sign-in")
    answer = await thief.ceremony("/sign-in", other)
    assert answer.status_code == 403
    assert "could not be verified" in answer.text
    assert cookies.SESSION not in thief.client.cookies


async def test_a_ceremony_is_good_once(signed_up: SignedUp, visitor: Visitor) -> None:
    _, key = await signed_up()
    browser = await visitor()
    await browser.open("/sign-in")
    form = browser.form("/sign-in")
    begun = (await browser.begin("/sign-in/ceremony", form.fields)).json()
    fields = {
        "ceremony_id": begun["ceremony_id"],
        "response_json": key.sign(_json(begun["options"])).decode(),
    }
    await browser.send("/sign-in", fields)
    again = await visitor()
    await again.open("/sign-in")
    answer = await again.send("/sign-in", fields)
    assert answer.status_code == 410
    assert cookies.SESSION not in again.client.cookies


async def test_a_ceremony_of_signing_up_adds_no_device(browser: Browser, world: World) -> None:
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    fields = browser.form("/sign-up/passkey").fields | {"display_name": "安娜"}
    begun = (await browser.begin("/sign-up/passkey/ceremony", fields)).json()
    response = Passkey().register(_json(begun["options"])).decode()
    await browser.open("/devices/new")
    answer = await browser.send(
        "/devices", {"ceremony_id": begun["ceremony_id"], "response_json": response}
    )
    assert answer.status_code == 410
    assert cookies.SESSION not in browser.client.cookies
    assert await SEC.query("select 1 from risk.device") == []


async def test_a_wallet_half_opened_is_completed_at_sign_in(visitor: Visitor, world: World) -> None:
    """The registration was finished, the transaction system never heard of the person."""
    browser, key = await visitor(), Passkey()
    await browser.open("/sign-up")
    await browser.send("/sign-up", {"country": "+86", "phone": "13912345678"})
    await browser.send("/sign-up/code", {"code": world.sms.codes["+8613912345678"]})
    world.risk.crash_after.add("finish_registration")
    answer = await browser.ceremony("/sign-up/passkey", key, {"display_name": "安娜"})
    assert answer.status_code == 500
    world.risk.heal()
    await browser.open("/sign-in")
    await browser.ceremony("/sign-in", key)
    assert browser.page.url.path == "/"
    assert browser.page.status_code == 200


async def test_doors_are_braked(browser: Browser) -> None:
    await browser.open("/sign-in")
    fields = browser.form("/sign-in").fields
    answers = [await browser.begin("/sign-in/ceremony", fields) for _ in range(61)]
    assert {a.status_code for a in answers[:60]} == {200}
    assert answers[60].status_code == 429
    assert answers[60].headers["retry-after"] == "60"


def _token(browser: Browser) -> str:
    return next(f.fields["_csrf_token"] for f in forms(browser.page.text) if f.fields)


def _json(options: object) -> bytes:
    return json.dumps(options).encode()
