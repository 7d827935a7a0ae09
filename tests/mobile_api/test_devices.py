"""Devices and sessions over the API: letting one in, taking one out, ending what runs."""

import json
from typing import Any

import httpx
import pytest

from backend import ids
from backend.db import SEC
from backend.risk import Approval
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.passkey import Passkey
from tests.phone import Phone
from tests.world import World


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    """Its tokens are fresh."""
    return await phones(trusted=False)


async def granted(phone: Phone) -> dict[str, Any]:
    answer = await phone.done(phone.post("/v1/devices/grants", await phone.approved("add_device")))
    found: dict[str, Any] = answer
    return found


async def added(phones: Phones, phone: Phone) -> Phone:
    """A further phone of the same person, with keys and passkey of its own."""
    new = phones.new()
    await new.join((await granted(phone))["grant"])
    return new


async def listed(phone: Phone, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await phone.done(phone.get(f"/v1/{what}")))["data"]
    return found


async def test_a_new_phone_is_let_in_by_an_older_one(phones: Phones, phone: Phone) -> None:
    new = await added(phones, phone)
    assert new.person_id == phone.person_id
    devices = await listed(new, "devices")
    assert [(each["here"], each["key"], each["passkey"]) for each in devices].count(
        (True, True, True)
    ) == 1
    assert len(devices) == 2
    sessions = await listed(new, "sessions")
    assert [(each["here"], each["phone"]) for each in sessions] == [(True, True), (False, True)]
    limits = {each["name"] for each in await listed(new, "limits")}
    assert "new_device_day" in limits  # not trusted yet


async def test_a_grant_is_a_link_for_the_new_phone(phones: Phones, phone: Phone) -> None:
    given = await granted(phone)
    assert given["link"].endswith(f"/devices/new#{given['grant']}")
    new = phones.new()
    await new.join(given["link"])
    assert new.person_id == phone.person_id


async def test_a_grant_is_used_once_and_for_five_minutes(
    phones: Phones, phone: Phone, world: World
) -> None:
    given = (await granted(phone))["grant"]
    await phones.new().join(given)
    late = (await granted(phone))["grant"]
    world.later(minutes=5, seconds=1)
    person, _, secret = given.partition(".")
    for grant in (given, late, "x", secret, f"{person}.", f"{ids.new('usr')}.{secret}"):
        answer = await phones.new().call(
            "POST", "/v1/devices/ceremony", {"grant": grant}, signed_in=False
        )
        is_problem(answer, 410, "grant_invalid")


async def test_a_grant_takes_the_passkey(phones: Phones, phone: Phone) -> None:
    other = await phones("Boris")
    approved = await phone.approved("unfreeze")  # for something else
    is_problem(await phone.post("/v1/devices/grants", approved), 410, "ceremony_invalid")
    approved = await other.approved("add_device")  # of somebody else
    is_problem(await phone.post("/v1/devices/grants", approved), 410, "ceremony_invalid")


async def test_a_grant_whose_answer_was_lost_is_asked_for_anew(
    phones: Phones, phone: Phone, world: World
) -> None:
    """The approval is spent: sent again it gives no second grant; the lost one ends by itself."""
    approved = await phone.approved("add_device")
    lost = (await phone.done(phone.post("/v1/devices/grants", approved)))["grant"]
    is_problem(await phone.post("/v1/devices/grants", approved), 410, "ceremony_invalid")
    await phones.new().join((await granted(phone))["grant"])
    assert len(await listed(phone, "devices")) == 2
    world.later(minutes=5, seconds=1)
    body = {"grant": lost}
    late = await phones.new().call("POST", "/v1/devices/ceremony", body, signed_in=False)
    is_problem(late, 410, "grant_invalid")


async def test_a_removed_phone_is_refused_on_the_very_next_call(
    phones: Phones, phone: Phone
) -> None:
    new = await added(phones, phone)
    gone = (await phone.done(phone.get("/v1/me")))["device"]
    approved = await new.approved(f"remove_device:{gone}")
    removed = await new.done(new.post(f"/v1/devices/{gone}/removal", approved))
    assert removed == {"object": "device", "id": gone, "status": "removed"}
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")
    is_problem(await phone.try_refresh(), 401, "signed_out")
    ceremony = (await phone.open_post("/v1/sign-in/ceremony", {}))["ceremony"]
    body = phone.signed(ceremony) | {"label": "Pixel 9"}
    answer = await phone.call(
        "POST", "/v1/sign-in", body, signed_in=False, chl=ceremony["options"]["challenge"]
    )
    is_problem(answer, 403, "passkey_refused")
    assert [each["here"] for each in await listed(new, "devices")] == [True]


