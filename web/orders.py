"""The address in a code: who asks for how much, and what paying it takes."""

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend import ids
from backend.errors import DomainError, NotFound
from backend.payments import NotForYou, Order
from backend.services import Services
from backend.wallet.paying import payment_id_of
from web.allowances import allowance
from web.codes import no_such_code, order_id_of, path_of
from web.http import WebRequest
from web.i18n import texts
from web.problems import retry_after, status_of
from web.render import page
from web.session import Visit, visit_of


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets the money, beside the name: a person's masked one, or a shop's."""

    person: bool
    verified: bool = False
    store: str = ""  # and terminal, as the till is called


@get(["/o/{code:str}", "/O/{code:str}"])
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[str]:
    try:
        order_id = order_id_of(code) or ""
        order = await services.payments.order(order_id)
    except NotFound:
        return no_such_code(request)
    if visit.person is None:
        return await _visitor(request, services, order)
    person_id = visit.person.person_id
    try:
        quote = await services.payments.quote(order_id, person_id, visit.device_secret)
    except DomainError as refusal:
        return refused(request, order, refusal)
    level = quote.requirement.level
    return page(
        request,
        "orders/page.html",
        quote=quote,
        order=order,
        payee=await payee_of(services, order),
        allowance=await allowance(services, person_id, visit.device_secret, level),
        payment_id=payment_id_of(order, ids.new("pay")),
        here=path_of(order_id),
    )


async def payee_of(services: Services, order: Order) -> Payee:
    if is_transfer(order):
        return Payee(person=True)
    try:
        shop = await services.merchant.shop(order.payee_id)
    except NotFound:
        return Payee(person=False)
    place = await services.merchant.place(order.store_id, order.terminal_id)
    return Payee(person=False, verified=shop.verified, store=" · ".join(filter(None, place)))


def is_transfer(order: Order) -> bool:
    """To a person: no shop has anything to do with it, and nobody refunds it."""
    return ids.is_id(order.payee_id, "usr")


def refused(request: WebRequest, order: Order, refusal: DomainError) -> Response[str]:
    """Why this order can't be paid, whether money moved, and the way on."""
    status_code = status_of(refusal)
    return page(
        request,
        "orders/refused.html",
        status_code=status_code,
        headers={"Retry-After": str(retry_after(refusal))} if status_code == 503 else {},
        order=order,
        transfer=is_transfer(order),
        known=not isinstance(refusal, NotForYou),  # what another was asked for is theirs to know
        refusal=refusal,
        text=texts(visit_of(request).language).refusal(refusal),
        here=path_of(order.order_id),
    )


async def _visitor(request: WebRequest, services: Services, order: Order) -> Response[str]:
    """An order opened for one person is theirs alone to see."""
    return page(
        request,
        "orders/visitor.html",
        order=order,
        known=not order.payer_id,
        payee=await payee_of(services, order),
        here=path_of(order.order_id),
    )


handlers = [show]
