"""Where a page of bills ended: opaque outside, good for one person only."""

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
    """Microseconds, not milliseconds: PostgreSQL keeps them, and a page must not skip a bill."""

    event_at_us: Annotated[int, msgspec.Meta(ge=0, le=_MAX_US)]
    bill_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    owner: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]


def encode(person_id: str, event_at: datetime, bill_id: str) -> str:
    at_us = (event_at - _EPOCH) // timedelta(microseconds=1)
    packed = msgspec.msgpack.encode(_Place(at_us, bill_id, _mark(person_id)))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(person_id: str, cursor: str) -> tuple[datetime, str]:
    """event_at and bill_id. Refuses: BadRequest (altered, or another person's)."""
    if len(cursor) > MAX_CURSOR or not cursor.isascii():
        raise BadRequest()
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place = msgspec.msgpack.decode(packed, type=_Place)
    except (binascii.Error, ValueError):
        raise BadRequest() from None
    if place.owner != _mark(person_id):
        raise BadRequest()
    return _EPOCH + timedelta(microseconds=place.event_at_us), place.bill_id


def _mark(person_id: str) -> bytes:
    return sha256(b"yipay/bills-cursor\n" + person_id.encode()).digest()[:8]
