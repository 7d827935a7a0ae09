"""A sheet as SVG. Text is drawn as outlines: it looks the same on every machine."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from backend.drawing.layout import Box, Code, Item, Panel, Sheet, Stroke, Words
from backend.drawing.typeface import typeface


def drawn(sheet: Sheet) -> bytes:
    width, height = _mm(sheet.width), _mm(sheet.height)
    spoken = " / ".join(dict.fromkeys(words.text for words in sheet.words()))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="title text">',
        f'<title id="title">{escape(sheet.title)}</title>',
        f'<desc id="text">{escape(spoken)}</desc>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(line for panel in sheet.panels for line in _panel(panel)),
        "</svg>",
    ]
    return "\n".join(parts).encode()


def _panel(panel: Panel) -> Iterator[str]:
    turn = f" rotate(180 {_mm(panel.width / 2)} {_mm(panel.height / 2)})" if panel.turned else ""
    yield f'<g transform="translate({_mm(panel.x)} {_mm(panel.y)}){turn}">'
    yield from map(_item, panel.items)
    yield "</g>"


def _item(item: Item) -> str:
    match item:
        case Box():
            return (
                f'<rect x="{_mm(item.x)}" y="{_mm(item.y)}" width="{_mm(item.width)}"'
                f' height="{_mm(item.height)}" rx="{_mm(item.radius)}" fill="{item.fill}"/>'
            )
        case Words():
            path = typeface(item.bold).outline(item.text, item.left, item.y, item.size)
            return f'<path fill="{item.fill}" d={quoteattr(path)}/>'
        case Stroke():
            points = " ".join(f"{_mm(x)},{_mm(y)}" for x, y in item.points)
            dash = f' stroke-dasharray="{_mm(item.dash)}"' if item.dash else ""
            return (
                f'<polyline points="{points}" fill="none" stroke="{item.colour}"'
                f' stroke-width="{_mm(item.width)}" stroke-linecap="round"'
                f' stroke-linejoin="round"{dash}/>'
            )
        case Code():
            scale = item.side / len(item.matrix)
            return (
                f'<path class="code" shape-rendering="crispEdges" fill="#000000"'
                f' transform="translate({_mm(item.x)} {_mm(item.y)}) scale({scale:.6f})"'
                f' d="{"".join(_modules(item))}"/>'
            )


def _modules(code: Code) -> Iterator[str]:
    """Dark modules as one path, a run of them at a time; a module is 1 by 1."""
    for y, row in enumerate(code.matrix):
        for x, length in runs(row):
            yield f"M{x} {y}h{length}v1h-{length}z"


def runs(row: tuple[bool, ...]) -> Iterator[tuple[int, int]]:
    """Start and length of each run of dark modules."""
    start = 0
    for x, dark in enumerate((*row, False)):
        if not dark:
            if x > start:
                yield start, x - start
            start = x + 1


def _mm(length: float) -> str:
    return f"{length:.3f}".rstrip("0").rstrip(".")
