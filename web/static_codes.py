"""A shop's static code: who it belongs to, and the amount that the payer types."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import ids
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.merchant import PayStatic, ShopClosed, ShopFrozen, StaticCode
from backend.payments import Note, OwnShop
from backend.services import Services
from web.allowances import allowance
from web.amounts import read_amount
from web.codes import id_at, no_such_code, path_of
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.receive import refuse
from web.render import page
from web.session import Visit

SHORT_CODE_DIGITS = 8


@get(["/p/{code:str}", "/P/{code:str}"])
async def ask(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[str]:
    """By the code's 26 characters, or by the 8 digits under it."""
    try:
        found = await _code(services, code)
    except NotFound:
        return no_such_code(request)
    return await _ask(request, visit, services, found, Form({"order_id": ids.new("ord")}))


@post("/p/{code:str}", status_code=200)
async def open_order(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[Any]:
    found, form, status_code = await _code(services, code), Form(data), 422
    order_id, amount = form.id("order_id", "ord"), read_amount(form)
    note = form.text("note", Note, msg("A note has at most 64 characters."))
    if form and amount:
        paid = PayStatic(
            order_id=order_id,
            code_id=found.code_id,
            payer_id=person.person_id,
            amount_fen=amount,
            note=note or "",
        )
        try:
            order = await services.merchant.pay_static(paid)
            return redirect(request, path_of(order.order_id))
        except (OwnShop, ShopClosed, ShopFrozen) as refusal:
            return _stopped(request, visit, found, refusal)
        except DomainError as refusal:
            status_code = refuse(form, visit, refusal)
            form.values["order_id"] = ids.new("ord")
    return await _ask(request, visit, services, found, form, status_code)


async def _ask(  # noqa: PLR0913 — a form drawn for the first time, or again with its errors
    request: WebRequest,
    visit: Visit,
    services: Services,
    code: StaticCode,
    form: Form,
    status_code: int = 200,
) -> Response[str]:
    here = path_of(code.code_id)
    if not code.open:
        return _stopped(request, visit, code, ShopClosed())
    if visit.person is None:
        return page(request, "static_codes/visitor.html", code=code, here=here)
    if visit.person.person_id == code.owner_id:
        return _stopped(request, visit, code, OwnShop())
    left = await allowance(services, visit.person.person_id, visit.device_secret, "D")
    return page(
        request,
        "static_codes/page.html",
        status_code=status_code,
        code=code,
        form=form,
        allowance=left,
        here=here,
    )


def _stopped(
    request: WebRequest, visit: Visit, code: StaticCode, refusal: DomainError
) -> Response[str]:
    """Nobody, or not this person, can pay here now."""
    return page(
        request,
        "static_codes/stopped.html",
        status_code=status_of(refusal),
        code=code,
        own=isinstance(refusal, OwnShop),
        text=texts(visit.language).refusal(refusal),
    )


async def _code(services: Services, code: str) -> StaticCode:
    if code.isascii() and code.isdigit() and len(code) == SHORT_CODE_DIGITS:
        return await services.merchant.static_code(code)
    code_id = id_at("p", code)
    if code_id is None:
        raise NotFound()
    return await services.merchant.static_code(code_id)


handlers = [ask, open_order]
