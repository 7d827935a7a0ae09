"""The journal's chain: what the ledger writes, and what its auditor recomputes on its own.

    chain_hash = SHA-256( "yipay/journal/v1\\n" ‖ prev_hash ‖ batch_seq ‖ first_seq ‖ created_at_ms
                          ‖ posting_hash ‖ verdict_hash   of each posting, in journal order )

Numbers are 8 bytes, big-endian. The postings' journal_seq are first_seq, first_seq + 1, … .
posting_hash is SHA-256 of the stored content (the canonical bytes), verdict_hash is SHA-256 of the
stored verdict, 32 zero bytes where there is none. The first batch has prev_hash GENESIS.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct

import msgspec

from backend.posting import Posting
from backend.verdict import SignedVerdict

GENESIS = bytes(32)
NO_VERDICT = bytes(32)

_PREFIX = b"yipay/journal/v1\n"
_CONTENT_PREFIX = b"yipay/posting/v1\n"  # as `canonical` writes it for posting_hash
_numbers = Struct(">QQQ").pack
_encode = msgspec.msgpack.Encoder().encode
_postings = msgspec.msgpack.Decoder(Posting)
_verdicts = msgspec.msgpack.Decoder(SignedVerdict)


def chain_hash(
    prev_hash: bytes,
    batch_seq: int,
    first_seq: int,
    created_at_ms: int,
    hashes: Iterable[bytes],
) -> bytes:
    """32 bytes. `hashes`: posting_hash, verdict_hash, posting_hash, verdict_hash, …"""
    head = _PREFIX + prev_hash + _numbers(batch_seq, first_seq, created_at_ms)
    return sha256(head + b"".join(hashes)).digest()


def verdict_hash(verdict: bytes | None) -> bytes:
    return NO_VERDICT if verdict is None else sha256(verdict).digest()


def content_of(posting: Posting) -> bytes:
    """The canonical bytes that are stored; their SHA-256 is `posting_hash(posting)`."""
    return _CONTENT_PREFIX + _encode(posting)


def posting_of(content: bytes) -> Posting:
    """The posting inside stored content. Raises msgspec.MsgspecError where it is none."""
    if not content.startswith(_CONTENT_PREFIX):
        raise msgspec.ValidationError("not the canonical bytes of a posting")
    return _postings.decode(memoryview(content)[len(_CONTENT_PREFIX) :])


def verdict_bytes(signed: SignedVerdict) -> bytes:
    return _encode(signed)


def verdict_of(stored: bytes) -> SignedVerdict:
    """Raises msgspec.MsgspecError where it is none."""
    return _verdicts.decode(stored)


def account_key(account_id: str) -> int:
    """The number under which the books keep an account: SHA-256's first 8 bytes, signed."""
    return int.from_bytes(sha256(account_id.encode()).digest()[:8], "big", signed=True)
