"""The till: an amount, then a code that the customer scans or a customer's code that it reads.

The digits of a payment code come in by POST and go to one service call: no page, address or log
ever holds them afterwards.
"""

import msgspec
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody

from backend import ids
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.merchant import Charge, ChargeShown, NoShop, Seat, Store, Terminal
from backend.payments import Note
from backend.services import Services
from backend.settings import Settings
from web.amounts import read_amount
from web.camera import permit_camera
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.problems import status_of
from web.render import page
from web.security import cookies
from web.session import Visit
from web.till_codes import payment_code
from web.till_orders import drawn

MAX_TYPED = 13  # characters of an amount, as the field allows


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the cashier typed and read. pay_code: "" for a code that the customer scans."""

    order_id: str
    payment_id: str
    amount_fen: int
    note: str
    terminal_id: str
    pay_code: str


@get("/cashier")
async def till(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    amount: FromQuery[str] = "",
    lost: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    """lost: an order whose answer this till never saw; its page tells the truth."""
    try:
        seat = await services.merchant.seat(person.person_id)
    except NoShop:
        return redirect(request, "/shop/new")
    if lost:
        try:
            order = await services.merchant.order(seat, lost)
        except NotFound as never_opened:
            return await _till(request, services, seat, _fresh(), refusal=never_opened)
        return redirect(request, f"/orders/{order.order_id}")
    return await _till(request, services, seat, _fresh(amount[:MAX_TYPED]))


@post("/orders", status_code=200)
async def charge(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> Response[str] | Response[None]:
    seat = await services.merchant.seat(person.person_id)
    form = Form(data)
    asked = _asked(form, settings)
    if asked is None:
        return await _till(request, services, seat, form, 422)
    try:
        await _charge(services, seat, asked, visit.device_secret)
    except DomainError as refusal:
        if refusal.money_moved == "no":
            return await _refused(request, services, seat, form, refusal)
    here, kept = f"/orders/{asked.order_id}", _remembered(asked)
    if not request.is_partial:
        return redirect(request, here, cookies=kept)
    try:
        look = await services.merchant.look(seat, asked.order_id)
    except NotFound as never_opened:  # the answer was lost before anything was done
        return await _refused(request, services, seat, form, never_opened)
    answer = drawn(request, settings, look, headers={"HX-Push-Url": here}, turned=True)
    answer.cookies.extend(kept)
    return answer


def _asked(form: Form, settings: Settings) -> Asked | None:
    """None and the form's errors where it can't be acted upon."""
    order_id, payment_id = form.id("order_id", "ord"), form.id("payment_id", "pay")
    amount = read_amount(form)
    note = form.text("note", Note, msg("A note has at most 64 characters."))
    pay_code = payment_code(form, settings)
    if not form or amount is None or note is None:
        return None
    return Asked(
        order_id=order_id,
        payment_id=payment_id,
        amount_fen=amount,
        note=note,
        terminal_id=form["terminal_id"],
        pay_code=pay_code,
    )


async def _charge(services: Services, seat: Seat, asked: Asked, device_secret: str) -> None:
    """Refuses: as merchant.charge and merchant.charge_shown."""
    if not asked.pay_code:
        await services.merchant.charge(
            seat,
            Charge(
                order_id=asked.order_id,
                amount_fen=asked.amount_fen,
                note=asked.note,
                terminal_id=asked.terminal_id,
            ),
        )
        return
    await services.merchant.charge_shown(
        seat,
        ChargeShown(
            order_id=asked.order_id,
            payment_id=asked.payment_id,
            amount_fen=asked.amount_fen,
            pay_code=asked.pay_code,
            device_secret=device_secret,
            note=asked.note,
            terminal_id=asked.terminal_id,
        ),
    )


def _remembered(asked: Asked) -> list[Cookie]:
    return [cookies.till(asked.terminal_id)] if asked.terminal_id else []


def _fresh(amount: str = "", note: str = "", terminal_id: str = "") -> Form:
    """A new code needs a new order number: every form is drawn with its own."""
    return Form(
        {
            "order_id": ids.new("ord"),
            "payment_id": ids.new("pay"),
            "amount": amount,
            "note": note,
            "terminal_id": terminal_id,
        }
    )


async def _refused(
    request: WebRequest, services: Services, seat: Seat, form: Form, refusal: DomainError
) -> Response[str]:
    """The till again, with everything but the code."""
    again = _fresh(form["amount"], form["note"], form["terminal_id"])
    return await _till(request, services, seat, again, status_of(refusal), refusal)


async def _till(  # noqa: PLR0913 — one drawing for every way to get here
    request: WebRequest,
    services: Services,
    seat: Seat,
    form: Form,
    status_code: int = 200,
    refusal: DomainError | None = None,
) -> Response[str]:
    permit_camera(request)
    shift = await services.merchant.shift(seat)
    places = await _places(services, seat)
    wanted = form["terminal_id"] or request.cookies.get(cookies.TILL, "")
    return page(
        request,
        "cashier/page.html",
        status_code=status_code,
        seat=seat,
        shift=shift,
        form=form,
        places=places,
        chosen=wanted,
        never_opened=isinstance(refusal, NotFound),
        refusal=refusal,
        width="wide",
    )


async def _places(services: Services, seat: Seat) -> list[tuple[Store, Terminal]]:
    """Where this person may stand, in the order of the stores."""
    stores = {store.store_id: store for store in await services.merchant.stores(seat)}
    terminals = await services.merchant.terminals(seat)
    return [
        (stores[found.store_id], found)
        for found in terminals
        if found.store_id in stores and not (found.closed or stores[found.store_id].closed)
    ]


handlers = [till, charge]
