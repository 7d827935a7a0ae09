"""Access tokens: every claim missing, altered, expired, early; keys and algorithms swapped."""

import hmac
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import get_default_algorithms

from backend import ids
from backend.access_token import LIFE, MAX_TOKEN_CHARS, AccessTokens, Grantee, TokenInvalid
from backend.base64url import base64url
from backend.clock import FixedClock
from backend.keys import FileSigner

ORIGIN = "https://pay.example"
HEADER = {"alg": "EdDSA", "typ": "at+jwt"}
CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp", "auth_time", "amr", "cnf", "dev")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC))


@pytest.fixture
def tokens(tmp_path: Path, clock: FixedClock) -> AccessTokens:
    return AccessTokens(tmp_path, ORIGIN, clock)


@pytest.fixture
def grantee(clock: FixedClock) -> Grantee:
    return Grantee(
        person_id=ids.new("usr"),
        session_id=ids.new("ses"),
        device_id=ids.new("dev"),
        thumbprint="k" * 43,
        auth_time=int(clock.now().timestamp()),
    )


@pytest.fixture
def token(tokens: AccessTokens, grantee: Grantee) -> str:
    return tokens.issue(grantee)


def part(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def written(header: dict[str, Any], claims: Any) -> str:
    return ".".join(base64url(json.dumps(each).encode()) for each in (header, claims))


@pytest.fixture
def signer(tmp_path: Path, token: str) -> FileSigner:
    """Our own key, in the hand of a test that misuses it. The token was made first, and the key."""
    return FileSigner(tmp_path, "access")


def signed(signer: FileSigner, claims: Any, header: dict[str, Any] | None = None) -> str:
    text = written(header or HEADER, claims)
    return f"{text}.{base64url(signer.sign(text.encode()))}"


def test_a_token_says_who_where_and_when(
    tokens: AccessTokens, token: str, grantee: Grantee, clock: FixedClock
) -> None:
    access = tokens.read(token)
    assert (access.sub, access.sid, access.dev) == (
        grantee.person_id,
        grantee.session_id,
        grantee.device_id,
    )
    assert (access.iss, access.aud) == (ORIGIN, f"{ORIGIN}/api")
    assert access.cnf.jkt == grantee.thumbprint
    assert access.exp - access.iat == 300
    assert part(token, 0) == HEADER
    assert set(part(token, 1)) == set(CLAIMS)


def test_what_a_test_signs_with_our_key_is_good(
    tokens: AccessTokens, token: str, signer: FileSigner
) -> None:
    assert tokens.read(signed(signer, part(token, 1))) == tokens.read(token)


def test_no_two_tokens_are_the_same(tokens: AccessTokens, grantee: Grantee) -> None:
    assert len({tokens.read(tokens.issue(grantee)).jti for _ in range(20)}) == 20


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_is_required(
    tokens: AccessTokens, token: str, signer: FileSigner, claim: str
) -> None:
    claims = part(token, 1)
    del claims[claim]
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, claims))


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("value", [None, "", 1.5, -1, True, [], {}, {"jkt": ""}, "x", "usr_1"])
def test_every_claim_has_its_form(
    tokens: AccessTokens, token: str, signer: FileSigner, claim: str, value: object
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, part(token, 1) | {claim: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": f"{ORIGIN}/"},
        {"aud": ORIGIN},
        {"aud": [f"{ORIGIN}/api"]},
        {"aud": "https://other.example/api"},
        {"cnf": {"jkt": "k" * 43, "x5t#S256": "k" * 43}},
        {"nbf": 0},
        {"scope": "everything"},
    ],
)
def test_another_issuer_audience_or_claim(
    tokens: AccessTokens, token: str, signer: FileSigner, change: dict[str, Any]
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, part(token, 1) | change))


def test_a_token_lives_for_five_minutes(
    tokens: AccessTokens, token: str, clock: FixedClock
) -> None:
    clock.move(LIFE - timedelta(seconds=1))
    tokens.read(token)
    clock.move(timedelta(seconds=1))
    with pytest.raises(TokenInvalid):
        tokens.read(token)