async def test_who_may_remove_what(phones: Phones, phone: Phone) -> None:
    here = (await phone.done(phone.get("/v1/me")))["device"]

    async def remove(device: str, by: Phone = phone) -> httpx.Response:
        approved = await by.approved(f"remove_device:{device}")
        return await by.post(f"/v1/devices/{device}/removal", approved)

    is_problem(await remove(here), 409, "last_device")
    new = await added(phones, phone)
    is_problem(await remove(here), 403, "passkey_refused")  # its own passkey won't do
    is_problem(await remove(here, await phones("Boris")), 404, "not_found")
    is_problem(await remove(ids.new("dev"), new), 404, "not_found")
    approved = await phone.approved("add_device")
    is_problem(await phone.post("/v1/devices/x/removal", approved), 404, "not_found")
    assert len(await listed(new, "devices")) == 2


async def test_a_removal_that_stopped_half_way_is_finished_by_the_next(
    phones: Phones, phone: Phone, world: World
) -> None:
    """The security system has removed it; its session here outlived that by a crash."""
    new = await added(phones, phone)
    gone = (await phone.done(phone.get("/v1/me")))["device"]
    signed = await new.approved(f"remove_device:{gone}")
    approval = Approval(
        new.person_id, signed["ceremony_id"], json.dumps(signed["response"]).encode()
    )
    await world.services.risk.remove_device(approval, gone)
    assert (await phone.get("/v1/me")).status_code == 200
    frozen = await phone.post("/v1/freeze")  # whatever needs the device is refused already
    is_problem(frozen, 403, "device_unknown")
    again = await new.approved(f"remove_device:{gone}")
    is_problem(await new.post(f"/v1/devices/{gone}/removal", again), 404, "not_found")
    is_problem(await phone.get("/v1/me"), 401, "signed_out")


async def test_a_removal_cut_off_half_way_is_finished_by_the_worker(
    phones: Phones, phone: Phone, world: World
) -> None:
    new = await added(phones, phone)
    gone = (await phone.done(phone.get("/v1/me")))["device"]
    approved = await new.approved(f"remove_device:{gone}")
    world.risk.crash_after.add("remove_device")
    assert (await new.post(f"/v1/devices/{gone}/removal", approved)).status_code == 500
    world.risk.heal()
    assert (await phone.get("/v1/me")).status_code == 200
    await world.services.notices.sweep()
    is_problem(await phone.get("/v1/me"), 401, "signed_out")
    assert (await new.get("/v1/me")).status_code == 200


async def test_a_removed_phone_gets_no_further_tokens(
    phones: Phones, phone: Phone, world: World
) -> None:
    """Its session was opened just while it was removed."""
    new = await added(phones, phone)
    gone = (await phone.done(phone.get("/v1/me")))["device"]
    signed = await new.approved(f"remove_device:{gone}")
    response = json.dumps(signed["response"]).encode()
    approval = Approval(new.person_id, signed["ceremony_id"], response)
    await world.services.risk.remove_device(approval, gone)
    is_problem(await phone.try_refresh(), 401, "signed_out")
    is_problem(await phone.get("/v1/me"), 401, "signed_out")


async def test_tokens_are_renewed_while_the_security_system_is_away(
    phone: Phone, world: World
) -> None:
    world.risk.down = True
    await phone.refresh()
    assert (await phone.get("/v1/me")).status_code == 200


async def test_a_person_with_a_passkey_gets_no_first_one(phone: Phone) -> None:
    is_problem(await phone.post("/v1/devices/first/ceremony"), 410, "grant_invalid")


async def test_a_phone_whose_person_has_no_passkey_makes_the_first(
    phone: Phone, world: World
) -> None:
    """Bound by its key alone; the new passkey is this phone's, and is good for all it is for."""
    await SEC.query(
        "update risk.credential set removed_at = now() where person_id = $1", phone.person_id
    )
    [device] = await listed(phone, "devices")
    assert (device["here"], device["key"], device["passkey"]) == (True, True, False)
    is_problem(await phone.post("/v1/approvals", {"purpose": "unfreeze"}), 403, "needs_passkey")
    phone.passkey = Passkey()
    await phone.make_first_passkey()
    [after] = await listed(phone, "devices")
    assert (after["id"], after["passkey"]) == (device["id"], True)
    is_problem(await phone.post("/v1/devices/first/ceremony"), 410, "grant_invalid")
    await phone.done(phone.post("/v1/freeze"))
    thawing = await phone.done(phone.post("/v1/freeze/undo", await phone.approved("unfreeze")))
    assert thawing["thaws"]
    await phone.sign_in()


