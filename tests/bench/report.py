"""What a benchmark found, beside the yardstick of the same run."""

from collections.abc import Sequence

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report. `ratio` is against the yardstick; None for floor and goal: told only.

    at_most: the ratio is a cost, so less is better.
    """

    name: str
    rate: float
    unit: str = "/s"
    yardstick: str = ""
    ratio: float | None = None
    floor: float | None = None
    goal: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        if self.ratio is None or self.floor is None or self.goal is None:
            return ""
        if _reaches(self.ratio, self.goal, self.at_most):
            return "goal"
        return "floor" if _reaches(self.ratio, self.floor, self.at_most) else "BELOW FLOOR"


def _reaches(ratio: float, mark: float, at_most: bool) -> bool:
    return ratio <= mark if at_most else ratio >= mark


def table(rows: Sequence[Row]) -> str:
    lines = [("row", "rate", "ratio", "floor", "goal", "reached")]
    lines += [
        (
            row.name,
            f"{row.rate:,.1f} {row.unit}" if row.rate < 1000 else f"{row.rate:,.0f} {row.unit}",
            "" if row.ratio is None else f"{row.ratio:.2f} x {row.yardstick}".strip(),
            _mark(row.floor, row.at_most),
            _mark(row.goal, row.at_most),
            row.verdict,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _mark(value: float | None, at_most: bool) -> str:
    if value is None:
        return ""
    return f"{'<=' if at_most else '>='} {value:g}"
