"""The till: an amount, a code, and the moment it is paid."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.identity import Person
from backend.merchant import Charge, Dashboard
from backend.money import parse_yuan
from backend.payments import Note, Order, OrderPaid
from backend.services import Services
from backend.settings import Settings
from web.codes import code_of, path_of, printed_address
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page, unchanged

ENDED = frozenset({"paid", "expired", "cancelled"})


@get("/cashier")
async def till(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str] | Response[None]:
    if await services.merchant.shop_of(person.person_id) is None:
        return redirect(request, "/shop/new")
    return await _till(request, services, person, _fresh_form())


@post("/orders", status_code=200)
async def charge(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str] | Response[None]:
    form = Form(data)
    order_id = form.id("order_id", "ord")
    amount = form.read("amount", parse_yuan, msg("Enter an amount such as 23 or 23.50."))
    note = form.text("note", Note, msg("A note has at most 64 characters."))
    shop = await services.merchant.shop_of(person.person_id)
    if shop is None:
        return redirect(request, "/shop/new")
    if not form or amount is None or note is None:
        return await _till(request, services, person, form, 422)
    order = await services.merchant.charge(
        Charge(
            order_id=order_id,
            shop_id=shop.shop_id,
            owner_id=person.person_id,
            amount_fen=amount,
            note=note,
        )
    )
    if not request.is_partial:
        return redirect(request, f"/orders/{order_id}")
    return _order(request, settings, order, {"HX-Push-Url": f"/orders/{order_id}"})


@get("/orders/{order_id:str}")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    order = await services.merchant.order(person.person_id, order_id)
    if request.is_partial and seen == order.status:
        return unchanged()
    return _order(request, settings, order, turned=bool(seen) and request.is_partial)


@post("/orders/{order_id:str}/cancellation", status_code=200)
async def cancel(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> Response[str] | Response[None]:
    try:
        order = await services.merchant.cancel(person.person_id, order_id)
    except OrderPaid:  # the payer was faster: show that it is paid
        order = await services.merchant.order(person.person_id, order_id)
    if not request.is_partial:
        return redirect(request, f"/orders/{order_id}")
    return _order(request, settings, order)


def _fresh_form() -> Form:
    return Form({"order_id": ids.new("ord"), "amount": "", "note": ""})


async def _till(
    request: WebRequest, services: Services, person: Person, form: Form, status_code: int = 200
) -> Response[str]:
    board: Dashboard = await services.merchant.dashboard(person.person_id)
    return page(
        request,
        "cashier/page.html",
        status_code=status_code,
        board=board,
        form=form,
        width="wide",
    )


def _order(
    request: WebRequest,
    settings: Settings,
    order: Order,
    headers: dict[str, str] | None = None,
    turned: bool = False,
) -> Response[str]:
    """turned: the order has just become what it is, while somebody was looking."""
    return page(
        request,
        "cashier/order.html",
        headers=headers,
        order=order,
        ended=order.status in ENDED,
        turned=turned,
        printed=printed_address(settings, order.order_id),
        address=path_of(order.order_id),
        code=code_of(order.order_id),
    )


handlers = [till, charge, show, cancel]
