"""The key that a phone keeps in its keystore, and the proofs it signs (RFC 9449).

    key = DeviceKey()
    proof = key.proof("POST", "http://localhost:8000/api/v1/payments", at, token=…, body=…)

Every claim may be given another value by name, or left out as None, to misbehave.
"""

import json
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.passkey import b64


class DeviceKey:
    """P-256, or Ed25519 for `alg` "EdDSA"."""

    def __init__(self, alg: str = "ES256") -> None:
        self.alg = alg
        self.private_key: Any = (
            ec.generate_private_key(ec.SECP256R1())
            if alg == "ES256"
            else ed25519.Ed25519PrivateKey.generate()
        )
        self.jwk = self._jwk()

    @property
    def thumbprint(self) -> str:
        """RFC 7638."""
        return hashed(json.dumps(self.jwk, separators=(",", ":"), sort_keys=True).encode())

    def proof(
        self,
        method: str,
        url: str,
        at: datetime,
        *,
        token: str = "",
        body: bytes = b"",
        **more: Any,
    ) -> str:
        """Of one request. url: without query. more: further claims, such as nonce and chl."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": int(at.timestamp()),
        }
        if token:
            claims["ath"] = hashed(token.encode())
        if body:
            claims["bsh"] = hashed(body)
        claims |= more
        given = {name: value for name, value in claims.items() if value is not None}
        return self.sign(given)

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        head = {"typ": "dpop+jwt", "jwk": self.jwk} | headers
        return jwt.encode(claims, self.private_key, algorithm=self.alg, headers=head)

    def _jwk(self) -> dict[str, str]:
        public = self.private_key.public_key()
        if self.alg == "EdDSA":
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(public.public_bytes_raw())}
        point = public.public_numbers()
        x, y = (b64(n.to_bytes(32, "big")) for n in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


def hashed(data: bytes) -> str:
    return b64(sha256(data).digest())
