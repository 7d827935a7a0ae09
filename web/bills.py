"""Bills: the list by month and day, and one bill in full; side by side where there is room."""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.bills import Bill, MonthSum
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.merchant import AskRefund, RefundRequest
from backend.payments import Refund
from backend.services import Services
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import ZONE, msg, texts
from web.problems import status_of
from web.render import fragment, page
from web.session import Visit
from web.timeline import Step, of_bill

PAGE_SIZE = 20
REFUNDABLE = frozenset({"payment", "income"})

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Day(msgspec.Struct, frozen=True):
    day: date
    bills: tuple[Bill, ...]


class Month(msgspec.Struct, frozen=True):
    """goes_on: its head was drawn on the page before."""

    name: str  # "2026-11"
    first: date
    sums: MonthSum
    days: tuple[Day, ...]
    goes_on: bool


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a bill. refunds: in the books. askable: the shop may be asked for one."""

    steps: tuple[Step, ...]
    refunds: tuple[Refund, ...]
    asked: RefundRequest | None
    askable: bool


class Listing(msgspec.Struct, frozen=True):
    """last_month: the month of the last row, so that the next page doesn't draw its head again."""

    months: tuple[Month, ...]
    next_cursor: str
    last_month: str


@get("/bills")
async def show_all(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    cursor: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Response[str]:
    listing = await _listing(services, person.person_id, cursor, after if cursor else "")
    if cursor and request.is_partial:
        return fragment(request, "bills/_rows.html", listing=listing, chosen="")
    return page(request, "bills/page.html", listing=listing, bill=None, width="wide")


@get("/bills/{bill_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Response[str]:
    bill = await services.bills.bill(person.person_id, bill_id)
    form = Form({"request_id": ids.new("rrq")})
    return await _show(request, services, person, bill, form)


@post("/bills/{bill_id:str}/refund-requests", status_code=200)
async def ask_refund(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Response[Any]:
    """Ask the shop for the money back; the shop decides."""
    bill = await services.bills.bill(person.person_id, bill_id)
    form, status_code = Form(data), 422
    request_id = form.id("request_id", "rrq")
    reason = form.text("reason", Reason, msg("Say in up to 200 characters why."))
    if form and reason:
        asked = AskRefund(
            request_id=request_id, payment_id=bill_id, payer_id=person.person_id, reason=reason
        )
        try:
            await services.merchant.ask_refund(asked)
            return redirect(request, f"/bills/{bill_id}")
        except DomainError as refusal:
            said = texts(visit.language).refusal(refusal)
            form.refuse("reason", f"{said.what} {said.todo}")
            status_code = status_of(refusal)
    return await _show(request, services, person, bill, form, status_code)


async def _show(  # noqa: PLR0913 — a bill as it is, or with the errors of what was asked of it
    request: WebRequest,
    services: Services,
    person: Person,
    bill: Bill,
    form: Form,
    status_code: int = 200,
) -> Response[str]:
    course = await _course(services, person, bill)
    if request.is_partial and not request.swaps_page:
        return fragment(
            request,
            "bills/_bill.html",
            bill=bill,
            course=course,
            form=form,
            status_code=status_code,
        )
    listing = await _listing(services, person.person_id, "", "")
    return page(
        request,
        "bills/page.html",
        status_code=status_code,
        listing=listing,
        bill=bill,
        course=course,
        form=form,
        width="wide",
    )


async def _course(services: Services, person: Person, bill: Bill) -> Course:
    """Only what was paid to a shop, or came in at one, has refunds."""
    refunds: tuple[Refund, ...] = ()
    asked: RefundRequest | None = None
    if bill.kind in REFUNDABLE and bill.status == "succeeded":
        refunds = await _refunds(services, person, bill)
    if bill.kind == "payment" and bill.status == "succeeded":
        asked = await services.merchant.refund_request(person.person_id, bill.bill_id)
    waits = asked is not None and asked.status == "open"
    askable = bill.kind == "payment" and bill.status == "succeeded" and not waits
    return Course(
        steps=of_bill(bill, refunds, asked),
        refunds=tuple(refund for refund in refunds if refund.status == "posted"),
        asked=asked,
        askable=askable and bill.refunded_fen < bill.amount_fen,
    )


async def _refunds(services: Services, person: Person, bill: Bill) -> tuple[Refund, ...]:
    """None where the other module knows nothing of it: the bill is worth showing all the same."""
    try:
        return await services.payments.refunds(person.person_id, bill.bill_id)
    except NotFound:
        return ()


async def _listing(services: Services, person_id: str, cursor: str, after: str) -> Listing:
    found = await services.bills.page(person_id, cursor, PAGE_SIZE)
    by_month: dict[str, dict[date, list[Bill]]] = {}
    for bill in found.bills:
        day = local_day(bill.event_at)
        by_month.setdefault(f"{day:%Y-%m}", {}).setdefault(day, []).append(bill)
    sums = {s.month: s for s in await services.bills.months(person_id, tuple(by_month))}
    months = tuple(_month(name, days, sums, after) for name, days in by_month.items())
    return Listing(months, found.next_cursor, months[-1].name if months else after)


def _month(name: str, days: dict[date, list[Bill]], sums: dict[str, MonthSum], after: str) -> Month:
    return Month(
        name=name,
        first=date.fromisoformat(f"{name}-01"),
        sums=sums.get(name) or MonthSum(month=name, in_fen=0, out_fen=0),
        days=tuple(Day(day, tuple(bills)) for day, bills in days.items()),
        goes_on=name == after,
    )


def local_day(at: datetime) -> date:
    """The day on Chinese calendars."""
    return at.astimezone(ZONE).date()


async def bill_or_none(services: Services, person_id: str, bill_id: str) -> Bill | None:
    """None where it isn't written yet."""
    try:
        return await services.bills.bill(person_id, bill_id)
    except NotFound:
        return None


handlers = [show_all, show, ask_refund]
