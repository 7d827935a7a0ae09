"""Token and proof at the door: whatever is not of this request, this phone and this moment."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from backend import ids
from backend.access_token import AccessTokens, Grantee
from backend.identity import REFRESH_RETRY
from backend.nonces import STRETCH_S
from tests.device_key import DeviceKey
from tests.mobile_api.conftest import Phones
from tests.mobile_api.door import ME, ask, refused, send
from tests.mobile_api.problem import is_problem
from tests.phone import API, Phone
from tests.world import World


@pytest.fixture
async def phone(phones: Phones) -> Phone:
    """Fresh: its token and its nonce are new."""
    return await phones(trusted=False)


async def test_the_right_token_and_proof_let_in(phone: Phone) -> None:
    answer = await ask(phone)
    assert answer.json()["id"] == phone.person_id
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
async def test_both_kinds_of_key(phones: Phones, alg: str) -> None:
    phone = phones.new(alg=alg)
    await phone.enrol("+8613812345678")
    await phone.refresh()
    assert (await ask(phone)).status_code == 200


# Without, with another, with too much


async def test_without_a_token(phone: Phone) -> None:
    refused(await send(phone, authorization=""), "signed_out", "")


async def test_another_scheme(phone: Phone) -> None:
    for form in ("Bearer {}", "Basic {}", "DPoP", "DPoP {} {}", "{}"):
        given = form.format(phone.access_token, phone.access_token)
        refused(await send(phone, authorization=given), "token_invalid", "invalid_token")
    answer = await send(phone, authorization=f"dpop {phone.access_token}")
    assert answer.status_code == 200


async def test_without_a_proof_or_with_two(phone: Phone) -> None:
    refused(await send(phone, proofs=[]), "proof_refused", "invalid_dpop_proof", "missing")
    two = [phone.prove("GET", ME, b"", True) for _ in range(2)]
    refused(await send(phone, proofs=two), "proof_refused", "invalid_dpop_proof", "several")


async def test_what_is_no_proof(phone: Phone) -> None:
    for text in ("", "x", "a.b.c", ".." * 5, "." * 5000):
        answer = await send(phone, proofs=[text])
        refused(answer, "proof_refused", "invalid_dpop_proof")


async def test_a_token_in_the_address_is_none(phone: Phone) -> None:
    answer = await phone.client.get(f"{API}{ME}?access_token={phone.access_token}")
    is_problem(answer, 400, "invalid_request")
    assert phone.access_token not in answer.text


async def test_an_ended_token(phone: Phone, world: World) -> None:
    world.later(minutes=5)
    phone.nonce = world.services.nonces.current()
    refused(await ask(phone), "token_invalid", "invalid_token")


async def test_a_token_of_another_key(phones: Phones, phone: Phone) -> None:
    """A thief has the token, and no key."""
    thief = phones.new()
    thief.access_token, thief.nonce = phone.access_token, phone.nonce
    refused(await ask(thief), "token_invalid", "invalid_token")


async def test_a_token_of_another_person_for_the_own_key(phones: Phones, phone: Phone) -> None:
    other = await phones("Boris", trusted=False)
    phone.access_token = other.access_token
    refused(await ask(phone), "token_invalid", "invalid_token")


async def test_a_token_that_disagrees_with_its_session(phone: Phone, world: World) -> None:
    """Even what our own key has signed."""
    tokens = world.services.tokens
    access = tokens.read(phone.access_token)
    right = {
        "person_id": access.sub,
        "session_id": access.sid,
        "device_id": access.dev,
        "thumbprint": access.cnf.jkt,
    }
    wrong = {
        "person_id": ids.new("usr"),
        "session_id": ids.new("ses"),
        "device_id": ids.new("dev"),
        "thumbprint": DeviceKey().thumbprint,
    }
    for claim, value in wrong.items():
        granted = right | {claim: value}
        phone.access_token = tokens.issue(Grantee(**granted, auth_time=access.auth_time))
        code = "signed_out" if claim == "session_id" else "token_invalid"
        refused(await ask(phone), code, "invalid_token")


async def test_a_token_of_another_server(phone: Phone, world: World, tmp_path: Any) -> None:
    access = world.services.tokens.read(phone.access_token)
    stranger = AccessTokens(tmp_path / "stranger", world.settings.public_origin, world.clock)
    phone.access_token = stranger.issue(
        Grantee(
            person_id=access.sub,
            session_id=access.sid,
            device_id=access.dev,
            thumbprint=access.cnf.jkt,
            auth_time=access.auth_time,
        )
    )
    refused(await ask(phone), "token_invalid", "invalid_token")


# A proof of something else


OF_SOMETHING_ELSE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"htm": "POST"}, "method"),
    ({"htm": "HEAD"}, "method"),
    ({"htu": "http://localhost:8000/api/v1/balance"}, "address"),
    ({"htu": "http://localhost:8000/v1/me"}, "address"),
    ({"htu": "https://localhost:8000/api/v1/me"}, "address"),
    ({"htu": "http://localhost:8001/api/v1/me"}, "address"),
    ({"htu": "http://evil.example/api/v1/me"}, "address"),
    ({"htu": "http://localhost:8000/api/v1/me/"}, "address"),
    ({"htu": "http://localhost:8000/api/v1/me?x=1"}, "claims"),
    ({"ath": "A" * 43}, "token"),
    ({"ath": None}, "token"),
    ({"bsh": "A" * 43}, "body"),
    ({"jti": None}, "claims"),
    ({"htm": None}, "claims"),
    ({"htu": None}, "claims"),
    ({"iat": None}, "claims"),
    ({"header": {"typ": "JWT"}}, "header"),
    ({"header": {"alg": "none"}}, "header"),
    ({"header": {"jwk": None}}, "header"),
)


async def test_a_proof_of_something_else(phone: Phone) -> None:
    for claims, why in OF_SOMETHING_ELSE:
        refused(await ask(phone, **claims), "proof_refused", "invalid_dpop_proof", why)


HALF = "\ud800"


async def test_half_a_character_in_a_proof(phone: Phone, phones: Phones, world: World) -> None:
    """JSON can carry it and nothing can write it out again: refused, at every door."""
    where = "http://localhost:8000/api/v1"
    for claims in ({"nonce": HALF}, {"htu": f"{where}/{HALF}"}, {"jti": HALF}, {HALF: HALF}):
        refused(await ask(phone, **claims), "proof_refused", "invalid_dpop_proof", "json")
        for path, body in DOORS:
            stranger, content = phones.new(), json.dumps(body).encode()
            stranger.nonce = world.services.nonces.current()
            proof = stranger.prove("POST", path, content, False, **claims)
            answer = await send(
                stranger, path, method="POST", content=content, proofs=[proof], authorization=""
            )
            refused(answer, "proof_refused", "invalid_dpop_proof", "json")


async def test_a_clock_that_is_wrong(phone: Phone) -> None:
    for seconds in (-3600, -62, 62, 3600):
        phone.skew = timedelta(seconds=seconds)
        refused(await ask(phone), "proof_refused", "invalid_dpop_proof", "time")
    for seconds in (-59, -30, 30, 59):
        phone.skew = timedelta(seconds=seconds)
        assert (await ask(phone)).status_code == 200


async def test_a_proof_is_used_once(phone: Phone, world: World) -> None:
    proof = phone.prove("GET", ME, b"", True)
    assert (await send(phone, proofs=[proof])).status_code == 200
    refused(await send(phone, proofs=[proof]), "proof_replayed", "invalid_dpop_proof")
    world.later(seconds=30)
    refused(await send(phone, proofs=[proof]), "proof_replayed", "invalid_dpop_proof")
    world.later(seconds=31)
    refused(await send(phone, proofs=[proof]), "proof_refused", "invalid_dpop_proof", "time")


async def test_a_proof_is_remembered_by_whoever_has_a_faster_clock(
    phone: Phone, world: World
) -> None:
    ahead = timedelta(seconds=45)
    phone.skew = timedelta(seconds=59)
    proof = phone.prove("GET", ME, b"", True)
    assert (await send(phone, proofs=[proof])).status_code == 200
    world.later(seconds=118)  # its last moments
    world.clock.move(ahead)
    await world.services.identity.sweep()
    world.clock.move(-ahead)
    refused(await send(phone, proofs=[proof]), "proof_replayed", "invalid_dpop_proof")


async def test_the_same_jti_in_another_text(phone: Phone) -> None:
    assert (await ask(phone, jti="once")).status_code == 200
    refused(await ask(phone, jti="once", more="text"), "proof_replayed", "invalid_dpop_proof")


async def test_one_jti_of_two_keys(phones: Phones, phone: Phone) -> None:
    other = await phones("Boris", trusted=False)
    assert (await ask(phone, jti="same")).status_code == 200
    assert (await ask(other, jti="same")).status_code == 200


# The nonce


async def test_a_nonce_is_wanted(phone: Phone) -> None:
    for nonce in (None, "", "x", "A" * 24):
        answer = await ask(phone, nonce=nonce)
        refused(answer, "use_dpop_nonce", "use_dpop_nonce")
        assert (await ask(phone, nonce=answer.headers["dpop-nonce"])).status_code == 200


async def test_an_old_nonce(phone: Phone, world: World) -> None:
    await phone.get(ME)
    world.later(seconds=2 * STRETCH_S - 1)
    old = phone.nonce
    await phone.refresh()
    world.later(seconds=STRETCH_S + 1)
    refused(await ask(phone, nonce=old), "use_dpop_nonce", "use_dpop_nonce")


async def test_a_nonce_that_is_wanted_spends_no_proof(phone: Phone) -> None:
    refused(await ask(phone, nonce=None, jti="kept"), "use_dpop_nonce", "use_dpop_nonce")
    assert (await ask(phone, jti="kept")).status_code == 200


async def test_every_answer_has_a_nonce(api: httpx.AsyncClient, phone: Phone) -> None:
    for answer in (await api.get(f"{API}/v1/version"), await api.get(API + ME), await ask(phone)):
        assert answer.headers["dpop-nonce"]


# The body


CHANGE = json.dumps({"language": "en"}).encode()


async def test_a_body_that_was_changed_after_signing(phone: Phone) -> None:
    proof = phone.prove("PATCH", "/v1/settings", CHANGE, True)
    other = CHANGE.replace(b"en", b"zh-CN")
    answer = await send(phone, "/v1/settings", method="PATCH", content=other, proofs=[proof])
    refused(answer, "proof_refused", "invalid_dpop_proof", "body")
    settings = await phone.get("/v1/settings")
    assert settings.json()["language"] == "zh-CN"


async def test_a_body_that_was_not_signed(phone: Phone) -> None:
    proof = phone.prove("PATCH", "/v1/settings", CHANGE, True, bsh=None)
    answer = await send(phone, "/v1/settings", method="PATCH", content=CHANGE, proofs=[proof])
    refused(answer, "proof_refused", "invalid_dpop_proof", "body")


async def test_a_body_that_was_added_or_left_out(phone: Phone) -> None:
    empty = phone.prove("PATCH", "/v1/settings", b"", True)
    answer = await send(phone, "/v1/settings", method="PATCH", content=CHANGE, proofs=[empty])
    refused(answer, "proof_refused", "invalid_dpop_proof", "body")
    full = phone.prove("POST", "/v1/sign-out", b"{}", True)
    answer = await send(phone, "/v1/sign-out", method="POST", proofs=[full])
    refused(answer, "proof_refused", "invalid_dpop_proof", "body")
    assert (await ask(phone)).status_code == 200


async def test_an_empty_body_may_be_signed_or_not(phone: Phone) -> None:
    empty_hash = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    assert (await ask(phone, bsh=empty_hash)).status_code == 200
    assert (await ask(phone, bsh=None)).status_code == 200


async def test_a_body_that_is_too_large_is_not_read(phone: Phone) -> None:
    content = b"x" * (64 * 1024 + 1)
    answer = await send(phone, "/v1/settings", method="PATCH", content=content)
    assert answer.status_code == 413


# What has ended


async def test_an_ended_session_is_refused_on_the_next_call(phone: Phone, world: World) -> None:
    [session] = await world.services.identity.sessions(phone.person_id)
    await world.services.identity.end_session(phone.person_id, session.session_id)
    refused(await ask(phone), "signed_out", "invalid_token")
    refused(await phone.try_refresh(), "signed_out", "invalid_grant")


async def test_a_refresh_token_that_was_stolen(phone: Phone, world: World) -> None:
    old = phone.refresh_token
    await phone.refresh()
    phone.refresh_token = old
    world.clock.move(REFRESH_RETRY + timedelta(seconds=1))
    refused(await phone.try_refresh(), "refresh_reused", "invalid_grant")


async def test_ended_everywhere(phone: Phone, world: World) -> None:
    await world.services.identity.end_all(phone.person_id)
    refused(await ask(phone), "signed_out", "invalid_token")


async def test_who_is_not_let_in_does_nothing(phone: Phone) -> None:
    """The token is looked at before the body and before what there is."""
    answer = await phone.client.patch(f"{API}/v1/settings", content=b"not json")
    refused(answer, "signed_out", "")


# What is written down


async def test_no_secret_is_logged(phones: Phones) -> None:
    with capture_logs() as logs:
        phone = await phones("Xenia")
        first = (phone.access_token, phone.refresh_token)
        await phone.refresh()
        await ask(phone, jti="twice")
        await ask(phone, jti="twice")
        await ask(phone, ath=None)
        await phone.sign_in()
        await phone.post("/v1/sign-out")
        await phone.try_refresh()
    written = json.dumps(logs, default=str)
    assert "not_let_in" in written
    secrets = (*first, phone.access_token, phone.refresh_token, phone.last_proof, phone.nonce)
    halves = [half for token in secrets for half in token.split(".")]
    for secret in (*secrets, *halves, "Xenia", phone.number):
        assert secret not in written


# Doors that are open, but for a proof


DOORS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/enrolments", {"phone": "+8613812345678"}),
    ("/v1/sign-in/ceremony", {}),
    ("/v1/tokens/refresh", {"refresh_token": "x"}),
    ("/v1/devices/ceremony", {"grant": "x"}),
)


async def test_open_doors_want_a_proof(phones: Phones, world: World) -> None:
    for path, body in DOORS:
        await _wants_a_proof(phones, world, path, body)


async def _wants_a_proof(phones: Phones, world: World, path: str, body: dict[str, Any]) -> None:
    phone = phones.new()
    content = json.dumps(body).encode()

    async def knock(**claims: Any) -> httpx.Response:
        proof = phone.prove("POST", path, content, False, **claims)
        return await knocks([proof])

    async def knocks(proofs: list[str]) -> httpx.Response:
        return await send(
            phone, path, method="POST", content=content, proofs=proofs, authorization=""
        )

    bare = await knocks([])
    refused(bare, "proof_refused", "invalid_dpop_proof", "missing")
    refused(await knock(), "use_dpop_nonce", "use_dpop_nonce")
    phone.nonce = world.services.nonces.current()
    refused(await knock(bsh=None), "proof_refused", "invalid_dpop_proof", "body")
    refused(await knock(htm="GET"), "proof_refused", "invalid_dpop_proof", "method")
    refused(await knock(ath="A" * 43), "proof_refused", "invalid_dpop_proof", "token")
    await knock(jti="once")
    refused(await knock(jti="once"), "proof_replayed", "invalid_dpop_proof")
