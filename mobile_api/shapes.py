"""Shapes that every resource shares."""

from datetime import UTC, datetime

import msgspec


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Whole fen."""

    amount: int
    currency: str


def timestamp(at: datetime) -> str:
    """RFC 3339 with Z and milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
