"""Ids are TypeIDs: a prefix, "_" and 26 characters that sort by time. Never parsed or reused."""

import re
from hashlib import sha256
from typing import Annotated

import msgspec
from typeid import TypeID
from uuid_utils import UUID

ID_PATTERN = r"^[a-z]{3}_[0-7][0-9a-hjkmnp-tv-z]{25}$"
Id = Annotated[str, msgspec.Meta(pattern=ID_PATTERN, max_length=30)]

_ID = re.compile(ID_PATTERN)


def new(prefix: str) -> str:
    """A fresh id, for example "pay_01k…"."""
    return str(TypeID(prefix=prefix))


def derived(prefix: str, *parts: str) -> str:
    """The same id for the same parts, for what a call that is repeated must make once only. Its
    time says nothing; version 7's bits are set, so that it passes for any other id."""
    raw = bytearray(sha256("\0".join(parts).encode()).digest()[:16])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(TypeID.from_uuid(UUID(bytes=bytes(raw)), prefix=prefix))


def is_id(text: str, prefix: str) -> bool:
    """Whether text is a well-formed id of that kind."""
    return text.startswith(f"{prefix}_") and _ID.fullmatch(text) is not None
