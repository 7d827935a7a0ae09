"""What a row may hold: hashes and sealed bytes that only the client's own key opens."""

import hmac
import secrets
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.idempotency import Answer, Write

NONCE_BYTES = 12

_decoder = msgspec.msgpack.Decoder(Answer)


def lookup(write: Write) -> bytes:
    """Where the row is found."""
    return sha256("\0".join(("lookup", write.account, write.route, write.key)).encode()).digest()


def fingerprint(write: Write) -> bytes:
    """Of the content; keyed, since amounts and names could be guessed from a plain hash."""
    return hmac.digest(_derived(write, b"content"), write.content, sha256)


def seal(write: Write, answer: Answer) -> bytes:
    """Nonce ‖ ciphertext, bound to its row."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_derived(write, b"answer")).encrypt(
        nonce, msgspec.msgpack.encode(answer), lookup(write)
    )
    return nonce + sealed


def unseal(write: Write, sealed: bytes) -> Answer:
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    return _decoder.decode(AESGCM(_derived(write, b"answer")).decrypt(nonce, rest, lookup(write)))


def _derived(write: Write, purpose: bytes) -> bytes:
    material = "\0".join((write.account, write.route, write.key)).encode()
    return HKDF(SHA256(), length=32, salt=None, info=b"yipay idempotency " + purpose).derive(
        material
    )
