"""What is on a poster and where: one description that SVG and PDF are drawn from.

Lengths in millimetres from the top left corner; y of words is their baseline.
"""

from collections.abc import Iterator
from math import cos, pi, sin, tau
from typing import Literal

import msgspec
import segno

from backend.codes import emv
from backend.drawing.typeface import lines, typeface

Size = Literal["a6", "tent", "a4"]
Anchor = Literal["start", "middle", "end"]
Matrix = tuple[tuple[bool, ...], ...]

A6, A4 = (
    (105.0, 148.5),
    (210.0, 297.0),
)  # A4 halved twice; an A6 sheet is cut half a millimetre less
CUT_A6 = 148.0

BRAND, DEEP, MINT, PALE = "#00695c", "#00493f", "#8fe3d2", "#c6e9e0"
INK, SOFT, WHITE, FINE = "#0f1a17", "#4a5a55", "#ffffff", "#0d5c50"

QUIET = 4  # modules of white around a code
PETALS, CURVE = 15, 72  # of the rosette

TYPE_IT = "扫不了码？手动输入短码 · No camera? Type this code"
HINTS = (
    ("付款前请核对商户名称", "Check the shop's name before you pay.", True),
    (
        "静态码每日限额 500 元，通行密钥可提额",
        "Up to ¥500 a day by this code, more with a passkey.",
        False,
    ),
)


class Box(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    fill: str
    radius: float = 0


class Words(msgspec.Struct, frozen=True):
    text: str
    x: float
    y: float
    size: float
    fill: str
    bold: bool = False
    anchor: Anchor = "middle"

    @property
    def left(self) -> float:
        """Where the baseline begins."""
        width = typeface(self.bold).width(self.text, self.size)
        return self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]


class Stroke(msgspec.Struct, frozen=True):
    """A line with round ends; dashed where dash is not 0."""

    points: tuple[tuple[float, float], ...]
    width: float
    colour: str
    dash: float = 0


class Code(msgspec.Struct, frozen=True):
    """The modules of a QR code without its quiet zone."""

    matrix: Matrix
    x: float
    y: float
    side: float


Item = Box | Words | Stroke | Code


class Panel(msgspec.Struct, frozen=True):
    """Items of a part of the sheet; turned: upside down, about the part's middle."""

    items: tuple[Item, ...]
    x: float
    y: float
    width: float
    height: float
    turned: bool = False


class Sheet(msgspec.Struct, frozen=True):
    title: str
    width: float
    height: float
    panels: tuple[Panel, ...]

    def words(self) -> Iterator[Words]:
        for panel in self.panels:
            yield from (item for item in panel.items if isinstance(item, Words))


class Column(msgspec.Struct, frozen=True):
    """Where lines of text stand. pale: of what matters less."""

    x: float
    width: float
    anchor: Anchor
    fill: str
    pale: str


class Poster(msgspec.Struct, frozen=True, kw_only=True):
    """payload: what the code holds."""

    shop_name: str
    store_name: str
    terminal_name: str
    short_code: str
    payload: str


def sheet(poster: Poster, size: Size) -> Sheet:
    poster = _printable(poster)
    title = f"易支付 · {poster.shop_name}"
    if size == "tent":
        face, (width, height) = _lying(poster), A4
        half = height / 2
        fold = Stroke(((0, 0), (width, 0)), 0.25, MINT, dash=2.5)
        panels = (
            Panel(face, 0, 0, width, half, turned=True),
            Panel(face, 0, half, width, half),
            Panel((fold,), 0, half, width, 0),
        )
        return Sheet(title, width, height, panels)
    factor, width, height = (1, A6[0], CUT_A6) if size == "a6" else (2, *A4)
    return Sheet(title, width, height, (Panel(_standing(poster, factor), 0, 0, width, height),))


def matrix_of(payload: str) -> Matrix:
    code = segno.make(payload, error="m", micro=False, boost_error=False)
    return tuple(tuple(bool(module) for module in row) for row in code.matrix)


def _printable(poster: Poster) -> Poster:
    """Names without what hides or turns text."""
    return msgspec.structs.replace(
        poster,
        shop_name=emv.printable(poster.shop_name),
        store_name=emv.printable(poster.store_name),
        terminal_name=emv.printable(poster.terminal_name),
    )


def _standing(poster: Poster, factor: int) -> tuple[Item, ...]:
    """An upright sheet of 105 mm by 148, or twice as large."""
    middle = Column(52.5, 88, "middle", INK, SOFT)
    items = (
        Box(0, 0, 105, 149, DEEP),
        *_rosette(88, 13, 40),
        *_mark(8, 7.6, 7.4),
        Words("易支付", 17.6, 13.2, 5, WHITE, True, "start"),
        Words("YiPay", 97, 13, 3.9, PALE, True, "end"),
        Words("推荐使用易支付", 52.5, 25.4, 8.4, WHITE, True),
        Words("Scan to pay with YiPay", 52.5, 30.9, 3.4, PALE),
        Box(5, 34.6, 95, 108.9, WHITE, 4),
        *_fitted(poster.shop_name, middle, 44.4, (6, 5.2, 4.4)),
        *_code(matrix_of(poster.payload), 52.5, 55.4, 45),
        Words(_grouped(poster.short_code), 52.5, 113.4, 6, INK, True),
        Words(TYPE_IT, 52.5, 117.6, 2.3, SOFT),
        *_fitted(_place(poster), middle, 122.2, (3, 2.6, 2.2), bold=False),
        *_hints(middle, 127.6, 2.75, 2.15),
    )
    return tuple(_grown(item, factor) for item in items)


