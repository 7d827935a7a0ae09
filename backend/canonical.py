"""Canonical bytes: a domain prefix and a msgpack array in fixed order. No floats, JSON, maps."""

from hashlib import sha256

import msgspec

_encoder = msgspec.msgpack.Encoder()


def canonical(domain: str, value: msgspec.Struct) -> bytes:
    """Bytes to hash or sign. `value` and all Structs inside must be array_like."""
    assert type(value).__struct_config__.array_like, f"{type(value).__name__} has no fixed order"
    return b"yipay/%s\n%s" % (domain.encode(), _encoder.encode(value))


def digest(domain: str, value: msgspec.Struct) -> bytes:
    """SHA-256 of the canonical bytes; 32 bytes."""
    return sha256(canonical(domain, value)).digest()
