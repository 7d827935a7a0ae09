"""Bills: the list with its filters, sums of months, one bill in full, the reader's own marks."""

from datetime import date
from typing import Annotated

import msgspec
from litestar import get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from backend.bills import (
    CATEGORIES,
    DIRECTIONS,
    KINDS,
    MAX_NOTE,
    MAX_TEXT,
    STATUSES,
    Bill,
    BillFilter,
    Label,
    MonthSum,
)
from backend.errors import BadRequest
from backend.money import MAX_AMOUNT_FEN
from backend.services import Services
from backend.texts import catalogue
from backend.wallet.bill_file import NAME, bill_file
from backend.wallet.course import Course, course_of
from backend.wallet.days import begins, ends, is_askable
from backend.wallet.timeline import Step
from mobile_api.caller import Caller
from mobile_api.refunds import RefundRequestView, RefundView, refund_view, request_view
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Page,
    amount_of,
    limited,
    page_of,
    plain,
    timestamp,
    timestamp_or_none,
)


def _one_of(words: tuple[str, ...]) -> QueryParameter:
    return QueryParameter(pattern=f"^({'|'.join(words)})?$", description=", ".join(words))


Kind = Annotated[str, _one_of(KINDS)]
Direction = Annotated[str, _one_of(DIRECTIONS)]
Status = Annotated[str, _one_of(STATUSES)]
Category = Annotated[str, _one_of(CATEGORIES)]
Text = Annotated[str, QueryParameter(max_length=MAX_TEXT)]
First = Annotated[date | None, QueryParameter(name="from", description="A day in China")]
Last = Annotated[date | None, QueryParameter(name="to", description="Included")]
Least = Annotated[int | None, QueryParameter(name="min", ge=1, le=MAX_AMOUNT_FEN)]
Most = Annotated[int | None, QueryParameter(name="max", ge=1, le=MAX_AMOUNT_FEN)]
Months = Annotated[str, QueryParameter(max_length=400, description="2026-11,2026-10")]
OwnCategory = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(CATEGORIES)})?$")]
OwnNote = Annotated[str, msgspec.Meta(max_length=MAX_NOTE)]


