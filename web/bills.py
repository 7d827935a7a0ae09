"""Bills: the list by month and day, and one bill in full; side by side where there is room."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.bills import CATEGORIES, MAX_NOTE, Bill, Label
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.merchant import AskRefund
from backend.plain import is_plain
from backend.services import Services
from backend.wallet.course import course_of
from web import bill_files
from web.bill_filter import CHOICES, asked
from web.bill_list import listing
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.render import fragment, page
from web.session import Visit

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@get("/bills")
async def show_all(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    cursor: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Response[str]:
    wanted = asked(request.query_params, person.person_id)
    found = await listing(services, wanted, cursor, after if cursor else "")
    if request.is_partial and not request.swaps_page:
        part = "bills/_rows.html" if cursor else "bills/_found.html"
        return fragment(request, part, listing=found, asked=wanted, chosen="")
    return page(
        request,
        "bills/page.html",
        listing=found,
        asked=wanted,
        choices=CHOICES,
        bill=None,
        width="wide",
    )


@get("/bills/{bill_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Response[str]:
    bill = await services.bills.bill(person.person_id, bill_id)
    return await _show(request, services, person, bill, _blank())


@post("/bills/{bill_id:str}/label", status_code=200)
async def label(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Response[Any]:
    """A category and a note of the reader's own."""
    bill = await services.bills.bill(person.person_id, bill_id)
    form = Form(data)
    category = form.read("category", _category, msg("Choose one of the categories."))
    note = form.read("own_note", _note, msg("A note is one line of up to 200 characters."))
    if not form or category is None or note is None:
        return await _show(request, services, person, bill, form, 422)
    await services.bills.label(
        person.person_id, Label(bill_id=bill_id, category=category, note=note)
    )
    return redirect(request, f"/bills/{bill_id}")


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
        wish = AskRefund(
            request_id=request_id, payment_id=bill_id, payer_id=person.person_id, reason=reason
        )
        try:
            await services.merchant.ask_refund(wish)
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
    course = await course_of(services, person, bill)
    form.values.setdefault("request_id", ids.new("rrq"))
    wanted = asked(request.query_params, person.person_id)
    said: dict[str, Any] = {
        "bill": bill,
        "course": course,
        "form": form,
        "asked": wanted,
        "categories": CATEGORIES,
    }
    if request.is_partial and not request.swaps_page:
        return fragment(request, "bills/_bill.html", status_code=status_code, **said)
    found = await listing(services, wanted, "", "")
    return page(
        request,
        "bills/page.html",
        status_code=status_code,
        listing=found,
        choices=CHOICES,
        width="wide",
        **said,
    )


async def bill_or_none(services: Services, person_id: str, bill_id: str) -> Bill | None:
    """None where it isn't written yet."""
    try:
        return await services.bills.bill(person_id, bill_id)
    except NotFound:
        return None


def _blank() -> Form:
    return Form({"request_id": ids.new("rrq")})


def _category(text: str) -> str | None:
    return text if text in ("", *CATEGORIES) else None


def _note(text: str) -> str | None:
    return text if len(text) <= MAX_NOTE and is_plain(text) else None


handlers = [show_all, show, label, ask_refund, *bill_files.handlers]
