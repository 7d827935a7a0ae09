"""A bill file as it grows: CSV for spreadsheets, JSON for programs. What is held is compressed."""

import csv
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Protocol

import msgspec

from backend.money import yuan
from backend.settlement import rules

BOM = "\ufeff"
LEVEL = 6
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int
Row = Sequence[Cell]


class Column(msgspec.Struct, frozen=True):
    """title: of the CSV, in Chinese; key: of the JSON, and shown beside the title. Of an amount
    (key ends in "_fen") the CSV has the yuan in the next column."""

    key: str
    title: str

    @property
    def is_money(self) -> bool:
        return self.key.endswith("_fen")


class Form(msgspec.Struct, frozen=True):
    """What a kind of file looks like."""

    name: str
    columns: tuple[Column, ...]
    summary: tuple[Column, ...]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Of which shop and time. since ≤ moment < until."""

    shop_id: str
    since: datetime
    until: datetime
    generated_at: datetime


class Made(msgspec.Struct, frozen=True):
    """packed: by zlib. sha256 and size: of the file as downloaded."""

    packed: bytes
    sha256: str
    size: int
    rows: int


class Paper(Protocol):
    def add(self, row: Row) -> None: ...

    def end(self, summary: Row) -> Made: ...


class _Packed:
    """Compresses and hashes text as it comes."""

    def __init__(self) -> None:
        self._packer, self._hash = zlib.compressobj(LEVEL), sha256()
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, text: str) -> None:
        plain = text.encode()
        self._hash.update(plain)
        self._size += len(plain)
        if packed := self._packer.compress(plain):
            self._parts.append(packed)

    def made(self, rows: int) -> Made:
        self._parts.append(self._packer.flush())
        return Made(b"".join(self._parts), self._hash.hexdigest(), self._size, rows)


class CsvPaper:
    """A comment line, the detail block, the summary block. Each detail cell begins with a backtick,
    so that no spreadsheet reads an order number as a number."""

    def __init__(self, form: Form, head: Head) -> None:
        self._form, self._out, self._rows = form, _Packed(), 0
        self._writer = csv.writer(self._out, lineterminator="\r\n")
        self._out.write(
            f"{BOM}# {form.name}; merchant={head.shop_id}; "
            f"period={_moment(head.since)}/{_moment(head.until)}; "
            f"zone={rules.ZONE.key}; generated_at={_moment(head.generated_at)}\r\n"
        )
        self._writer.writerow(_titles(form.columns))

    def add(self, row: Row) -> None:
        self._rows += 1
        self._writer.writerow(f"`{text}" for text in _cells(self._form.columns, row))

    def end(self, summary: Row) -> Made:
        self._writer.writerow(_titles(self._form.summary))
        self._writer.writerow(f"`{text}" for text in _cells(self._form.summary, summary))
        return self._out.made(self._rows)


class JsonPaper:
    """{"header": {…}, "rows": [{…}, …], "summary": {…}}: amounts in fen, texts as they are."""

    def __init__(self, form: Form, head: Head) -> None:
        self._form, self._out, self._rows = form, _Packed(), 0
        header = {
            "name": form.name,
            "merchant": head.shop_id,
            "since": _moment(head.since),
            "until": _moment(head.until),
            "zone": rules.ZONE.key,
            "generated_at": _moment(head.generated_at),
        }
        self._out.write(f'{{"header":{_json(header)},"rows":[')

    def add(self, row: Row) -> None:
        comma = ",\n" if self._rows else "\n"
        self._rows += 1
        self._out.write(comma + _json(_named(self._form.columns, row)))

    def end(self, summary: Row) -> Made:
        self._out.write(f'\n],"summary":{_json(_named(self._form.summary, summary))}}}\n')
        return self._out.made(self._rows)


PAPERS: dict[str, Callable[[Form, Head], Paper]] = {"csv": CsvPaper, "json": JsonPaper}


def unpack(packed: bytes) -> bytes:
    return zlib.decompress(packed)


def local(at: datetime) -> str:
    """As the CSV's rows have it: wall clock of the zone in its comment line."""
    return at.astimezone(rules.ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _moment(at: datetime) -> str:
    return at.astimezone(rules.ZONE).isoformat(timespec="seconds")


def _titles(columns: tuple[Column, ...]) -> list[str]:
    titles = []
    for column in columns:
        titles.append(f"{column.title} {column.key}")
        if column.is_money:
            titles.append(f"{column.title}(元) {column.key.removesuffix('_fen')}_yuan")
    return titles


def _cells(columns: tuple[Column, ...], row: Row) -> list[str]:
    cells = []
    for column, cell in zip(columns, row, strict=True):
        if isinstance(cell, int):
            cells.append(str(cell))
            if column.is_money:
                cells.append(yuan(cell).replace(",", ""))
        else:
            cells.append(guarded(cell))
    return cells


def guarded(text: str) -> str:
    """On one line, and never a formula for a spreadsheet."""
    flat = " ".join(text.splitlines()) if "\n" in text or "\r" in text else text
    return f"'{flat}" if text.startswith(FORMULA) else flat


def _named(columns: tuple[Column, ...], row: Row) -> Mapping[str, Cell]:
    return {column.key: cell for column, cell in zip(columns, row, strict=True)}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
