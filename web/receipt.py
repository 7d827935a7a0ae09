"""The receipt of a bill: what is on the sheet and where, drawn like a poster."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from backend.bills import Bill
from backend.capitals import capitals
from backend.texts import money
from backend.wallet.bill_file import method
from web.i18n import Texts, msg
from web.posters_font import lines, typeface
from web.posters_layout import BRAND, INK, PALE, SOFT, WHITE, Box, Item, Panel, Sheet, Words

A5 = 148.0, 210.0
EDGE, VALUE_AT = 12.0, 50.0  # mm from the left
HAIR = "#d5dedb"
ROW, ROW_LINE = 8.6, 4.6
LABEL_SIZE, VALUE_SIZE, FINE_SIZE = 3.2, 3.5, 2.7


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """holder: whose bill it is."""

    bill: Bill
    holder: str
    made_at: datetime


def sheet(receipt: Receipt, words: Texts) -> Sheet:
    bill, say = receipt.bill, words.gettext
    width, height = A5
    title = say(msg("Transaction record"))
    items: list[Item] = [
        Box(0, 0, width, 26, BRAND),
        _text(title, EDGE, 13, 6.4, WHITE, bold=True),
        _text(say(msg("YiPay")), EDGE, 20, 3.4, PALE),
        _text(words.word("bill_kind", bill.kind), width - EDGE, 13, 4, WHITE, anchor="end"),
    ]
    sign = "+" if bill.direction == "in" else "-"
    items += [
        _text(f"{sign}{money(bill.amount_fen)}", EDGE, 41, 9.4, INK, bold=True),
        _text(say(msg("Amount in capitals")), EDGE, 49, FINE_SIZE, SOFT),
    ]
    y = 54.5
    for part in lines(f"人民币{capitals(bill.amount_fen)}", True, 4.2, width - 2 * EDGE):
        items.append(_text(part, EDGE, y, 4.2, INK, bold=True))
        y += 6
    y += 3
    for label, value in _rows(receipt, words):
        drawn, y = _row(label, value, y)
        items += drawn
    items += _fine(receipt, words, height)
    return Sheet(
        title=title, width=width, height=height, panels=(Panel(tuple(items), 0, 0, width, height),)
    )


def _rows(receipt: Receipt, words: Texts) -> Iterator[tuple[str, str]]:
    bill, say = receipt.bill, words.gettext
    payer, payee = receipt.holder, bill.counterparty
    if bill.direction == "in":
        payer, payee = payee, payer
    yield say(msg("Paid by")), payer
    yield say(msg("Paid to")), payee
    yield say(msg("Status")), words.word("bill_status", bill.status)
    yield say(msg("Time")), words.when(bill.event_at)
    if bill.settled_at:
        yield say(msg("Settled at")), words.when(bill.settled_at)
    yield say(msg("Method")), method(bill.method, words)
    if bill.fee_fen and (bill.direction == "in" or bill.kind == "withdrawal"):
        yield say(msg("Fee")), money(bill.fee_fen)
    if bill.refunded_fen:
        yield say(msg("Refunded")), money(bill.refunded_fen)
        yield say(msg("Left after refunds")), money(bill.amount_fen - bill.refunded_fen)
    if bill.note:
        yield say(msg("Note")), bill.note
    yield say(msg("Number")), bill.bill_id
    if bill.order_id:
        yield say(msg("Order number")), bill.order_id


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


def _fine(receipt: Receipt, words: Texts, height: float) -> Iterator[Item]:
    """What it is, and what it is not."""
    said = (
        words.gettext(
            msg(
                "This record states what the books of YiPay say, as of the moment below. It carries"
                " no electronic signature or seal, and is no invoice."
            )
        ),
        words.gettext(msg("Made on")) + " " + words.when(receipt.made_at),
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
