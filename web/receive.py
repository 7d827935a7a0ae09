"""Receiving from another person: one's own code, and the page of whoever reads it."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.bills import Bill
from backend.clock import Clock, to_ms
from backend.errors import DomainError, IdReused, NotFound
from backend.identity import Person
from backend.payments import NewReceiveCode, Note, OpenReceived, OwnCode, ReceiveCode
from backend.services import Services
from backend.settings import Settings
from web.allowances import allowance
from web.amounts import read_amount
from web.codes import code_of, id_at, no_such_code, path_of, printed_address
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.render import draw, fragment, page
from web.session import Visit

LOOK_BACK = 20  # bills; of a code shown to a whole table

SENT_ALREADY = msg("This was sent already with another amount. Check it and send it again.")


@get("/receive")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
) -> Response[str]:
    """The code that takes any amount; a person has one of them for good."""
    new = NewReceiveCode(code_id=ids.new("rcv"), person_id=person.person_id)
    code = await services.payments.new_receive_code(new)
    return _page(request, settings, clock, code)


@get("/receive/amount")
async def new(request: WebRequest, person: NamedDependency[Person]) -> Response[str]:
    return page(request, "receive/new.html", form=Form({"code_id": ids.new("rcv")}))


@post("/receive", status_code=200)
async def create(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
) -> Response[Any]:
    """A code for one amount."""
    form, status_code = Form(data), 422
    code_id, amount = form.id("code_id", "rcv"), read_amount(form)
    note = form.text("note", Note, msg("A note has at most 64 characters."))
    if form and amount:
        wanted = NewReceiveCode(
            code_id=code_id, person_id=person.person_id, amount_fen=amount, note=note or ""
        )
        try:
            made = await services.payments.new_receive_code(wanted)
            return redirect(request, f"/receive/{code_of(made.code_id)}")
        except DomainError as refusal:
            status_code = refuse(form, visit, refusal)
            form.values["code_id"] = ids.new("rcv")
    return page(request, "receive/new.html", status_code=status_code, form=form)


@get("/receive/{code:str}")
async def show_amount(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    code: FromPath[str],
) -> Response[str]:
    return _page(request, settings, clock, await _own(services, person, code))


@get("/receive/{code:str}/picture.svg")
async def picture(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    code: FromPath[str],
) -> Response[str]:
    """To send or to print: the code, the masked name and the amount."""
    own = await _own(services, person, code)
    printed = printed_address(settings, own.code_id)
    return Response(
        draw(request, "receive/picture.svg", code=own, printed=printed),
        media_type="image/svg+xml",
        headers={"Content-Disposition": f'attachment; filename="yipay-{code_of(own.code_id)}.svg"'},
    )


@get("/receive/latest")
async def latest(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    since: FromQuery[int] = 0,
) -> Response[str] | Response[None]:
    """What has come in since the code was shown."""
    if not request.is_partial:
        return redirect(request, "/receive")
    found = (await services.bills.page(person.person_id, "", LOOK_BACK)).bills
    came = [bill for bill in found if _came_in(bill) and to_ms(bill.event_at) >= since]
    return fragment(request, "receive/_latest.html", came=came, since=since)


@get(["/u/{code:str}", "/U/{code:str}"])
async def ask(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[str]:
    """Who would get the money, and how much of it."""
    try:
        found = await _code(services, code)
    except NotFound:
        return no_such_code(request)
    return await _ask(request, visit, services, found, Form({"order_id": ids.new("ord")}))


@post("/u/{code:str}", status_code=200)
async def open_order(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[Any]:
    found, form, status_code = await _code(services, code), Form(data), 422
    order_id = form.id("order_id", "ord")
    amount = found.amount_fen or read_amount(form)
    if form and amount:
        opened = OpenReceived(
            order_id=order_id, code_id=found.code_id, payer_id=person.person_id, amount_fen=amount
        )
        try:
            order = await services.payments.open_received(opened)
            return redirect(request, path_of(order.order_id))
        except DomainError as refusal:
            status_code = refuse(form, visit, refusal)
            form.values["order_id"] = ids.new("ord")
    return await _ask(request, visit, services, found, form, status_code)


def _page(
    request: WebRequest, settings: Settings, clock: Clock, code: ReceiveCode
) -> Response[str]:
    return page(
        request,
        "receive/page.html",
        code=code,
        printed=printed_address(settings, code.code_id),
        address=path_of(code.code_id),
        path=f"/receive/{code_of(code.code_id)}",
        since=to_ms(clock.now()),
    )


async def _ask(  # noqa: PLR0913 — a form drawn for the first time, or again with its errors
    request: WebRequest,
    visit: Visit,
    services: Services,
    code: ReceiveCode,
    form: Form,
    status_code: int = 200,
) -> Response[str]:
    here = path_of(code.code_id)
    if visit.person is None:
        return page(request, "receive/visitor.html", code=code, here=here)
    if visit.person.person_id == code.person_id:
        said = texts(visit.language).refusal(OwnCode())
        status_code = status_of(OwnCode())
        return page(request, "receive/own.html", status_code=status_code, text=said)
    left = await allowance(services, visit.person.person_id, visit.device_secret, "D")
    return page(
        request,
        "receive/pay.html",
        status_code=status_code,
        code=code,
        form=form,
        allowance=left,
        here=here,
    )


def refuse(form: Form, visit: Visit, refusal: DomainError) -> int:
    """Say on the form why it came to nothing; its status."""
    if isinstance(refusal, IdReused):
        form.refuse("", SENT_ALREADY)
    else:
        said = texts(visit.language).refusal(refusal)
        form.refuse("", " ".join(part for part in (said.what, said.detail, said.todo) if part))
    return status_of(refusal)


async def _code(services: Services, code: str) -> ReceiveCode:
    code_id = id_at("u", code)
    if code_id is None:
        raise NotFound()
    return await services.payments.receive_code(code_id)


async def _own(services: Services, person: Person, code: str) -> ReceiveCode:
    found = await _code(services, code)
    if found.person_id != person.person_id:
        raise NotFound()
    return found


def _came_in(bill: Bill) -> bool:
    return bill.kind == "transfer" and bill.direction == "in" and bill.status == "succeeded"


handlers = [show, new, create, show_amount, picture, latest, ask, open_order]
