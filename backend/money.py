"""Money is a whole number of fen (1 CNY = 100 fen), made here and checked at the door."""

import re
from typing import Annotated, NewType

import msgspec

Fen = NewType("Fen", int)

MAX_AMOUNT_FEN = 10_000_000_000  # 100 million yuan: far below 2^53, so JSON readers keep it exact
CURRENCY = "CNY"

Amount = Annotated[int, msgspec.Meta(gt=0, le=MAX_AMOUNT_FEN)]
"""A positive amount in fen, for fields of Structs that come from outside."""

_YUAN = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?", re.ASCII)


def fen(value: int) -> Fen:
    """The only way to make money. A bool or float is a bug of the caller."""
    assert type(value) is int, f"money must be an int, got {value!r}"
    return Fen(value)


def parse_yuan(text: str) -> Fen | None:
    """Fen from what a person typed ("23", "23.5", "23.00"); None if it is no positive amount."""
    match = _YUAN.fullmatch(text.strip().removeprefix("¥"))
    if match is None:
        return None
    amount = int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))
    return fen(amount) if 0 < amount <= MAX_AMOUNT_FEN else None


def yuan(amount: int) -> str:
    """Text such as "1,234.56", with a leading minus where negative; no currency sign."""
    sign, whole = ("-" if amount < 0 else ""), abs(amount)
    return f"{sign}{whole // 100:,}.{whole % 100:02d}"
