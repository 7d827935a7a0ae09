"""A phone's device key, in software: a real key, and every member of a proof in the test's hand.

key = DeviceKey()                       # or DeviceKey("EdDSA")
text = key.proof("POST", url, at)       # at: seconds; further claims by name
text = key.proof("POST", url, at, header={"typ": "JWT"}, jti=None)   # None leaves a claim out
"""

import json
import secrets
from base64 import urlsafe_b64encode
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import get_default_algorithms

from backend import proof


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class DeviceKey:
    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.private_key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        if algorithm == "ES256":
            self.private_key = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private_key = ed25519.Ed25519PrivateKey.generate()

    @cached_property
    def jwk(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(
            get_default_algorithms()[self.algorithm].to_jwk(self.private_key.public_key())
        )
        return made

    @cached_property
    def thumbprint(self) -> str:
        return proof.thumbprint(proof.canonical_key(self.jwk))

    def proof(
        self, method: str, url: str, at: float, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk} | (header or {})
        said = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(at)}
        said |= claims
        pieces = [
            b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
            for part in (head, said)
        ]
        return self.signed(*pieces)

    def signed(self, head: str, claims: str) -> str:
        """Of whatever stands in them."""
        message = f"{head}.{claims}"
        sign = get_default_algorithms()[self.algorithm].sign
        return f"{message}.{b64(sign(message.encode(), self.private_key))}"
