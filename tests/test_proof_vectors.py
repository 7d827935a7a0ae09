"""DPoP proofs: the public vectors are judged as they say."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from backend import proof
from backend.proof import ProofInvalid
from tests.device_key import b64

VECTORS = Path(__file__).parents[2] / "shared" / "vectors"
vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="the public test vectors are not here")

URL = "https://api.example.com/api/v1/payments"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOW.timestamp()


def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def fault(text: str, request: dict[str, Any], seen: set[tuple[str, str]]) -> str:
    """What RFC 9449 §4.3 asks of a receiver, with what `proof` gives it. "" accepts."""
    try:
        found = proof.read(text)
    except ProofInvalid as invalid:
        return f"form:{invalid}"
    url = urlunsplit((*urlsplit(request["url"])[:3], "", ""))
    token = request["access_token"]
    checks = {
        "wrong_method": found.htm == request["method"],
        "wrong_uri": found.htu == url,
        "iat_out_of_window": found.is_fresh(datetime.fromtimestamp(request["now"], UTC)),
        "key_binding": request["required_jkt"] in {None, found.thumbprint},
        "wrong_ath": token is None or found.ath == b64(sha256(token.encode()).digest()),
        "wrong_nonce": request["required_nonce"] in {None, found.nonce},
        "replayed": (found.thumbprint, found.jti) not in seen,
    }
    seen.add((found.thumbprint, found.jti))
    return next((name for name, holds in checks.items() if not holds), "")


FORMS = {
    "bad_signature": "form:signature",
    "wrong_typ": "form:header",
    "algorithm_not_allowed": "form:base64url",  # theirs has no signature at all
    "claim_missing": "form:claims",
    "private_key_in_jwk": "form:key",
}


@vectors
def test_proofs_of_rfc_9449_are_judged_as_they_say() -> None:
    seen: set[tuple[str, str]] = set()
    cases = read("jose/dpop.json")["cases"]
    for case in cases:
        expected = "" if case["expect"] == "accept" else case["reason"]
        found = fault(case["proof"], case["request"], seen)
        assert found == FORMS.get(expected, expected), case["name"]
    assert len(cases) == 16


def judge(jws: str, jwk: dict[str, Any], algorithm: str) -> bytes | None:
    """The payload of a JWS under a key and its one algorithm, by the pieces that `read` is of."""
    try:
        head, payload, message, signature = proof.parts(jws)
        if json.loads(head).get("alg") != algorithm:
            return None
        key = proof.canonical_key({k: v for k, v in jwk.items() if k in {"kty", "crv", "x", "y"}})
        return payload if proof.is_signed(algorithm, key, message, signature) else None
    except ValueError:
        return None


@vectors
def test_signatures_of_rfc_7515_are_judged_as_they_say() -> None:
    judged = 0
    for case in read("jose/jws.json")["cases"]:
        if case["algorithm"] == "HS256":  # a shared secret is no key of a device
            assert judge(case["jws"], case["jwk"], case["algorithm"]) is None
            continue
        payload = judge(case["jws"], case["jwk"], case["algorithm"])
        assert (payload is not None) is (case["expect"] == "accept"), case["name"]
        if payload is not None:
            assert b64(payload) == case["payload_base64url"]
        judged += 1
    assert judged == 6


@vectors
def test_thumbprints_of_rfc_7638() -> None:
    of_rsa, of_curve = read("jose/jws.json")["jwk_thumbprints"]
    with pytest.raises(ProofInvalid):  # not a key that we take
        proof.canonical_key(of_rsa["jwk"])
    assert proof.thumbprint(proof.canonical_key(of_curve["jwk"])) == of_curve["thumbprint_sha256"]


@vectors
def test_ecdsa_signatures_of_others_are_judged_as_they_say() -> None:
    seen = 0
    for group in read("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json")["testGroups"]:
        x, y = (b64(int(group["publicKey"][k], 16).to_bytes(32, "big")) for k in ("wx", "wy"))
        jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            good = proof.is_signed("ES256", proof.canonical_key(jwk), message, signature)
            assert good is (case["result"] == "valid"), case["tcId"]
            seen += 1
    assert seen == 131


@vectors
def test_ed25519_signatures_of_others_are_judged_as_they_say() -> None:
    seen = 0
    for group in read("wycheproof/ed25519_test.json")["testGroups"]:
        jwk = {k: group["publicKeyJwk"][k] for k in ("crv", "kty", "x")}
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            good = proof.is_signed("EdDSA", proof.canonical_key(jwk), message, signature)
            assert good is (case["result"] == "valid"), case["tcId"]
            seen += 1
    assert seen == 76


@vectors
def test_web_signatures_of_others_are_judged_as_they_say() -> None:
    """Those with a P-256 key; `use` and `key_ops` say nothing where a key comes without them."""
    seen = 0
    for group in read("wycheproof/json_web_signature_test.json")["testGroups"]:
        key = group.get("public") or group["private"]
        if key.get("crv") != "P-256" or key.get("use", "sig") != "sig" or "key_ops" in key:
            continue
        for case in group["tests"]:
            payload = judge(case["jws"], key, "ES256")
            assert (payload is not None) is (case["result"] == "valid"), case["comment"]
            seen += 1
    assert seen > 10
