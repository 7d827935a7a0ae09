"""Opening a wallet on a phone, and signing in: number, code, passkey and device key."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend import ids
from backend.db import SEC, TX
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.phone import Phone
from tests.world import Crash, World

NUMBER = "+8613812345678"


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    """Its tokens are fresh."""
    return await phones(trusted=False)


async def begun(phone: Phone, number: str = NUMBER) -> str:
    """Where an enrolment goes on whose number is proven."""
    started = await phone.open_post("/v1/enrolments", {"phone": number})
    where = f"/v1/enrolments/{started['id']}"
    assert phone.inbox is not None
    await phone.open_post(f"{where}/code", {"code": await phone.inbox(number)})
    return where


async def post(phone: Phone, path: str, body: Any, **claims: Any) -> httpx.Response:
    return await phone.call("POST", path, body, signed_in=False, **claims)


async def test_a_wallet_is_opened_in_four_steps(phones: Phones, world: World) -> None:
    phone = phones.new()
    started = await phone.api.create_enrolment({"phone": NUMBER, "language": "en"})
    assert set(started) == {"object", "id", "resend", "expires"}
    ours, code = {"enrolment_id": started["id"]}, world.sms.codes[NUMBER]
    other = {"code": f"{(int(code) + 1) % 10**6:06d}"}
    is_problem(await phone.api.answer("check_enrolment_code", other, **ours), 422, "code_wrong")
    assert await phone.api.check_enrolment_code({"code": code}, **ours) == {
        "object": "enrolment",
        "id": started["id"],
        "phone": NUMBER,
        "has_wallet": False,
    }
    begun = await phone.api.create_enrolment_ceremony({"display_name": "安娜"}, **ours)
    more = {"display_name": "安娜", "language": "en"}
    ceremony, does = begun["ceremony"], phone.passkey.register
    await phone._finish("finish_enrolment", ceremony, does, more, **ours)
    me = (await phone.get("/v1/me")).json()
    assert (me["name"], me["phone"], me["language"]) == ("安娜", NUMBER, "en")
    [device] = (await phone.get("/v1/devices")).json()["data"]
    assert (device["id"], device["key"], device["passkey"]) == (me["device"], True, True)
    assert await world.balance(f"person:{phone.person_id}") == 0


async def test_a_phone_has_a_key_and_no_secret(phone: Phone) -> None:
    [row] = await SEC.query("select * from risk.device where person_id = $1", phone.person_id)
    assert row["secret_hash"] is None
    assert row["key_thumbprint"] == phone.key.thumbprint


async def test_a_repeated_call_sends_one_message(phones: Phones, world: World) -> None:
    phone, key = phones.new(), "a-key-of-this-very-call"
    first = await phone.call("POST", "/v1/enrolments", {"phone": NUMBER}, key=key)
    code = world.sms.codes.pop(NUMBER)
    again = await phone.call("POST", "/v1/enrolments", {"phone": NUMBER}, key=key)
    assert again.content == first.content
    assert world.sms.codes == {}
    too_soon = await post(phone, "/v1/enrolments", {"phone": NUMBER})
    is_problem(too_soon, 429, "resend_too_soon")
    world.later(seconds=61)
    await phone.open_post("/v1/enrolments", {"phone": NUMBER})
    assert world.sms.codes[NUMBER] != code or len(code) == 6


async def test_nobody_learns_whose_number_it_is(phones: Phones, world: World) -> None:
    owner = await phones("Anna", trusted=False)
    stranger = phones.new()
    world.later(seconds=61)
    known = await stranger.open_post("/v1/enrolments", {"phone": owner.number})
    unknown = await stranger.open_post("/v1/enrolments", {"phone": NUMBER})
    assert set(known) == set(unknown)
    where = f"/v1/enrolments/{known['id']}"
    proven = await stranger.open_post(f"{where}/code", {"code": world.sms.codes[owner.number]})
    assert proven["has_wallet"]  # said to who holds the number
    refused = await post(stranger, f"{where}/ceremony", {"display_name": "Boris"})
    is_problem(refused, 409, "has_wallet")


@pytest.mark.parametrize(
    "number", ["", "13812345678", "+86 138", "+0123456789", "+86138١٢٣٤٥٦٧٨", f"{NUMBER}\n"]
)
async def test_a_number_has_its_form(phones: Phones, number: str) -> None:
    answer = await post(phones.new(), "/v1/enrolments", {"phone": number})
    body = is_problem(answer, 400, "invalid_request")
    assert [each["pointer"] for each in body["errors"]] == ["/phone"]


async def test_steps_in_the_wrong_order(phones: Phones) -> None:
    phone = phones.new()
    started = await phone.open_post("/v1/enrolments", {"phone": NUMBER})
    where = f"/v1/enrolments/{started['id']}"
    early = await post(phone, f"{where}/ceremony", {"display_name": "Anna"})
    is_problem(early, 409, "phone_not_proven")
    for path in ("/v1/enrolments/x", f"/v1/enrolments/{ids.new('ord')}"):
        is_problem(await post(phone, f"{path}/code", {"code": "123456"}), 404, "not_found")
        is_problem(await post(phone, f"{path}/ceremony", {"display_name": "A"}), 404, "not_found")


async def answer_of(phone: Phone, where: str) -> tuple[dict[str, Any], str]:
    """A finished ceremony that was not sent yet, and its challenge."""
    begun = (await phone.open_post(f"{where}/ceremony", {"display_name": "Anna"}))["ceremony"]
    options = begun["options"]
    response = json.loads(phone.passkey.register(json.dumps(options).encode()))
    body = {"ceremony_id": begun["id"], "response": response, "label": "Pixel 9"}
    return body | {"display_name": "Anna"}, options["challenge"]


async def test_passkey_and_key_belong_to_one_ceremony(phones: Phones) -> None:
    """A proof without the challenge, or with another, binds nothing."""
    for chl in (None, "A" * 43):
        phone = phones.new()
        where = await begun(phone, f"+861391234567{0 if chl is None else 1}")
        body, _ = await answer_of(phone, where)
        refused = await post(phone, f"{where}/device", body, chl=chl)
        is_problem(refused, 403, "device_proof_invalid")
    assert await TX.query("select 1 from identity.person") == []


async def test_a_ceremony_is_answered_once(phones: Phones) -> None:
    phone = phones.new()
    where = await begun(phone)
    body, challenge = await answer_of(phone, where)
    first = await post(phone, f"{where}/device", body, chl=challenge)
    assert first.status_code == 201
    again = await post(phone, f"{where}/device", body, chl=challenge)
    is_problem(again, 410, "ceremony_invalid")


async def test_a_ceremony_ends_where_it_began(phones: Phones, phone: Phone) -> None:
    """An enrolment's among the devices, or at another enrolment, and a grant's at an enrolment."""
    given = await phone.done(phone.post("/v1/devices/grants", await phone.approved("add_device")))
    new = phones.new()
    where, other = await begun(new), f"/v1/enrolments/{ids.new('enr')}"
    named = {"display_name": "安娜"}
    for starts, asked, ends, more in (
        (f"{where}/ceremony", named, "/v1/devices", {}),
        (f"{where}/ceremony", named, f"{other}/device", named),
        ("/v1/devices/ceremony", {"grant": given["grant"]}, f"{where}/device", named),
    ):
        ceremony = (await new.open_post(starts, asked))["ceremony"]
        response = json.loads(new.passkey.register(json.dumps(ceremony["options"]).encode()))
        body = more | {"ceremony_id": ceremony["id"], "response": response, "label": "Pixel 9"}
        answer = await post(new, ends, body, chl=ceremony["options"]["challenge"])
        is_problem(answer, 410, "ceremony_invalid")
    assert len(await SEC.query("select 1 from risk.device")) == 1
    await new.join(given["grant"])  # which is still good
    assert new.person_id == phone.person_id


async def test_a_key_opens_one_wallet(phones: Phones, phone: Phone) -> None:
    other = phones.new()
    other.key = phone.key
    where = await begun(other)
    body, challenge = await answer_of(other, where)
    refused = await post(other, f"{where}/device", body, chl=challenge)
    is_problem(refused, 409, "device_key_taken")


@pytest.mark.parametrize("step", ["create_person", "open_wallet"])
async def test_a_wallet_that_was_opened_half_way_is_finished_by_signing_in(
    phones: Phones, world: World, step: str
) -> None:
    async def crash(*_: object) -> None:
        raise Crash(step)

    phone = phones.new()
    where = await begun(phone)
    body, challenge = await answer_of(phone, where)
    module = {"create_person": world.services.identity, "open_wallet": world.services.payments}
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(module[step], step, crash)
        crashed = await post(phone, f"{where}/device", body, chl=challenge)
    is_problem(crashed, 500, "internal_error")
    await phone.sign_in()
    assert phone.name == ("Anna" if step == "open_wallet" else "+86 138****5678")
    assert await world.balance(f"person:{phone.person_id}") == 0


# Signing in


async def test_signing_in_on_the_same_phone_and_on_a_new_one(phones: Phones, phone: Phone) -> None:
    first = (await phone.get("/v1/me")).json()
    await phone.sign_in()
    again = (await phone.get("/v1/me")).json()
    assert again["device"] == first["device"]
    assert again["session"] != first["session"]

    synced = phones.new()
    synced.passkey = phone.passkey  # as a passkey provider carries it over
    await synced.sign_in()
    new = (await synced.get("/v1/me")).json()
    assert (new["id"], new["device"] == first["device"]) == (first["id"], False)
    devices = {each["id"]: each for each in (await synced.get("/v1/devices")).json()["data"]}
    assert devices[new["device"]]["trusted"] > devices[first["device"]]["trusted"]


async def test_the_session_before_ends_with_signing_in(phones: Phones, phone: Phone) -> None:
    old = phones.new()
    await phone.refresh()
    old.key, old.access_token, old.nonce = phone.key, phone.access_token, phone.nonce
    old.refresh_token, old.expires_at = phone.refresh_token, phone.expires_at
    await phone.sign_in()
    is_problem(await old.get("/v1/me"), 401, "signed_out")
    is_problem(await old.try_refresh(), 401, "signed_out")
    assert (await phone.get("/v1/me")).status_code == 200


async def test_a_key_of_another_person_signs_nobody_in(phones: Phones, phone: Phone) -> None:
    other = await phones("Boris")
    other.passkey = phone.passkey
    ceremony = (await other.open_post("/v1/sign-in/ceremony", {}))["ceremony"]
    body = other.signed(ceremony) | {"label": "Pixel 9"}
    answer = await post(other, "/v1/sign-in", body, chl=ceremony["options"]["challenge"])
    is_problem(answer, 409, "device_key_taken")


async def test_an_unknown_passkey(phones: Phones) -> None:
    phone = phones.new()
    phone.passkey.user_handle = b"x" * 32
    ceremony = (await phone.open_post("/v1/sign-in/ceremony", {}))["ceremony"]
    body = phone.signed(ceremony) | {"label": "Pixel 9"}
    answer = await post(phone, "/v1/sign-in", body, chl=ceremony["options"]["challenge"])
    is_problem(answer, 403, "passkey_refused")


async def test_a_ceremony_of_paying_signs_nobody_in(phone: Phone) -> None:
    begun = await phone.done(phone.post("/v1/approvals", {"purpose": "add_device"}))
    body = phone.signed(begun["ceremony"]) | {"label": "Pixel 9"}
    chl = begun["ceremony"]["options"]["challenge"]
    is_problem(await post(phone, "/v1/sign-in", body, chl=chl), 410, "ceremony_invalid")


# Refreshing


async def test_a_lost_answer_of_refreshing_is_harmless(phone: Phone, world: World) -> None:
    kept = phone.refresh_token
    first = (await phone.try_refresh()).json()
    world.later(seconds=30)
    again = (await phone.try_refresh()).json()  # the phone never heard of the first
    assert again["refresh_token"] == first["refresh_token"]
    assert again["id"] == first["id"]
    phone.keep(again)
    await phone.refresh()
    assert phone.refresh_token != kept
    assert (await phone.get("/v1/me")).status_code == 200


async def test_a_stolen_refresh_token_ends_the_session(phones: Phones, phone: Phone) -> None:
    """Its thief has another key; the owner is told, and signs in again."""
    thief = phones.new()
    thief.refresh_token = phone.refresh_token
    is_problem(await thief.try_refresh(), 401, "refresh_reused")
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")
    await phone.sign_in()
    kinds = [each["kind"] for each in (await phone.get("/v1/notices")).json()["data"]]
    assert "session_stolen" in kinds


async def test_a_spent_refresh_token_ends_the_session(phone: Phone, world: World) -> None:
    spent = phone.refresh_token
    await phone.refresh()
    world.later(seconds=31)
    phone.refresh_token = spent
    is_problem(await phone.try_refresh(), 401, "refresh_reused")
    is_problem(await phone.get("/v1/me"), 401, "signed_out")


async def test_tokens_say_how_long_they_live(phone: Phone, world: World) -> None:
    tokens = (await phone.try_refresh()).json()
    assert (tokens["object"], tokens["token_type"], tokens["expires_in"]) == ("tokens", "DPoP", 300)
    assert tokens["person"] == phone.person_id
    world.clock.move(timedelta(seconds=299))
    phone.keep(tokens)
    access = world.services.tokens.read(tokens["access_token"])
    assert (access.sid, access.dev) == (tokens["id"], tokens["device"])