async def test_a_first_passkey_is_made_by_the_phone_that_asked(
    phones: Phones, phone: Phone
) -> None:
    other = await phones("Boris")
    for person_id in (phone.person_id, other.person_id):
        await SEC.query(
            "update risk.credential set removed_at = now() where person_id = $1", person_id
        )
    begun = (await phone.done(phone.post("/v1/devices/first/ceremony")))["ceremony"]
    thief = phones.new()
    response = Passkey().register(json.dumps(begun["options"]).encode())
    body = {"ceremony_id": begun["id"], "response": json.loads(response), "label": "x"}
    claims = {"chl": begun["options"]["challenge"]}
    answer = await thief.call("POST", "/v1/devices", body, signed_in=False, **claims)
    is_problem(answer, 410, "grant_invalid")
    assert [each["passkey"] for each in await listed(phone, "devices")] == [False]
    assert [each["passkey"] for each in await listed(other, "devices")] == [False]


async def test_a_phone_that_came_with_anothers_passkey_makes_its_own(
    phones: Phones, phone: Phone
) -> None:
    """A second passkey: signed in with the synced one, then let in by the older phone."""
    new = phones.new()
    new.passkey = phone.passkey
    await new.sign_in()
    here = next(each for each in await listed(new, "devices") if each["here"])
    assert (here["key"], here["passkey"]) == (True, False)
    new.passkey = Passkey()
    await new.join((await granted(phone))["grant"])
    devices = await listed(new, "devices")
    assert [each["passkey"] for each in devices] == [True, True]
    assert here["id"] in [each["id"] for each in devices]
    await new.sign_in()
    assert (await new.done(new.get("/v1/me")))["device"] == here["id"]


async def test_approvals_of_what_there_is(phone: Phone) -> None:
    for purpose in ("pay", "remove_device:x", "unfreeze:", "UNFREEZE"):
        answer = await phone.post("/v1/approvals", {"purpose": purpose})
        is_problem(answer, 400, "bad_request")


# Sessions


async def test_one_session_is_ended_by_another(phones: Phones, phone: Phone) -> None:
    new = await added(phones, phone)
    other = next(each for each in await listed(new, "sessions") if not each["here"])
    ended = await new.done(new.delete(f"/v1/sessions/{other['id']}"))
    assert ended == {"object": "session", "id": other["id"], "status": "ended"}
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")
    is_problem(await new.delete(f"/v1/sessions/{other['id']}"), 404, "not_found")
    is_problem(await new.delete("/v1/sessions/x"), 404, "not_found")


async def test_nobody_ends_the_session_of_another(phones: Phones, phone: Phone) -> None:
    [session] = await listed(phone, "sessions")
    other = await phones("Boris")
    is_problem(await other.delete(f"/v1/sessions/{session['id']}"), 404, "not_found")
    assert (await phone.get("/v1/me")).status_code == 200


async def test_everything_ends_at_once(phones: Phones, phone: Phone) -> None:
    new = await added(phones, phone)
    await new.done(new.delete("/v1/sessions"))
    for each in (phone, new):
        is_problem(await each.call("GET", "/v1/me"), 401, "signed_out")
        is_problem(await each.try_refresh(), 401, "signed_out")


async def test_signing_out_ends_the_codes_of_the_phone(phone: Phone, world: World) -> None:
    answer = await phone.post("/v1/payment-codes/ahead")
    assert answer.is_success, answer.text
    where = [each["id"] for each in await listed(phone, "sessions")]
    ended = await phone.done(phone.post("/v1/sign-out"))
    assert [ended["id"]] == where
    assert world.risk.calls[-1] == "revoke_codes"
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")
    await phone.sign_in()
    assert len(await listed(phone, "devices")) == 1  # the phone stayed bound


async def test_signing_out_goes_on_without_the_security_system(phone: Phone, world: World) -> None:
    await phone.refresh()
    world.risk.down = True
    assert (await phone.post("/v1/sign-out")).status_code == 200
    world.risk.heal()
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")


async def test_signing_out_sent_again_has_nothing_left_to_end(phones: Phones, phone: Phone) -> None:
    new = await added(phones, phone)
    await phone.done(phone.post("/v1/sign-out"))
    before = await listed(new, "sessions"), await listed(new, "devices")
    for _ in range(2):
        is_problem(await phone.call("POST", "/v1/sign-out"), 401, "signed_out")
    assert (await listed(new, "sessions"), await listed(new, "devices")) == before


async def test_the_own_session_by_its_id(phone: Phone, world: World) -> None:
    [session] = await listed(phone, "sessions")
    await phone.done(phone.delete(f"/v1/sessions/{session['id']}"))
    assert world.risk.calls[-1] == "revoke_codes"
    is_problem(await phone.call("GET", "/v1/me"), 401, "signed_out")
