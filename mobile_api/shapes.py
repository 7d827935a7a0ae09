"""Shapes that every resource shares."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

import msgspec

from backend import money
from backend.errors import BadRequest
from backend.plain import is_plain

MAX_LIMIT = 100
USUAL_LIMIT = 20

Row = TypeVar("Row")


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Whole fen."""

    amount: int
    currency: str


class Money(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount as a caller gives it: whole fen, above 0, never a text or a float."""

    amount: Annotated[
        int, msgspec.Meta(gt=0, le=money.MAX_AMOUNT_FEN, description="Whole fen", examples=[2300])
    ]
    currency: Literal["CNY"]


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Newest first, unless said otherwise. next_cursor: opaque, "" at the end."""

    data: Sequence[Row]
    has_more: bool = False
    next_cursor: str = ""


def page_of(data: Sequence[Row], next_cursor: str = "") -> Page[Row]:
    return Page(data=data, has_more=bool(next_cursor), next_cursor=next_cursor)


def limited(limit: int) -> int:
    """Of a list: larger or smaller wishes are coerced."""
    return min(max(limit, 1), MAX_LIMIT)


def plain(text: str) -> str:
    """What somebody typed for another to read. Refuses: BadRequest (hidden characters)."""
    stripped = text.strip()
    if not is_plain(stripped):
        raise BadRequest()
    return stripped


def amount_of(fen: int) -> Amount:
    return Amount(amount=fen, currency=money.CURRENCY)


def timestamp(at: datetime) -> str:
    """RFC 3339 with Z and milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_or_none(at: datetime | None) -> str | None:
    return timestamp(at) if at else None