class LabelView(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "label"
    category: str
    note: str


class NewLabel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    category: OwnCategory = ""
    note: OwnNote = ""


class BillView(msgspec.Struct, frozen=True, kw_only=True):
    """id and order are the numbers of the two sides. fee: what the receiver paid of it. label: the
    reader's own. Clients must accept further values of `kind`, `status` and `method`."""

    object: str = "bill"
    id: str
    order: str
    kind: str
    direction: str
    counterparty: str
    amount: Amount
    fee: Amount
    refunded: Amount
    status: str
    refusal_code: str
    method: str
    note: str
    created: str
    settled: str | None
    label: LabelView


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """kind: a machine word; state: "done", "now", "bad". said: a reason, as somebody typed it."""

    kind: str
    state: str
    at: str | None
    amount: Amount | None
    said: str


class BillDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. may_ask_refund: the shop may be asked. again: whom the same reader may
    send money to once more. packet, transfer: what the money was for. receipt: whether there is a
    signed one."""

    object: str = "bill_detail"
    bill: BillView
    steps: tuple[StepView, ...]
    refunds: tuple[RefundView, ...]
    refund_request: RefundRequestView | None
    may_ask_refund: bool
    again: str
    packet: str
    transfer: str
    receipt: bool


class MonthView(msgspec.Struct, frozen=True, kw_only=True):
    """Of succeeded bills and refunds, in Asia/Shanghai."""

    object: str = "month"
    month: str
    came_in: Amount
    went_out: Amount


async def wanted(  # noqa: PLR0913 — one parameter per filter
    caller: NamedDependency[Caller],
    q: Text = "",
    kind: Kind = "",
    direction: Direction = "",
    status: Status = "",
    category: Category = "",
    first: First = None,
    last: Last = None,
    least: Least = None,
    most: Most = None,
) -> BillFilter:
    """The same names as in the web's addresses. Refuses: BadRequest (an end before its beginning,
    a day that no calendar has)."""
    days_fit = all(is_askable(day) for day in (first, last) if day)
    if not days_fit or (first and last and last < first) or (least and most and most < least):
        raise BadRequest()
    return BillFilter(
        person_id=caller.person.person_id,
        since=begins(first) if first else None,
        until=ends(last) if last else None,
        kind=kind,
        direction=direction,
        status=status,
        category=category,
        min_fen=least,
        max_fen=most,
        text=q.strip(),
    )


@get("/v1/bills", dependencies={"wanted": Provide(wanted)})
async def bills(
    wanted: NamedDependency[BillFilter],
    services: NamedDependency[Services],
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[BillView]:
    """The caller's bills, newest first. A page of a search may be short and still not the last.

    Refuses: bad_request."""
    found = await services.bills.search(wanted, cursor, limited(limit))
    numbers = tuple(bill.bill_id for bill in found.bills)
    labels = {x.bill_id: x for x in await services.bills.labels(wanted.person_id, numbers)}
    rows = [_view(bill, labels.get(bill.bill_id)) for bill in found.bills]
    return page_of(rows, found.next_cursor)


@get("/v1/bills/file", media_type="text/csv", dependencies={"wanted": Provide(wanted)})
async def download_bills(
    wanted: NamedDependency[BillFilter],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> Stream:
    """All that the filters ask for, as CSV for spreadsheets, in the caller's language.

    Refuses: bad_request."""
    return Stream(
        bill_file(services, wanted, catalogue(caller.person.language)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{NAME}"'},
    )


@get("/v1/bills/months")
async def months(
    caller: NamedDependency[Caller], services: NamedDependency[Services], months: Months
) -> Page[MonthView]:
    """Sums of months, in the order asked.

    Refuses: bad_request."""
    names = tuple(months.split(","))
    found = await services.bills.months(caller.person.person_id, names)
    return page_of([_month(each) for each in found])


@get("/v1/bills/{bill_id:str}")
async def bill(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> BillDetail:
    """One bill in full, with what became of it.

    Refuses: not_found."""
    found = await services.bills.bill(caller.person.person_id, bill_id)
    return _detail(found, await course_of(services, caller.person, found))


@put("/v1/bills/{bill_id:str}/label")
async def label(
    data: JSONBody[NewLabel],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> LabelView:
    """A category and a note of the reader's own, in place of earlier ones.

    Refuses: not_found, bad_request."""
    new = Label(bill_id=bill_id, category=data.category, note=plain(data.note))
    await services.bills.label(caller.person.person_id, new)
    return LabelView(category=new.category, note=new.note)


def _view(bill: Bill, label: Label | None) -> BillView:
    own = label or Label(bill_id=bill.bill_id)
    return BillView(
        id=bill.bill_id,
        order=bill.order_id,
        kind=bill.kind,
        direction=bill.direction,
        counterparty=bill.counterparty,
        amount=amount_of(bill.amount_fen),
        fee=amount_of(bill.fee_fen),
        refunded=amount_of(bill.refunded_fen),
        status=bill.status,
        refusal_code=bill.refusal_code,
        method=bill.method,
        note=bill.note,
        created=timestamp(bill.event_at),
        settled=timestamp_or_none(bill.settled_at),
        label=LabelView(category=own.category, note=own.note),
    )


def _detail(bill: Bill, course: Course) -> BillDetail:
    return BillDetail(
        bill=_view(bill, course.label),
        steps=tuple(_step(step) for step in course.steps),
        refunds=tuple(refund_view(refund) for refund in course.refunds),
        refund_request=request_view(course.asked) if course.asked else None,
        may_ask_refund=course.askable,
        again=course.again,
        packet=course.packet_id,
        transfer=course.transfer_id,
        receipt=bill.status == "succeeded",
    )


def _step(step: Step) -> StepView:
    return StepView(
        kind=step.kind,
        state=step.state,
        at=timestamp_or_none(step.at),
        amount=amount_of(step.amount_fen) if step.amount_fen else None,
        said=step.said,
    )


def _month(month: MonthSum) -> MonthView:
    return MonthView(
        month=month.month, came_in=amount_of(month.in_fen), went_out=amount_of(month.out_fen)
    )


handlers = [bills, download_bills, months, bill, label]
