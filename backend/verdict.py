"""A verdict: the security system's signed leave to post exactly these transfers, once, soon.

Verdicts that are decided together share one signature: it covers the root of an RFC 6962 tree whose
leaves are the verdicts' canonical bytes, and each carries its own path to that root.
"""

import time
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend import merkle
from backend.canonical import canonical
from backend.posting import Posting, posting_hash

VERDICT_LIFE_MS = 60_000
CHARGE_LIFE_MS = 30_000  # of a payment by payment code: nobody at a till waits for longer
_ROOT_PREFIX = b"yipay/verdict-root/v1\n"


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was decided. level: A, B, C, D of the product rules, or "S" for the bank's own word."""

    verdict_id: str
    intent_hash: bytes
    posting_hash: bytes
    decision: str  # "allow": every other answer is a refusal and is not signed for the ledger
    level: str
    rule_version: int
    issued_at_ms: int
    expires_at_ms: int


class SignedVerdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A verdict with its path (index, size, hashes) to the signed root."""

    verdict: Verdict
    index: int
    size: int
    path: tuple[bytes, ...]
    key_id: str
    signature: bytes


def leaf(verdict: Verdict) -> bytes:
    return merkle.leaf_hash(canonical("verdict/v1", verdict))


def root_message(root: bytes) -> bytes:
    """The bytes that the verdict key signs."""
    return _ROOT_PREFIX + root


def fault(
    signed: SignedVerdict,
    posting: Posting,
    keys: Mapping[str, bytes],
    now_ms: int | None = None,
) -> str:
    """Why this verdict is no leave for this posting, or "". `keys`: raw Ed25519 keys by key id.

    One of "key", "signature", "posting", "decision", "expired". An auditor looking back gives the
    time of posting as `now_ms`.
    """
    return fault_of_hash(signed, posting_hash(posting), keys, now_ms)


def fault_of_hash(
    signed: SignedVerdict,
    hash_: bytes,
    keys: Mapping[str, bytes],
    now_ms: int | None = None,
) -> str:
    """As `fault`, where the posting's hash is known already."""
    key = keys.get(signed.key_id)
    if key is None:
        return "key"
    root = merkle.root_from_path(leaf(signed.verdict), signed.index, signed.size, signed.path)
    if root is None or not _signed(key, root, signed.signature):
        return "signature"
    if signed.verdict.posting_hash != hash_:
        return "posting"
    if signed.verdict.decision != "allow":
        return "decision"
    now = int(time.time() * 1000) if now_ms is None else now_ms
    return "" if now < signed.verdict.expires_at_ms else "expired"


@lru_cache(maxsize=4096)  # verdicts of one batch bring the same root and signature
def _signed(key: bytes, root: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, root_message(root))
    except InvalidSignature:
        return False
    return True
