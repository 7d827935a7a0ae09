"""An order as the till sees it: its code, what became of it, and the two ways back."""

from contextlib import suppress
from datetime import timedelta

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from backend.clock import Clock
from backend.errors import DomainError
from backend.identity import Person
from backend.merchant import Look
from backend.payments import OrderPaid, ReversalTooSoon
from backend.services import Services
from backend.settings import Settings
from web.codes import code_of, path_of, printed_address
from web.http import WebRequest, redirect
from web.problems import retry_after
from web.render import page, unchanged
from web.session import Visit

SHOWN = "shown"
PATIENCE = timedelta(seconds=30)  # then the till is advised to take the charge back


@get("/orders/{order_id:str}")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    order_id: FromPath[str],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    seat = await services.merchant.seat(person.person_id)
    look = await services.merchant.look(seat, order_id)
    late = not look.ended and clock.now() - look.order.created_at >= PATIENCE
    if request.is_partial and seen == token(look, late):
        return unchanged()
    return drawn(request, settings, look, turned=bool(seen) and request.is_partial, late=late)


@post("/orders/{order_id:str}/cancellation", status_code=200)
async def cancel(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat = await services.merchant.seat(person.person_id)
    with suppress(OrderPaid):  # the payer was faster: the page shows that it is paid
        await services.merchant.cancel(seat, order_id)
    if not request.is_partial:
        return redirect(request, f"/orders/{order_id}")
    return drawn(request, settings, await services.merchant.look(seat, order_id))


@post("/orders/{order_id:str}/reversal", status_code=200)
async def reverse(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> Response[str] | Response[None]:
    """The till gives up: nothing is paid, or what was paid goes back."""
    seat = await services.merchant.seat(person.person_id)
    refusal: DomainError | None = None
    try:
        await services.merchant.reverse(seat, order_id, visit.device_secret)
    except DomainError as caught:
        if not caught.retryable:
            raise
        refusal = caught  # too soon, or a system is away: the page tries again by itself
    if not request.is_partial and refusal is None:
        return redirect(request, f"/orders/{order_id}")
    look = await services.merchant.look(seat, order_id)
    return drawn(request, settings, look, refusal=refusal)


def token(look: Look, late: bool) -> str:
    """What a page that asks again has seen."""
    seen = f"{look.state}-late" if late and look.order.code == SHOWN else look.state
    return f"{seen}-{look.waits_for}" if look.waits_for else seen


def drawn(  # noqa: PLR0913 — one drawing for every way to get here
    request: WebRequest,
    settings: Settings,
    look: Look,
    *,
    headers: dict[str, str] | None = None,
    turned: bool = False,
    late: bool = False,
    refusal: DomainError | None = None,
) -> Response[str]:
    """turned: the order has just become what it is, while somebody was looking. late: the customer
    takes long. refusal: why it could not be taken back yet."""
    order_id = look.order.order_id
    return page(
        request,
        "cashier/order.html",
        headers=headers,
        look=look,
        order=look.order,
        seen=token(look, late),
        turned=turned,
        late=late,
        refusal=refusal,
        again_s=_again_s(refusal),
        printed=printed_address(settings, order_id),
        address=path_of(order_id),
        code=code_of(order_id),
    )


def _again_s(refusal: DomainError | None) -> int:
    """Seconds after which the page tries by itself; 0 = not."""
    if refusal is None:
        return 0
    return retry_after(refusal) + (1 if isinstance(refusal, ReversalTooSoon) else 0)


handlers = [show, cancel, reverse]
