"""DPoP proofs: every way in which one of ours can be wrong."""

import hmac
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import proof
from backend.proof import ProofInvalid
from tests.device_key import DeviceKey, b64

VECTORS = Path(__file__).parents[2] / "shared" / "vectors"
vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not here")

URL = "https://api.example.com/api/v1/payments"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOW.timestamp()


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_proof_says_who_asks_for_what(algorithm: str) -> None:
    key = DeviceKey(algorithm)
    text = key.proof("POST", URL, AT, ath="a" * 43, bsh="b" * 43, nonce="n", chl="c", jti="one")
    found = proof.read(text)
    assert (found.thumbprint, json.loads(found.jwk)) == (key.thumbprint, key.jwk)
    assert (found.jti, found.htm, found.htu, found.iat) == ("one", "POST", URL, int(AT))
    assert (found.ath, found.bsh, found.nonce, found.chl) == ("a" * 43, "b" * 43, "n", "c")
    assert found.thumbprint == b64(sha256(found.jwk).digest())
    library = jwt.decode(
        text, jwt.PyJWK(key.jwk).key, algorithms=[algorithm], options={"verify_iat": False}
    )
    assert library["jti"] == "one"


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (30, True), (60, True), (61, False)])
def test_a_proof_is_fresh_for_a_minute_either_way(seconds: int, fresh: bool) -> None:
    found = proof.read(DeviceKey().proof("GET", URL, AT))
    for way in (1, -1):
        assert found.is_fresh(NOW + timedelta(seconds=way * seconds)) is fresh


CLAIMS: list[dict[str, Any]] = [
    {"jti": None},
    {"jti": ""},
    {"jti": 7},
    {"jti": "a b"},
    {"jti": "a\n"},
    {"jti": "x" * 129},
    {"htm": None},
    {"htm": "post"},
    {"htm": ["POST"]},
    {"htu": None},
    {"htu": "/api/v1/payments"},
    {"htu": "https://me:secret@api.example.com/x"},
    {"htu": f"{URL}?a=1"},
    {"htu": f"{URL}#a"},
    {"htu": f"{URL}\n"},
    {"htu": "javascript:alert(1)"},
    {"htu": "https://" + "a" * 1024},
    {"iat": None},
    {"iat": "1790000000"},
    {"iat": 1790000000.0},
    {"iat": True},
    {"iat": -1},
    {"iat": 2**40},
    {"ath": "short"},
    {"ath": 1},
    {"bsh": "b" * 44},
    {"nonce": "n" * 257},
    {"nonce": 1},
    {"nonce": "n n"},
    {"nonce": "n\n"},
    {"nonce": "é"},
    {"htu": "https://api.example.com/é"},
    {"htu": "https://é.example.com/"},
    {"jti": "é"},
    {"chl": "a+b"},
    {"chl": "c" * 129},
]


@pytest.mark.parametrize("claims", CLAIMS, ids=str)
def test_claims_have_one_form(claims: dict[str, Any]) -> None:
    with pytest.raises(ProofInvalid, match=r"^claims$"):
        proof.read(DeviceKey().proof("POST", URL, AT, **claims))


HEADERS: list[dict[str, Any]] = [
    {"typ": "JWT"},
    {"typ": None},
    {"typ": "DPOP+JWT"},
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "ES384"},
    {"alg": None},
    {"jwk": None},
    {"jwk": "key"},
    {"crit": ["b64"]},
    {"jku": "https://elsewhere.example/keys"},
    {"x5c": ["MII"]},
    {"kid": "mine"},
]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_headers_have_one_form(header: dict[str, Any]) -> None:
    with pytest.raises(ProofInvalid, match=r"^header$"):
        proof.read(DeviceKey().proof("POST", URL, AT, header=header))


def test_the_key_says_the_algorithm() -> None:
    for one, other in (("ES256", "EdDSA"), ("EdDSA", "ES256")):
        with pytest.raises(ProofInvalid, match=r"^algorithm$"):
            proof.read(DeviceKey(one).proof("POST", URL, AT, header={"alg": other}))


def test_nobody_signs_with_another_key_than_the_one_shown() -> None:
    shown = DeviceKey()
    with pytest.raises(ProofInvalid, match=r"^signature$"):
        proof.read(DeviceKey().proof("POST", URL, AT, header={"jwk": shown.jwk}))


def test_a_shared_secret_is_no_signature() -> None:
    """The old trick: the public key's own text as the secret of an HMAC."""
    key = DeviceKey()
    head = b64(json.dumps({"typ": "dpop+jwt", "alg": "HS256", "jwk": key.jwk}).encode())
    claims = key.proof("POST", URL, AT).split(".")[1]
    code = hmac.digest(json.dumps(key.jwk).encode(), f"{head}.{claims}".encode(), "sha256")
    text = f"{head}.{claims}.{b64(code)}"
    with pytest.raises(ProofInvalid, match=r"^header$"):
        proof.read(text)


def test_every_changed_character_is_seen() -> None:
    text = DeviceKey().proof("POST", URL, AT)
    for at, letter in enumerate(text):
        other = "B" if letter == "A" else "A"
        if letter != ".":
            with pytest.raises(ProofInvalid):
                proof.read(text[:at] + other + text[at + 1 :])


def test_a_proof_has_one_spelling() -> None:
    text = DeviceKey().proof("POST", URL, AT)
    head, claims, signature = text.split(".")
    for other in (
        f"{head}=.{claims}.{signature}",
        f"{head}.{claims}.{signature}==",
        f" {text}",
        f"{text}\n",
        f"{head}.{claims}",
        f"{text}.",
        f"{head}..{signature}",
        f"{head}.{claims}.",
        f"{head}.{claims}.{signature[:-1]}",
        "..",
        "",
        "é.é.é",
        "\ud800.a.a",
    ):
        with pytest.raises(ProofInvalid):
            proof.read(other)


