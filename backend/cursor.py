"""Where a page of a list ended: opaque outside, good for one list of one owner only."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated

import msgspec

from backend.errors import BadRequest

MAX_CURSOR = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_US = 253_402_300_799_999_999  # the end of year 9999


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Microseconds, not milliseconds: PostgreSQL keeps them, and a page must not skip a row."""

    at_us: Annotated[int, msgspec.Meta(ge=0, le=_MAX_US)]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    mark: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]


def encode(of: str, at: datetime, id_: str) -> str:
    """of: the list and its owner, for example "bills\\nusr_…"."""
    at_us = (at - _EPOCH) // timedelta(microseconds=1)
    packed = msgspec.msgpack.encode(_Place(at_us, id_, _mark(of)))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(of: str, cursor: str) -> tuple[datetime, str]:
    """Moment and id. Refuses: BadRequest (altered, or of another list)."""
    if len(cursor) > MAX_CURSOR or not cursor.isascii():
        raise BadRequest()
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = msgspec.msgpack.decode(packed, type=_Place)
    except (binascii.Error, ValueError):
        raise BadRequest() from None
    if place.mark != _mark(of):
        raise BadRequest()
    return _EPOCH + timedelta(microseconds=place.at_us), place.id


def _mark(of: str) -> bytes:
    return sha256(b"yipay/cursor\n" + of.encode()).digest()[:8]
