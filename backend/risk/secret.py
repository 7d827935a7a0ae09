"""Bearer secrets: 256 random bits for the holder, a hash for us. No slow hash is needed."""

import secrets
from hashlib import sha256


def new_secret() -> str:
    """43 characters of base64url."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