def test_a_long_text_is_not_looked_into() -> None:
    with pytest.raises(ProofInvalid, match=r"^too_long$"):
        proof.read(DeviceKey().proof("POST", URL, AT, more="x" * proof.MAX_PROOF_CHARS))


def test_json_that_says_two_things_says_nothing() -> None:
    key = DeviceKey()
    head, claims, _ = key.proof("POST", URL, AT).split(".")
    plain = json.dumps({"jti": "a", "htm": "GET", "htu": URL, "iat": int(AT)})
    twice = plain.replace('"htm"', '"htm": "POST", "htm"')
    for text in (twice, "[]", "1", "{", "[" * 1500, '{"iat": NaN}', "\ufeff{}"):
        with pytest.raises(ProofInvalid):
            proof.read(key.signed(head, b64(text.encode())))
    with pytest.raises(ProofInvalid, match=r"^json$"):
        proof.read(key.signed(b64(b"\xff\xfe"), claims))


@pytest.mark.parametrize("half", ["\ud800", "a\udc00b", "\udc00\ud800"])
@pytest.mark.parametrize("member", ["jti", "htm", "htu", "nonce", "ath", "chl", "more"])
def test_half_a_character_is_no_text(member: str, half: str) -> None:
    """JSON can write it, and nothing else could: it must not come further than here."""
    claims: list[dict[str, Any]] = [
        {member: f"{URL}/{half}" if member == "htu" else half},
        {half: 1},
    ]
    for claim in claims:
        with pytest.raises(ProofInvalid, match=r"^json$"):
            proof.read(SIGNER.proof("POST", URL, AT, **claim))
    with pytest.raises(ProofInvalid, match=r"^json$"):
        proof.read(SIGNER.proof("POST", URL, AT, header={"jwk": EC | {half: half}}))


def test_a_whole_character_may_be_written_by_halves() -> None:
    assert proof.read(SIGNER.proof("POST", URL, AT, more="\U0001f600")).htm == "POST"


EC, OKP = DeviceKey().jwk, DeviceKey("EdDSA").jwk
PRIME = 2**255 - 19
KEYS: list[dict[str, Any]] = [
    EC | {"d": b64(bytes(31) + b"\1")},
    EC | {"kid": "mine"},
    EC | {"crv": "P-384"},
    EC | {"x": EC["y"], "y": EC["x"]},  # not on the curve
    EC | {"x": b64(bytes(32)), "y": b64(bytes(32))},
    EC | {"x": EC["x"] + "="},
    EC | {"x": urlsafe_b64encode(bytes(33)).decode()},
    {k: v for k, v in EC.items() if k != "y"},
    OKP | {"d": OKP["x"]},
    OKP | {"crv": "X25519"},
    OKP | {"y": OKP["x"]},
    {"kty": "oct", "k": "AAAA"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    {},
    *(
        OKP | {"x": b64((height | sign).to_bytes(32, "little"))}
        for height in (0, 1, PRIME - 1, PRIME, PRIME + 1, *sorted(proof._SMALL_ORDER)[2:4])
        for sign in (0, 2**255)
    ),
]


@pytest.mark.parametrize("jwk", KEYS, ids=range(len(KEYS)))
def test_odd_keys_are_refused(jwk: dict[str, Any]) -> None:
    for algorithm in ("ES256", "EdDSA"):
        with pytest.raises(ProofInvalid):
            proof.read(DeviceKey(algorithm).proof("POST", URL, AT, header={"jwk": jwk}))


def test_a_refusal_shows_nothing_of_the_proof() -> None:
    text = DeviceKey().proof("POST", URL, AT, htu="no-url-sesame")
    with pytest.raises(ProofInvalid) as caught:
        proof.read(text)
    assert str(caught.value) == "claims"
    assert caught.value.__cause__ is None


TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["typ", "alg", "jwk", "jti", "htm", "htu", "iat", "ath", "nonce", "crit"]), JSON
)
SIGNER = DeviceKey()


@given(
    st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,90}\Z")
)
def test_any_text_is_a_proof_or_refused(text: str) -> None:
    with pytest.raises(ProofInvalid):
        proof.read(text)


@given(MEMBERS, MEMBERS)
def test_any_members_are_read_or_refused(head: dict[str, Any], claims: dict[str, Any]) -> None:
    text = SIGNER.proof("POST", URL, AT, header=head, **claims)
    try:
        found = proof.read(text)
    except ProofInvalid:
        return
    assert found.thumbprint == SIGNER.thumbprint
    said = (found.jti, found.htm, found.htu, found.ath, found.nonce, found.bsh, found.chl)
    assert "".join(said).isascii()


@given(TEXT)
def test_any_text_in_any_claim_is_read_or_refused(text: str) -> None:
    tried: list[dict[str, Any]] = [
        {"nonce": text},
        {"htu": f"https://{text}"},
        {"htu": f"{URL}/{text}"},
    ]
    for claims in tried:
        try:
            found = proof.read(SIGNER.proof("POST", URL, AT, **claims))
        except ProofInvalid:
            continue
        assert (found.nonce + found.htu).isascii()


@given(st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "d", "k"]), JSON))
def test_any_key_is_read_or_refused(changes: dict[str, Any]) -> None:
    for jwk in (EC, OKP):
        try:
            proof.read(SIGNER.proof("POST", URL, AT, header={"jwk": jwk | changes}))
        except ProofInvalid:
            continue
        raise AssertionError("nobody has signed by that key")
