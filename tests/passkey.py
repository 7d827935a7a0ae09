"""A software authenticator: a real P-256 key, real CBOR, and every flag in the test's hand.

    key = Passkey("localhost", "http://localhost:8000")
    response_json = key.register(ceremony.options_json)
    response_json = key.sign(ceremony.options_json)

`sign` gives what `credential.toJSON()` gives in a browser. Change an attribute to misbehave:
`key.user_verified = False`, `key.cross_origin = True`, `key.backup_eligible = False`, …
"""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Passkey:
    """One credential. Attributes may be changed between ceremonies."""

    def __init__(
        self, rp_id: str = "localhost", origin: str = "http://localhost:8000", synced: bool = False
    ) -> None:
        self.rp_id, self.origin = rp_id, origin
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = secrets.token_bytes(32)
        self.user_handle: bytes | None = None
        self.sign_count = 0
        self.count_step = 1  # 0: a passkey that never counts
        self.user_present = self.user_verified = True
        self.backup_eligible = self.backed_up = synced
        self.cross_origin: bool | None = False  # None: the member is absent
        self.top_origin: str | None = None
        self.client_type: str | None = None  # instead of webauthn.create / webauthn.get
        self.challenge: bytes | None = None  # instead of the one in the options

    def register(self, options_json: bytes) -> bytes:
        """`navigator.credentials.create`, as JSON."""
        options = json.loads(options_json)
        self.user_handle = unb64(options["user"]["id"])
        client_data = self._client_data("webauthn.create", options["challenge"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        auth_data = self._auth_data(AT) + attested + self._cose_key()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth_data})
        return self._json(
            {
                "clientDataJSON": b64(client_data),
                "attestationObject": b64(attestation),
                "transports": ["internal"],
            }
        )

    def sign(self, options_json: bytes) -> bytes:
        """`navigator.credentials.get`, as JSON."""
        options = json.loads(options_json)
        self.sign_count += self.count_step
        client_data = self._client_data("webauthn.get", options["challenge"])
        auth_data = self._auth_data()
        message = auth_data + sha256(client_data).digest()
        return self._json(
            {
                "clientDataJSON": b64(client_data),
                "authenticatorData": b64(auth_data),
                "signature": b64(self.private_key.sign(message, ec.ECDSA(SHA256()))),
                "userHandle": None if self.user_handle is None else b64(self.user_handle),
            }
        )

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data: dict[str, Any] = {
            "type": self.client_type or kind,
            "challenge": challenge if self.challenge is None else b64(self.challenge),
            "origin": self.origin,
        }
        if self.cross_origin is not None:
            data["crossOrigin"] = self.cross_origin
        if self.top_origin is not None:
            data["topOrigin"] = self.top_origin
        return json.dumps(data, separators=(",", ":")).encode()

    def _auth_data(self, more_flags: int = 0) -> bytes:
        flags = more_flags
        for bit, on in (
            (UP, self.user_present),
            (UV, self.user_verified),
            (BE, self.backup_eligible),
            (BS, self.backed_up),
        ):
            flags |= bit if on else 0
        head = sha256(self.rp_id.encode()).digest() + bytes([flags])
        return head + self.sign_count.to_bytes(4, "big")

    def _cose_key(self) -> bytes:
        point = self.private_key.public_key().public_numbers()
        x, y = (n.to_bytes(32, "big") for n in (point.x, point.y))
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})

    def _json(self, response: dict[str, Any]) -> bytes:
        return json.dumps(
            {
                "id": b64(self.credential_id),
                "rawId": b64(self.credential_id),
                "type": "public-key",
                "response": response,
                "authenticatorAttachment": "platform",
                "clientExtensionResults": {},
            }
        ).encode()
