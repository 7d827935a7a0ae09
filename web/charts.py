"""Charts drawn by the server: geometry in whole numbers, for SVG that stretches to its place.

Words stand beside the picture, not in it, so that they keep their size on every screen.
"""

import msgspec

from backend.money import Fen

WIDTH, HEIGHT = 960, 200
GAP = 6  # between two bars
STEPS = (1, 2, 4, 5, 10)  # a scale ends on one of these times a power of ten


class Bar(msgspec.Struct, frozen=True):
    """A column of the chart; y counts from the top."""

    x: int
    y: int
    width: int
    height: int


class Chart(msgspec.Struct, frozen=True):
    """line: points of the series to compare with, as SVG wants them; top_fen: the scale's end."""

    bars: tuple[Bar, ...]
    line: str
    top_fen: int
    width: int = WIDTH
    height: int = HEIGHT


def bars(amounts: tuple[int, ...], others: tuple[int, ...] = ()) -> Chart:
    """amounts as columns, others as a line across their middles; both in fen, of one length."""
    top = scale_of(max((*amounts, *others), default=0))
    slot = WIDTH // max(len(amounts), 1)
    columns = tuple(
        Bar(number * slot + GAP // 2, HEIGHT - high, slot - GAP, high)
        for number, high in enumerate(_height(amount, top) for amount in amounts)
    )
    points = (
        f"{number * slot + slot // 2},{HEIGHT - _height(amount, top)}"
        for number, amount in enumerate(others)
    )
    return Chart(columns, " ".join(points), top, width=slot * max(len(amounts), 1))


def scale_of(largest: int) -> int:
    """The smallest round amount that is not below it: 1, 2, 4 or 5 times a power of ten yuan."""
    unit = 100
    while unit * STEPS[-1] < largest:
        unit *= STEPS[-1]
    return next(unit * step for step in STEPS if unit * step >= largest)


def _height(amount: int, top: int) -> int:
    """At least a line where there is anything at all."""
    return max(amount * HEIGHT // top, 3) if amount else 0


def change(now: int, before: int) -> int | None:
    """In tenths of a percent, half up; None where there was nothing before."""
    return None if before == 0 else ((now - before) * 2000 + before) // (2 * before)


def share(part: int, whole: int) -> int | None:
    """In tenths of a percent, half up; None of nothing."""
    return None if whole == 0 else (part * 2000 + whole) // (2 * whole)


def mean(amount_fen: int, count: int) -> Fen:
    """Half up to the fen; 0 of nothing."""
    return Fen((2 * amount_fen + count) // (2 * count)) if count else Fen(0)
