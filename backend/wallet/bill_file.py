"""Bills as a file for spreadsheets."""

from collections.abc import AsyncIterator
from datetime import datetime

from backend.bills import Bill, BillFilter, Label
from backend.services import Services
from backend.spreadsheet import BOM, line
from backend.texts import Catalogue
from backend.wallet.days import ZONE

NAME = "bills.csv"


async def bill_file(services: Services, wanted: BillFilter, words: Catalogue) -> AsyncIterator[str]:
    """Its lines: all that is wanted, newest first."""
    yield BOM + line(_heads(words))
    async for bills in services.bills.stream(wanted):
        numbers = tuple(bill.bill_id for bill in bills)
        found = await services.bills.labels(wanted.person_id, numbers)
        labels = {label.bill_id: label for label in found}
        yield "".join(line(_cells(bill, labels.get(bill.bill_id), words)) for bill in bills)


def method(word: str, words: Catalogue) -> str:
    """How it was paid: a level, a card, the balance."""
    if word.startswith("card:"):
        return f"{words.gettext('Bank card')} {word[5:]}"
    kind = "level" if word in ("A", "B", "C", "D") else "method"
    return words.word(kind, word) if word else ""


def _heads(words: Catalogue) -> list[str]:
    return [
        words.gettext("Time"),
        words.gettext("Settled at"),
        words.gettext("Kind"),
        words.gettext("In or out"),
        words.gettext("Counterparty"),
        words.gettext("Amount (yuan)"),
        words.gettext("Amount (fen)"),
        words.gettext("Fee (fen)"),
        words.gettext("Refunded (fen)"),
        words.gettext("Status"),
        words.gettext("Method"),
        words.gettext("Note"),
        words.gettext("Category"),
        words.gettext("My note"),
        words.gettext("Number"),
        words.gettext("Order number"),
    ]


def _cells(bill: Bill, label: Label | None, words: Catalogue) -> list[str]:
    """Amounts have no sign: a column of its own tells the direction."""
    return [
        _when(bill.event_at),
        _when(bill.settled_at),
        words.word("bill_kind", bill.kind),
        words.word("bill_direction", bill.direction),
        bill.counterparty,
        f"{bill.amount_fen // 100}.{bill.amount_fen % 100:02d}",
        str(bill.amount_fen),
        str(bill.fee_fen),
        str(bill.refunded_fen),
        words.word("bill_status", bill.status),
        method(bill.method, words),
        bill.note,
        words.word("bill_category", label.category) if label and label.category else "",
        label.note if label else "",
        bill.bill_id,
        bill.order_id,
    ]


def _when(at: datetime | None) -> str:
    """RFC 3339, in Chinese time."""
    return at.astimezone(ZONE).isoformat(timespec="seconds") if at else ""
