"""Paying: one tap, or one tap and a passkey; and what became of it."""

from datetime import timedelta

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend.errors import BadRequest, DomainError
from backend.identity import Person
from backend.ids import is_id
from backend.payments import SHORT_OF_DEADLINE, Confirm, Order, Payment, Started, StartPayment
from backend.services import Services
from web.codes import path_of
from web.doors import begun
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import texts
from web.orders import is_transfer, refused
from web.problems import status_of
from web.render import page, unchanged
from web.session import Visit

FINAL = frozenset({"posted", "refused"})
# The sweeper looks at what stopped half-way and settles it within a minute.
KNOWN_WITHIN = SHORT_OF_DEADLINE + timedelta(seconds=60)


@post("/payments", status_code=200)
async def start(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    command = _command(Form(data), visit, person)
    order = await services.payments.order(command.order_id)
    try:
        started = await services.payments.start(command)
    except DomainError as refusal:
        return refused(request, order, refusal)
    if _needs_passkey(started):
        return page(
            request,
            "payments/passkey.html",
            payment=started.payment,
            requirement=started.requirement,
            here=path_of(command.order_id),
        )
    return _result(request, order, started.payment)


@post("/payments/ceremonies", status_code=200)
async def begin(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[bytes]:
    """Start a payment that takes a passkey: one tap leads straight to the device's prompt."""
    text = texts(visit.language)
    try:
        started = await services.payments.start(_command(Form(data), visit, person))
    except DomainError as refusal:
        said = text.refusal(refusal)
        return _message(
            " ".join(part for part in (said.what, said.detail, said.money, said.todo) if part),
            status_of(refusal),
        )
    asked = started.requirement
    if asked is None or asked.ceremony is None:
        return _message(text.gettext("This payment is on its way. Look at your bills."), 409)
    return begun(asked.ceremony)


@post("/payments/{payment_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    payment_id: FromPath[str],
) -> Response[str] | Response[None]:
    payment = await services.payments.payment(person.person_id, payment_id)
    order = await services.payments.order(payment.order_id)
    form = Form(data)
    answer = Confirm(
        payment_id=payment_id,
        payer_id=person.person_id,
        device_secret=visit.device_secret,
        ceremony_id=form["ceremony_id"],
        response_json=form["response_json"].encode(),
    )
    try:
        return _result(request, order, await services.payments.confirm(answer))
    except DomainError as refusal:
        return refused(request, order, refusal)


@get("/payments/{payment_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    payment_id: FromPath[str],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    payment = await services.payments.payment(person.person_id, payment_id)
    if request.is_partial and seen == payment.status:
        return unchanged()
    if payment.payer_id != person.person_id:  # the shop's owner has it as a bill
        return redirect(request, f"/bills/{payment_id}")
    return _page(request, await services.payments.order(payment.order_id), payment)


def _command(form: Form, visit: Visit, person: Person) -> StartPayment:
    """Everything in it was drawn by us: what doesn't fit was tampered with."""
    payment_id, order_id, amount = form["payment_id"], form["order_id"], form["amount_fen"]
    whole = amount.isascii() and amount.isdigit() and len(amount) <= 11
    if not (is_id(payment_id, "pay") and is_id(order_id, "ord") and whole and int(amount) > 0):
        raise BadRequest()
    return StartPayment(
        payment_id=payment_id,
        order_id=order_id,
        payer_id=person.person_id,
        amount_fen=int(amount),
        device_secret=visit.device_secret,
        address=visit.address,
    )


def _message(text: str, status_code: int) -> Response[bytes]:
    """What passkey.js shows beside the button."""
    body = msgspec.json.encode({"message": text})
    return Response(body, media_type="application/json", status_code=status_code)


def _needs_passkey(started: Started) -> bool:
    asked = started.requirement
    return asked is not None and asked.ceremony is not None and started.payment.status == "created"


def _result(request: WebRequest, order: Order, payment: Payment) -> Response[str] | Response[None]:
    """htmx swaps the result in and shows its address; without htmx the browser goes there."""
    path = f"/payments/{payment.payment_id}"
    if not request.is_partial:
        return redirect(request, path)
    return _page(request, order, payment, {"HX-Push-Url": path})


def _page(
    request: WebRequest, order: Order, payment: Payment, headers: dict[str, str] | None = None
) -> Response[str]:
    return page(
        request,
        "payments/page.html",
        headers=headers,
        payment=payment,
        order=order,
        transfer=is_transfer(order),
        final=payment.status in FINAL,
        known_by=payment.created_at + KNOWN_WITHIN,
        here=path_of(payment.order_id),
    )


handlers = [start, begin, confirm, show]
