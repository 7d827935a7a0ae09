"""Lines of CSV files that spreadsheets open."""

import csv
import io

BOM = "\ufeff"
RISKY = frozenset("=+-@\t\r\n＝＋－＠")  # a spreadsheet would read a formula, full-width forms too


def cell(text: str) -> str:
    """Text that somebody typed, as no spreadsheet takes it for a formula."""
    return f"'{text}" if text and text[0] in RISKY else text


def line(cells: list[str]) -> str:
    """With its end."""
    written = io.StringIO()
    csv.writer(written).writerow([cell(text) for text in cells])
    return written.getvalue()