def _lying(poster: Poster) -> tuple[Item, ...]:
    """One face of a table tent: 210 mm by 148.5, the code on the left."""
    column = Column(120, 80, "start", WHITE, PALE)
    return (
        Box(0, 0, 210, 148.5, DEEP),
        *_rosette(178, 74, 64),
        Box(12, 14, 98, 120.5, WHITE, 5),
        *_code(matrix_of(poster.payload), 61, 29, 70),
        Words(_grouped(poster.short_code), 61, 121.4, 8.6, INK, True),
        Words(TYPE_IT, 61, 128, 3, SOFT),
        *_mark(120, 16, 9.4),
        Words("易支付", 132.4, 23.2, 6.6, WHITE, True, "start"),
        Words("YiPay", 199, 23, 5, PALE, True, "end"),
        Words("推荐使用易支付", 120, 44.5, 11, WHITE, True, "start"),
        Words("Scan to pay with YiPay", 120, 52.7, 4.8, PALE, False, "start"),
        Box(120, 60.5, 14, 0.9, MINT, 0.45),
        *_fitted(poster.shop_name, column, 74.5, (8.4, 7, 5.8)),
        *_fitted(_place(poster), column, 88.5, (4.2, 3.6, 3.2), bold=False),
        *_hints(column, 106.5, 4, 3.1),
    )


def _rosette(x: float, y: float, reach: float) -> tuple[Item, ...]:
    """The fine lines of a banknote, as on the wallet's home page."""
    items: list[Item] = []
    for petal in range(PETALS):
        turn = pi * petal / PETALS
        for across in (0.41, 0.57):
            points = (
                (reach * cos(step * tau / CURVE), reach * across * sin(step * tau / CURVE))
                for step in range(CURVE + 1)
            )
            turned = tuple(
                (x + px * cos(turn) - py * sin(turn), y + px * sin(turn) + py * cos(turn))
                for px, py in points
            )
            items.append(Stroke(turned, 0.16, FINE))
    return tuple(items)


def _mark(x: float, y: float, side: float) -> tuple[Item, ...]:
    """Two strokes that become one, as on every page."""
    unit = side / 32

    def at(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        return tuple((x + px * unit, y + py * unit) for px, py in points)

    return (
        Box(x, y, side, side, BRAND, 9 * unit),
        Stroke(at((9, 8.5), (16, 17)), 4 * unit, MINT),
        Stroke(at((23, 8.5), (16, 17), (16, 24)), 4 * unit, WHITE),
    )


def _code(matrix: Matrix, middle: float, top: float, side: float) -> tuple[Item, ...]:
    """Corners of the brand around it, outside of its quiet zone."""
    left, reach, thick = middle - side / 2, side / 10, side / 70
    quiet = side * QUIET / len(matrix) + 1.5 * thick
    west, east, north, south = left - quiet, left + side + quiet, top - quiet, top + side + quiet
    corners = (
        ((west, north + reach), (west, north), (west + reach, north)),
        ((east - reach, north), (east, north), (east, north + reach)),
        ((east, south - reach), (east, south), (east - reach, south)),
        ((west + reach, south), (west, south), (west, south - reach)),
    )
    return (Code(matrix, left, top, side), *(Stroke(c, thick, BRAND) for c in corners))


def _place(poster: Poster) -> str:
    return f"{poster.store_name} · {poster.terminal_name}"


def _hints(column: Column, y: float, size: float, small: float) -> tuple[Item, ...]:
    """What protects the payer, in both languages."""
    items: list[Item] = []
    for chinese, english, bold in HINTS:
        for text, of, fill, weight in (
            (chinese, size, column.fill, bold),
            (english, small, column.pale, False),
        ):
            for line in lines(text, weight, of, column.width):
                items.append(Words(line, column.x, y, of, fill, weight, column.anchor))
                y += of * 1.38
        y += size * 0.7
    return tuple(items)


def _fitted(
    text: str, column: Column, y: float, sizes: tuple[float, ...], bold: bool = True
) -> tuple[Item, ...]:
    """One line in the largest size that it fits in, else two lines, else cut. y: of one line."""
    fill = column.fill if bold else column.pale
    for size in sizes:
        found = tuple(lines(text, bold, size, column.width))
        if len(found) <= 1:
            break
    if len(found) > 2:
        found = (found[0], found[1][:-1] + "…")
    first = y - size * 0.6 * (len(found) - 1)
    return tuple(
        Words(line, column.x, first + number * size * 1.25, size, fill, bold, column.anchor)
        for number, line in enumerate(found)
    )


def _grouped(short_code: str) -> str:
    return f"{short_code[:4]} {short_code[4:]}"


def _grown(item: Item, factor: int) -> Item:
    """The same item on a sheet that many times as large."""
    changes: dict[str, object] = {
        name: value * factor
        for name in item.__struct_fields__
        if isinstance(value := getattr(item, name), int | float) and not isinstance(value, bool)
    }
    if isinstance(item, Stroke):
        changes["points"] = tuple((x * factor, y * factor) for x, y in item.points)
    return msgspec.structs.replace(item, **changes)
