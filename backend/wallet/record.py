"""The record of a bill on paper: what the books say, drawn like a poster. It is not signed."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

import msgspec

from backend.bills import Bill
from backend.capitals import capitals
from backend.drawing import pdf
from backend.drawing.layout import BRAND, INK, PALE, SOFT, WHITE, Box, Item, Panel, Sheet, Words
from backend.drawing.typeface import lines, typeface
from backend.errors import NotFound
from backend.identity import Person
from backend.services import Services
from backend.texts import Catalogue, money
from backend.wallet.bill_file import method

A5 = 148.0, 210.0
EDGE, VALUE_AT = 12.0, 50.0  # mm from the left
HAIR = "#d5dedb"
ROW, ROW_LINE = 8.6, 4.6
LABEL_SIZE, VALUE_SIZE, FINE_SIZE = 3.2, 3.5, 2.7


# One at a time: the typefaces are read as they are used, and it is all computing.
_turn = asyncio.Semaphore(1)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """holder: whose bill it is."""

    bill: Bill
    holder: str
    made_at: datetime


async def record_of(
    services: Services, person: Person, bill_id: str, words: Catalogue, now: datetime
) -> bytes:
    """A PDF of what the books say was done. Refuses: NotFound (also while it is under way)."""
    bill = await services.bills.bill(person.person_id, bill_id)
    if bill.status != "succeeded":
        raise NotFound()
    record = Record(bill=bill, holder=person.display_name, made_at=now)
    async with _turn:
        return await asyncio.to_thread(lambda: pdf.drawn(sheet(record, words), now))


def sheet(record: Record, words: Catalogue) -> Sheet:
    bill = record.bill
    width, height = A5
    title = words.gettext("Transaction record")
    items: list[Item] = [
        Box(0, 0, width, 26, BRAND),
        _text(title, EDGE, 13, 6.4, WHITE, bold=True),
        _text(words.gettext("YiPay"), EDGE, 20, 3.4, PALE),
        _text(words.word("bill_kind", bill.kind), width - EDGE, 13, 4, WHITE, anchor="end"),
    ]
    sign = "+" if bill.direction == "in" else "-"
    items += [
        _text(f"{sign}{money(bill.amount_fen)}", EDGE, 41, 9.4, INK, bold=True),
        _text(words.gettext("Amount in capitals"), EDGE, 49, FINE_SIZE, SOFT),
    ]
    y = 54.5
    for part in lines(f"人民币{capitals(bill.amount_fen)}", True, 4.2, width - 2 * EDGE):
        items.append(_text(part, EDGE, y, 4.2, INK, bold=True))
        y += 6
    y += 3
    for label, value in _rows(record, words):
        drawn, y = _row(label, value, y)
        items += drawn
    items += _fine(record, words, height)
    return Sheet(
        title=title, width=width, height=height, panels=(Panel(tuple(items), 0, 0, width, height),)
    )


def _rows(record: Record, words: Catalogue) -> Iterator[tuple[str, str]]:
    bill = record.bill
    payer, payee = record.holder, bill.counterparty
    if bill.direction == "in":
        payer, payee = payee, payer
    yield words.gettext("Paid by"), payer
    yield words.gettext("Paid to"), payee
    yield words.gettext("Status"), words.word("bill_status", bill.status)
    yield words.gettext("Time"), words.when(bill.event_at)
    if bill.settled_at:
        yield words.gettext("Settled at"), words.when(bill.settled_at)
    yield words.gettext("Method"), method(bill.method, words)
    if bill.fee_fen and (bill.direction == "in" or bill.kind == "withdrawal"):
        yield words.gettext("Fee"), money(bill.fee_fen)
    if bill.refunded_fen:
        yield words.gettext("Refunded"), money(bill.refunded_fen)
        yield words.gettext("Left after refunds"), money(bill.amount_fen - bill.refunded_fen)
    if bill.note:
        yield words.gettext("Note"), bill.note
    yield words.gettext("Number"), bill.bill_id
    if bill.order_id:
        yield words.gettext("Order number"), bill.order_id


def _row(label: str, value: str, y: float) -> tuple[list[Item], float]:
    """And where the next one begins."""
    width = A5[0]
    parts = list(lines(value, False, VALUE_SIZE, width - EDGE - VALUE_AT)) or [""]
    items: list[Item] = [
        Box(EDGE, y, width - 2 * EDGE, 0.15, HAIR),
        _text(label, EDGE, y + 5.6, LABEL_SIZE, SOFT),
    ]
    for number, part in enumerate(parts):
        items.append(_text(part, VALUE_AT, y + 5.6 + number * ROW_LINE, VALUE_SIZE, INK))
    return items, y + ROW + (len(parts) - 1) * ROW_LINE


def _fine(record: Record, words: Catalogue, height: float) -> Iterator[Item]:
    """What it is, and what it is not."""
    said = (
        words.gettext(
            "This record states what the books of YiPay say, as of the moment below. It carries"
            " no electronic signature or seal, and is no invoice."
        ),
        words.gettext("Made on") + " " + words.when(record.made_at),
    )
    parts = [part for text in said for part in lines(text, False, FINE_SIZE, A5[0] - 2 * EDGE)]
    y = height - 10 - (len(parts) - 1) * 4
    for part in parts:
        yield _text(part, EDGE, y, FINE_SIZE, SOFT)
        y += 4


def _text(  # noqa: PLR0913 — where and how a line of text stands
    text: str,
    x: float,
    y: float,
    size: float,
    fill: str,
    *,
    bold: bool = False,
    anchor: str = "start",
) -> Words:
    known = typeface(bold).known(text)
    return Words(known, x, y, size, fill, bold, "end" if anchor == "end" else "start")
