"""Bills to take along: the list as a file for spreadsheets, the record of one as PDF, and the
receipt that the security system signed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from backend.bills import Bill, BillFilter, Label
from backend.clock import Clock
from backend.errors import BadRequest, NotFound
from backend.identity import Person
from backend.receipt import encode
from backend.services import Services
from backend.settings import Settings
from backend.spreadsheet import BOM, line
from backend.wallet.receipts import published_keys, receipt_of
from web import posters_pdf
from web.bill_filter import asked
from web.http import WebRequest
from web.i18n import ZONE, Texts, msg, texts
from web.receipt import Receipt, method, sheet
from web.session import Visit, visit_of

HEADS = (
    msg("Time"),
    msg("Settled at"),
    msg("Kind"),
    msg("In or out"),
    msg("Counterparty"),
    msg("Amount (yuan)"),
    msg("Amount (fen)"),
    msg("Fee (fen)"),
    msg("Refunded (fen)"),
    msg("Status"),
    msg("Method"),
    msg("Note"),
    msg("Category"),
    msg("My note"),
    msg("Number"),
    msg("Order number"),
)

# One at a time: the typefaces are read as they are used, and it is all computing.
_turn = asyncio.Semaphore(1)


@get("/bills.csv")
async def as_csv(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Stream:
    """All that the address asks for."""
    wanted = asked(request.query_params, person.person_id)
    if wanted.errors:
        raise BadRequest()  # not a file of more than was meant
    language = texts(visit_of(request).language)
    return Stream(
        lines(services, wanted.wanted, language),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="bills.csv"'},
    )


@get("/bills/{bill_id:str}/receipt.pdf")
async def as_pdf(
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    bill_id: FromPath[str],
) -> Response[bytes]:
    """Of what the books say was done. Refuses: NotFound (also while it is under way)."""
    bill = await services.bills.bill(person.person_id, bill_id)
    if bill.status != "succeeded":
        raise NotFound()
    receipt = Receipt(bill=bill, holder=person.display_name, made_at=clock.now())
    words = texts(visit.language)
    async with _turn:
        body = await asyncio.to_thread(
            lambda: posters_pdf.drawn(sheet(receipt, words), receipt.made_at)
        )
    headers = {"Content-Disposition": f'attachment; filename="yipay-{bill.bill_id}.pdf"'}
    return Response(body, media_type="application/pdf", headers=headers)


@get("/bills/{bill_id:str}/receipt.json")
async def as_signed(
    person: NamedDependency[Person], services: NamedDependency[Services], bill_id: FromPath[str]
) -> Response[bytes]:
    """For `yipay verify receipt`. Refuses: NotFound (also while it is under way)."""
    receipt = await receipt_of(services, person.person_id, bill_id)
    headers = {"Content-Disposition": f'attachment; filename="yipay-{receipt.id}.json"'}
    return Response(encode(receipt), media_type="application/json", headers=headers)


@get("/receipt-keys.json")
async def receipt_keys(settings: NamedDependency[Settings]) -> Response[bytes]:
    """What receipts verify with, for everybody: public keys by key id."""
    found = msgspec.json.encode(published_keys(settings))
    headers = {"Content-Disposition": 'attachment; filename="yipay-receipt-keys.json"'}
    return Response(found, media_type="application/json", headers=headers)


async def lines(services: Services, wanted: BillFilter, words: Texts) -> AsyncIterator[str]:
    yield BOM + line([words.gettext(head) for head in HEADS])
    async for bills in services.bills.stream(wanted):
        numbers = tuple(bill.bill_id for bill in bills)
        found = await services.bills.labels(wanted.person_id, numbers)
        labels = {label.bill_id: label for label in found}
        yield "".join(line(_cells(bill, labels.get(bill.bill_id), words)) for bill in bills)


def _cells(bill: Bill, label: Label | None, words: Texts) -> list[str]:
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


handlers = [as_csv, as_pdf, as_signed, receipt_keys]
