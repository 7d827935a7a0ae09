"""A sheet as PDF, with the glyphs it uses embedded: text stays text, and prints everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from fpdf import FPDF

from backend.drawing.layout import Box, Code, Item, Panel, Sheet, Stroke, Words
from backend.drawing.svg import runs
from backend.drawing.typeface import typeface

POINTS_PER_MM = 72 / 25.4
OVERLAP = 0.02  # mm, so that no hairline shows between two rows of modules
_FAMILY = "noto"


def drawn(sheet: Sheet, at: datetime) -> bytes:
    """at: written into the file as its date."""
    pdf = FPDF(unit="mm", format=(sheet.width, sheet.height))
    pdf.set_auto_page_break(auto=False)
    pdf.set_title(sheet.title)
    pdf.set_creator("YiPay")
    pdf.set_lang("zh-CN")
    pdf.set_creation_date(at)
    pdf.add_page()
    with _fonts(pdf, sheet):
        for panel in sheet.panels:
            _panel(pdf, panel)
        return bytes(pdf.output())


@contextmanager
def _fonts(pdf: FPDF, sheet: Sheet) -> Iterator[None]:
    """The library wants files; they hold no more than the glyphs of this sheet."""
    with TemporaryDirectory(prefix="yipay-poster-") as folder:
        for bold, style in ((False, ""), (True, "B")):
            used = "".join(words.text for words in sheet.words() if words.bold is bold)
            path = Path(folder) / f"noto{style}.ttf"
            path.write_bytes(typeface(bold).file(used))
            pdf.add_font(_FAMILY, style, path)
        yield


def _panel(pdf: FPDF, panel: Panel) -> None:
    middle = panel.x + panel.width / 2, panel.y + panel.height / 2
    with pdf.rotation(180, *middle) if panel.turned else nullcontext():
        for item in panel.items:
            _item(pdf, item, panel.x, panel.y)


def _item(pdf: FPDF, item: Item, dx: float, dy: float) -> None:
    match item:
        case Box():
            pdf.set_fill_color(item.fill)
            round_corners = item.radius > 0
            pdf.rect(
                item.x + dx,
                item.y + dy,
                item.width,
                item.height,
                style="F",
                round_corners=round_corners,
                corner_radius=item.radius,
            )
        case Words():
            pdf.set_text_color(item.fill)
            pdf.set_font(_FAMILY, "B" if item.bold else "", item.size * POINTS_PER_MM)
            pdf.text(item.left + dx, item.y + dy, item.text)
        case Stroke():
            _stroke(pdf, item, dx, dy)
        case Code():
            _code(pdf, item, dx, dy)


def _stroke(pdf: FPDF, stroke: Stroke, dx: float, dy: float) -> None:
    with pdf.local_context(stroke_cap_style="round", stroke_join_style="round"):
        pdf.set_draw_color(stroke.colour)
        pdf.set_line_width(stroke.width)
        if stroke.dash:
            pdf.set_dash_pattern(dash=stroke.dash, gap=stroke.dash)
        pdf.polyline([(x + dx, y + dy) for x, y in stroke.points])


def _code(pdf: FPDF, code: Code, dx: float, dy: float) -> None:
    side = code.side / len(code.matrix)
    pdf.set_fill_color("#000000")
    for y, row in enumerate(code.matrix):
        for x, length in runs(row):
            pdf.rect(
                code.x + dx + x * side,
                code.y + dy + y * side,
                length * side,
                side + OVERLAP,
                style="F",
            )
