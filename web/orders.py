"""The address in a shop's code: who asks for how much, and what paying it takes."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend import ids
from backend.errors import DomainError, NotFound
from backend.payments import Order
from backend.services import Services
from web.codes import order_id_of, path_of
from web.http import WebRequest
from web.i18n import texts
from web.problems import retry_after, status_of
from web.render import page
from web.session import Visit, visit_of


@get(["/o/{code:str}", "/O/{code:str}"])
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[str]:
    order_id = order_id_of(code)
    if order_id is None:
        raise NotFound()
    order = await services.payments.order(order_id)
    if visit.person is None:
        return page(request, "orders/visitor.html", order=order, here=path_of(order_id))
    try:
        quote = await services.payments.quote(order_id, visit.person.person_id, visit.device_secret)
    except DomainError as refusal:
        return refused(request, order, refusal)
    return page(
        request,
        "orders/page.html",
        quote=quote,
        order=order,
        payment_id=ids.new("pay"),  # made here once: a reload of the answer pays nothing twice
        here=path_of(order_id),
    )


def refused(request: WebRequest, order: Order, refusal: DomainError) -> Response[str]:
    """Why this order can't be paid, whether money moved, and the way on."""
    status_code = status_of(refusal)
    return page(
        request,
        "orders/refused.html",
        status_code=status_code,
        headers={"Retry-After": str(retry_after(refusal))} if status_code == 503 else {},
        order=order,
        refusal=refusal,
        text=texts(visit_of(request).language).refusal(refusal),
        here=path_of(order.order_id),
    )


handlers = [show]
