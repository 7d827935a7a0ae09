"""Assertions and registrations against published vectors, and against a software passkey."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from backend.risk.passkeys import (
    Asserted,
    NewCredential,
    RelyingParty,
    StoredCredential,
    from_base64url,
    parse_assertion,
    verify_assertion,
    verify_registration,
)
from backend.risk.refusals import PasskeyRefused
from tests.passkey import Passkey, b64, unb64

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "webauthn"
needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="no published vectors here")
EXAMPLE = RelyingParty("example.org", ("https://example.org",))
HOME = RelyingParty("localhost", ("http://localhost:8000",))
CHALLENGE = bytes(range(32))


def vector(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


W3C = sorted(p.name for p in VECTORS.glob("w3c_*.json"))
DERIVED = vector("derived_assertions.json")["cases"] if VECTORS.exists() else []


def answer(accepts: bool) -> str:
    return "accept" if accepts else "refuse"


@needs_vectors
@pytest.mark.parametrize("name", W3C)
def test_published_registrations(name: str) -> None:
    case = vector(name)
    expected = case["expected"]["by_wallet_policy"]["registration"]["result"]
    challenge = bytes.fromhex(case["registration"]["challenge"])
    body = json.dumps(case["browser_registration_response"]).encode()
    try:
        made = verify_registration(EXAMPLE, challenge, body)
    except PasskeyRefused:
        assert expected != "accept"
        return
    assert expected != "refuse"
    assert made.public_key.hex() == case["credential_public_key_cose_hex"]
    assert made.backup_eligible is case["facts"]["registration"]["flags"]["BE"]


@needs_vectors
@pytest.mark.parametrize("name", W3C)
def test_published_assertions(name: str) -> None:
    case = vector(name)
    flags = case["facts"]["registration"]["flags"]
    stored = StoredCredential(
        bytes.fromhex(case["registration"]["credential_id"]),
        bytes.fromhex(case["credential_public_key_cose_hex"]),
        case["facts"]["registration"]["sign_count"],
        flags["BE"],
        flags["BS"],
        b"",
    )
    challenge = bytes.fromhex(case["authentication"]["challenge"])
    body = json.dumps(case["browser_authentication_response"]).encode()
    assert (
        answer(asserted(EXAMPLE, challenge, body, stored) is not None)
        == (case["expected"]["by_wallet_policy"]["authentication"]["result"])
    )


@needs_vectors
@pytest.mark.parametrize("case", DERIVED, ids=lambda case: str(case["id"]))
def test_derived_assertions(case: Any) -> None:
    of = vector("derived_assertions.json")
    stored = StoredCredential(
        unb64(of["credential_id"]),
        bytes.fromhex(of["credential_public_key_cose_hex"]),
        case["stored"]["sign_count"],
        case["stored"]["backup_eligible"],
        case["stored"]["backup_state"],
        unb64(case["stored"]["user_handle"]),
    )
    body = json.dumps(case["response"]).encode()
    result = asserted(EXAMPLE, unb64(of["expected_challenge"]), body, stored)
    assert answer(result is not None) == case["expect"]
    if result is not None:
        assert ("counter_regression" in result.signals) == (
            case.get("signal") == "counter_regression"
        )


def asserted(
    party: RelyingParty, challenge: bytes, body: bytes, stored: StoredCredential
) -> Asserted | None:
    """None where it is refused; nothing else may be raised."""
    try:
        return verify_assertion(party, challenge, parse_assertion(body), stored)
    except PasskeyRefused:
        return None


def registration_options(challenge: bytes = CHALLENGE) -> bytes:
    return json.dumps({"challenge": b64(challenge), "user": {"id": b64(b"h" * 32)}}).encode()


def options(challenge: bytes = CHALLENGE) -> bytes:
    return json.dumps({"challenge": b64(challenge)}).encode()


def registered(key: Passkey) -> StoredCredential:
    made: NewCredential = verify_registration(HOME, CHALLENGE, key.register(registration_options()))
    return StoredCredential(
        made.credential_id,
        made.public_key,
        made.sign_count,
        made.backup_eligible,
        made.backed_up,
        b"h" * 32,
    )


@pytest.mark.parametrize("synced", [False, True])
def test_a_sound_passkey_passes_both_ceremonies(synced: bool) -> None:
    key = Passkey(synced=synced)
    stored = registered(key)
    assert stored.backup_eligible is synced
    result = asserted(HOME, CHALLENGE, key.sign(options()), stored)
    assert result == Asserted(1, synced, ())


MISBEHAVIOUR: list[tuple[str, Any]] = [
    ("user_verified", False),
    ("user_present", False),
    ("cross_origin", True),
    ("top_origin", "https://evil.example"),
    ("top_origin", "http://localhost:8000"),
    ("origin", "http://localhost:8001"),
    ("origin", "http://localhost:8000.evil.example"),
    ("rp_id", "evil.example"),
    ("client_type", "payment.get"),
    ("challenge", b"x" * 32),
    ("challenge", b""),
]


@pytest.mark.parametrize(("attribute", "value"), MISBEHAVIOUR)
def test_misbehaviour_is_refused_in_both_ceremonies(attribute: str, value: Any) -> None:
    key = Passkey()
    stored = registered(key)
    setattr(key, attribute, value)
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) is None
    with pytest.raises(PasskeyRefused):
        verify_registration(HOME, CHALLENGE, key.register(registration_options()))


def test_a_registration_is_no_assertion_and_the_other_way_round() -> None:
    key = Passkey()
    stored = registered(key)
    key.client_type = "webauthn.create"
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) is None
    key.client_type = "webauthn.get"
    with pytest.raises(PasskeyRefused):
        verify_registration(HOME, CHALLENGE, key.register(registration_options()))


def test_backup_eligibility_never_changes() -> None:
    bound, synced = Passkey(), Passkey(synced=True)
    bound_stored, synced_stored = registered(bound), registered(synced)
    bound.backup_eligible = True
    assert asserted(HOME, CHALLENGE, bound.sign(options()), bound_stored) is None
    synced.backup_eligible = synced.backed_up = False
    assert asserted(HOME, CHALLENGE, synced.sign(options()), synced_stored) is None
    bound.backup_eligible, bound.backed_up = False, True  # malformed: backed up, not eligible
    assert asserted(HOME, CHALLENGE, bound.sign(options()), bound_stored) is None


def test_backup_state_and_counter_are_signals() -> None:
    key = Passkey(synced=True)
    stored = registered(key)
    key.backed_up = False
    result = asserted(HOME, CHALLENGE, key.sign(options()), stored)
    assert result is not None
    assert result.signals == ("backup_changed",)
    key.backed_up, key.sign_count, key.count_step = True, 0, 0
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) == Asserted(0, True, ())


def test_the_user_handle_may_be_absent_but_not_another() -> None:
    key = Passkey()
    stored = registered(key)
    key.user_handle = None
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) is not None
    key.user_handle = b"i" * 32
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) is None


@pytest.mark.parametrize("text", ["a", "ab=", "ab==", "a b", "ab\n", "a+", "aab", "é", ""])
def test_base64url_has_one_spelling(text: str) -> None:
    key = Passkey()
    stored = registered(key)
    response = json.loads(key.sign(options()))
    for field in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        changed = json.loads(json.dumps(response))
        changed["response"][field] = text
        assert asserted(HOME, CHALLENGE, json.dumps(changed).encode(), stored) is None
    changed = response | {"id": text, "rawId": text}
    assert asserted(HOME, CHALLENGE, json.dumps(changed).encode(), stored) is None
    if text and text.isascii() and text.isalnum():
        with pytest.raises(PasskeyRefused):
            from_base64url(text)


def test_repeated_keys_in_client_data_are_refused() -> None:
    key = Passkey()
    stored = registered(key)
    doubled = '{"type":"webauthn.get","crossOrigin":true,"crossOrigin":false,' + (
        f'"challenge":"{b64(CHALLENGE)}","origin":"http://localhost:8000"}}'
    )
    key._client_data = lambda kind, challenge: doubled.encode()  # type: ignore[method-assign]
    assert asserted(HOME, CHALLENGE, key.sign(options()), stored) is None


def mutate(body: bytes) -> bytes:
    """One of: a byte changed, removed, doubled, a tail cut off; of the JSON or inside a field."""
    if secrets.randbelow(2):
        parsed = json.loads(body)
        fields = parsed["response"]
        name = secrets.choice([k for k in fields if isinstance(fields[k], str)])
        fields[name] = b64(mutate_bytes(unb64(fields[name])))
        return json.dumps(parsed).encode()
    return mutate_bytes(body)


def mutate_bytes(data: bytes) -> bytes:
    at = secrets.randbelow(len(data))
    return secrets.choice(
        [
            data[:at] + bytes([data[at] ^ (1 << secrets.randbelow(8))]) + data[at + 1 :],
            data[:at] + data[at + 1 :],
            data[:at] + data[at : at + 4] * 2 + data[at + 4 :],
            data[:at],
        ]
    )


def test_mutated_assertions_are_refused_and_nothing_else_is_raised() -> None:
    key = Passkey()
    stored = registered(key)
    body = key.sign(options())
    signed = json.loads(body)["response"]
    for _ in range(600):
        changed = mutate(body)
        if asserted(HOME, CHALLENGE, changed, stored) is not None:
            # Only what nobody signs may differ: the form around the signed members.
            kept = json.loads(changed)["response"]
            assert {k: kept.get(k) for k in ("clientDataJSON", "authenticatorData")} == {
                k: signed[k] for k in ("clientDataJSON", "authenticatorData")
            }


def test_mutated_registrations_raise_nothing_else() -> None:
    body = Passkey().register(registration_options())
    for _ in range(600):
        try:
            verify_registration(HOME, CHALLENGE, mutate(body))
        except PasskeyRefused:
            continue


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"id":1}', b"\xff", b"[" * 9000])
def test_other_forms_are_refused(body: bytes) -> None:
    with pytest.raises(PasskeyRefused):
        parse_assertion(body)
    with pytest.raises(PasskeyRefused):
        verify_registration(HOME, CHALLENGE, body)