def test_a_token_of_the_future_is_refused(
    tokens: AccessTokens, token: str, clock: FixedClock
) -> None:
    clock.move(timedelta(seconds=-5))  # as much as the clocks of two servers differ
    tokens.read(token)
    clock.move(timedelta(seconds=-1))
    with pytest.raises(TokenInvalid):
        tokens.read(token)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_was_altered_is_not_signed(tokens: AccessTokens, token: str, claim: str) -> None:
    head, _, signature = token.split(".")
    claims = part(token, 1)
    changed = {
        "sub": ids.new("usr"),
        "sid": ids.new("ses"),
        "jti": ids.new("tok"),
        "dev": ids.new("dev"),
        "exp": claims["exp"] + 1,
        "iat": claims["iat"] - 1,
        "auth_time": claims["auth_time"] - 1,
        "amr": ["pop"],
        "cnf": {"jkt": "o" * 43},
    }
    altered = written({}, claims | {claim: changed.get(claim, "x")}).split(".")[1]
    with pytest.raises(TokenInvalid):
        tokens.read(f"{head}.{altered}.{signature}")


def test_the_key_of_another_server(
    tokens: AccessTokens, token: str, tmp_path: Path, grantee: Grantee, clock: FixedClock
) -> None:
    stranger = AccessTokens(tmp_path / "other", ORIGIN, clock)
    with pytest.raises(TokenInvalid):
        tokens.read(stranger.issue(grantee))


@pytest.mark.parametrize("alg", ["none", "None", "", "HS256", "ES256", "RS256", "Ed448", None, 1])
def test_our_signature_under_another_algorithm(
    tokens: AccessTokens, token: str, signer: FileSigner, alg: object
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, part(token, 1), HEADER | {"alg": alg}))


def test_without_a_signature(tokens: AccessTokens, token: str) -> None:
    claims = part(token, 1)
    for header in (HEADER, HEADER | {"alg": "none"}):
        with pytest.raises(TokenInvalid):
            tokens.read(written(header, claims) + ".")


def test_the_public_key_as_the_secret_of_an_hmac(
    tokens: AccessTokens, token: str, signer: FileSigner
) -> None:
    okp = get_default_algorithms()["EdDSA"]
    public = Ed25519PublicKey.from_public_bytes(signer.public_key)
    for secret in (signer.public_key, str(okp.to_jwk(public)).encode()):
        for alg in ("HS256", "EdDSA"):
            text = written(HEADER | {"alg": alg}, part(token, 1))
            mac = base64url(hmac.digest(secret, text.encode(), "sha256"))
            with pytest.raises(TokenInvalid):
                tokens.read(f"{text}.{mac}")


def test_another_kind_of_key(tokens: AccessTokens, token: str) -> None:
    text = written(HEADER | {"alg": "ES256"}, part(token, 1))
    key = ec.generate_private_key(ec.SECP256R1())
    signature = get_default_algorithms()["ES256"].sign(text.encode(), key)
    with pytest.raises(TokenInvalid):
        tokens.read(f"{text}.{base64url(signature)}")


@pytest.mark.parametrize("typ", ["JWT", "at+JWT", "dpop+jwt", "application/at+jwt", "", None, 1])
def test_another_type_of_token(
    tokens: AccessTokens, token: str, signer: FileSigner, typ: object
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, part(token, 1), HEADER | {"typ": typ}))


@pytest.mark.parametrize(
    "more", [{"kid": "x"}, {"jwk": {}}, {"crit": ["exp"]}, {"b64": False}, {"jku": "https://x"}]
)
def test_a_header_of_others(
    tokens: AccessTokens, token: str, signer: FileSigner, more: dict[str, Any]
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, part(token, 1), HEADER | more))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "é.é.é", "\x00", "[" * 2000, "x" * (MAX_TOKEN_CHARS + 1)],
)
def test_what_is_no_token(tokens: AccessTokens, text: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(text)


@pytest.mark.parametrize("claims", [[], None, 1, "x", [[[[]]]]])
def test_claims_that_are_no_object(
    tokens: AccessTokens, signer: FileSigner, claims: object
) -> None:
    with pytest.raises(TokenInvalid):
        tokens.read(signed(signer, claims))


def test_every_character_counts(tokens: AccessTokens, token: str) -> None:
    for index in range(0, len(token), 3):
        flipped = "A" if token[index] != "A" else "B"
        altered = token[:index] + flipped + token[index + 1 :]
        try:
            access = tokens.read(altered)
        except TokenInvalid:
            continue
        # The last character of a signature has bits that mean nothing.
        assert access == tokens.read(token)
        assert index == len(token) - 1


def test_who_serves_no_phones_makes_no_key(tokens: AccessTokens, tmp_path: Path) -> None:
    assert tokens.audience == f"{ORIGIN}/api"
    assert list(tmp_path.iterdir()) == []
