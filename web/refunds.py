"""Giving money back: the form of an order, its passkey where one is asked for, what came of it, and
the requests of payers."""

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import ids
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.merchant import GiveBack, PermissionMissing, RefundCase, RefundRequest, Seat
from backend.payments import Refund
from backend.services import Services
from backend.shop_roles import Permission
from web.amounts import read_amount
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.problems import status_of
from web.render import page
from web.session import Visit

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

WHOLE, PART = "whole", "part"


@get("/shop/orders/{order_id:str}/refund")
async def new(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    order_id: FromPath[str],
) -> Response[str]:
    case = await services.merchant.refund_case(await _seat(services, person), order_id)
    fields = {"refund_id": ids.new("rfd"), "extent": WHOLE}
    return _form(request, case, Form(fields))


@post("/shop/orders/{order_id:str}/refund", status_code=200)
async def create(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    order_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat = await _seat(services, person)
    case, form = await services.merchant.refund_case(seat, order_id), Form(data)
    known = case.refund(form["refund_id"])
    if known is not None and not case.waits_for(known):
        return redirect(request, _result_path(order_id, known.refund_id))  # sent twice
    secret = visit.device_secret
    wanted = _again(known, secret) if known else _give_back(form, case, secret)
    if wanted is None:
        return _form(request, case, form, 422)
    try:
        started = await services.merchant.refund(seat, wanted)
    except DomainError as refusal:
        stored = (await services.merchant.refund_case(seat, order_id)).refund(wanted.refund_id)
        if refusal.money_moved == "unknown" or (refusal.retryable and stored is not None):
            return redirect(request, _result_path(order_id, wanted.refund_id))
        form.values["refund_id"] = ids.new("rfd")  # a refusal is final for its id
        return _form(request, case, form, status_of(refusal), refusal)
    asked = started.requirement
    if asked is not None and asked.ceremony is not None and started.refund.status == "created":
        return page(
            request,
            "refunds/passkey.html",
            case=case,
            refund=started.refund,
            ceremony=asked.ceremony,
            width="narrow",
        )
    return redirect(request, _result_path(order_id, started.refund.refund_id))


@post("/shop/orders/{order_id:str}/refunds/{refund_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    order_id: FromPath[str],
    refund_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    case = await services.merchant.refund_case(seat, order_id)
    try:
        await services.merchant.confirm_refund(
            seat,
            refund_id,
            visit.device_secret,
            form["ceremony_id"],
            form["response_json"].encode(),
        )
    except DomainError as refusal:
        if refusal.money_moved == "no":
            fields = {"refund_id": ids.new("rfd"), "extent": WHOLE}
            return _form(request, case, Form(fields), status_of(refusal), refusal)
    return redirect(request, _result_path(order_id, refund_id))


@get("/shop/orders/{order_id:str}/refunds/{refund_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    order_id: FromPath[str],
    refund_id: FromPath[str],
) -> Response[str]:
    case = await services.merchant.refund_case(await _seat(services, person), order_id)
    found = case.refund(refund_id)
    if found is None:
        raise NotFound()
    return page(request, "refunds/result.html", case=case, refund=found, width="narrow")


@get("/shop/refunds")
async def requests(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    seat = await services.merchant.seat(person.person_id)
    return await _requests(request, services, seat, Form({}))


@post("/shop/refunds/{request_id:str}/decline", status_code=200)
async def decline(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    answer = form.text("answer", Reason, msg("Say in 1 to 64 characters why not."))
    if answer is None:
        form.values["request_id"] = request_id
        return await _requests(request, services, seat, form, 422)
    await services.merchant.decline_refund(seat, request_id, answer)
    return redirect(request, "/shop/refunds")


async def _seat(services: Services, person: Person) -> Seat:
    """The seat of somebody who may refund. Refuses: NoShop, PermissionMissing."""
    seat = await services.merchant.seat(person.person_id)
    if Permission.REFUND not in seat.permissions:
        missing = Permission.REFUND.value
        raise PermissionMissing(permission=missing, role=seat.role.value, holders=missing)
    return seat


def _give_back(form: Form, case: RefundCase, device_secret: str) -> GiveBack | None:
    """None and the form's errors where it can't be acted upon."""
    refund_id = form.id("refund_id", "rfd")
    reason = form.text("reason", Reason, msg("Give a reason of 1 to 64 characters."))
    if form["extent"] == WHOLE:
        amount: int | None = case.left_fen
    else:
        amount = read_amount(form)
    if amount is not None and (amount > case.left_fen or not amount):
        form.refuse("amount", msg("That is more than is left to refund."))
    if not form or amount is None or reason is None:
        return None
    return GiveBack(
        refund_id=refund_id,
        payment_id=case.payment.payment_id,
        amount_fen=amount,
        reason=reason,
        device_secret=device_secret,
    )


def _again(known: Refund, device_secret: str) -> GiveBack:
    return GiveBack(
        refund_id=known.refund_id,
        payment_id=known.payment_id,
        amount_fen=known.amount_fen,
        reason=known.reason,
        device_secret=device_secret,
    )


def _form(
    request: WebRequest,
    case: RefundCase,
    form: Form,
    status_code: int = 200,
    refusal: DomainError | None = None,
) -> Response[str]:
    return page(
        request,
        "refunds/new.html",
        status_code=status_code,
        case=case,
        form=form,
        refusal=refusal,
        width="narrow",
    )


async def _requests(
    request: WebRequest, services: Services, seat: Seat, form: Form, status_code: int = 200
) -> Response[str]:
    found: tuple[RefundRequest, ...] = await services.merchant.refund_requests(seat)
    may = Permission.REFUND in seat.permissions
    return page(
        request,
        "refunds/requests.html",
        status_code=status_code,
        seat=seat,
        requests=found,
        may=may,
        form=form,
        width="wide",
    )


def _result_path(order_id: str, refund_id: str) -> str:
    return f"/shop/orders/{order_id}/refunds/{refund_id}"


handlers = [new, create, confirm, show, requests, decline]
