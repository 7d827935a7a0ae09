"""Home: the balance, what can be done, what happened last, and how the account is guarded."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency

from backend.bills import Bill
from backend.errors import DomainError
from backend.identity import Person
from backend.ledger import Balance
from backend.merchant import Seat
from backend.payments import Order
from backend.risk import FreezeState, Limit
from backend.services import Services
from backend.wallet import balance
from web.codes import path_of
from web.http import WebRequest, redirect
from web.render import page
from web.security import cookies
from web.session import Visit

T = TypeVar("T")

LAST_BILLS = 3


class Guard(msgspec.Struct, frozen=True):
    """What the strip says; None where the security system doesn't answer."""

    freeze: FreezeState
    free_day: Limit | None


class View(msgspec.Struct, frozen=True):
    balance: Balance | None
    bills: tuple[Bill, ...]
    seats: tuple[Seat, ...]
    guard: Guard | None
    waiting: tuple[tuple[Order, str], ...]  # for a passkey, each with its page
    packets: int  # red packets that were not looked at
    notices: int  # unread ones


@get("/")
async def home(
    request: WebRequest, visit: NamedDependency[Visit], services: NamedDependency[Services]
) -> Response[str] | Response[None]:
    if visit.person is None:
        ended = cookies.SESSION in request.cookies
        return redirect(request, "/signed-out" if ended else "/welcome")
    view = await _view(services, visit.person, visit.device_secret)
    hidden = cookies.AMOUNTS in request.cookies
    return page(request, "home/page.html", view=view, hidden=hidden, width="wide")


@post("/amounts/hidden", status_code=200)
async def hide_amounts(request: WebRequest, person: NamedDependency[Person]) -> Response[None]:
    """Kept in a cookie, so that hidden amounts are never sent to a shared screen."""
    return redirect(request, "/", cookies=[cookies.amounts_hidden()])


@post("/amounts/shown", status_code=200)
async def show_amounts(request: WebRequest, person: NamedDependency[Person]) -> Response[None]:
    return redirect(request, "/", cookies=[cookies.gone(cookies.AMOUNTS)])


async def _view(services: Services, person: Person, device_secret: str) -> View:
    person_id = person.person_id
    own, bills, seats, guard, asked, (packets, notices) = await asyncio.gather(
        balance_of(services, person_id),
        services.bills.page(person_id, "", LAST_BILLS),
        services.merchant.seats(person_id),
        _guard(services, person_id, device_secret),
        services.payments.asked(person_id),
        _unread(services, person_id),
    )
    return View(
        balance=own,
        bills=bills.bills,
        seats=seats,
        guard=guard,
        waiting=tuple((order, path_of(order.order_id)) for order in asked),
        packets=packets,
        notices=notices,
    )


async def balance_of(services: Services, person_id: str) -> Balance | None:
    """None while the ledger can't be reached: the rest of the page is still of use."""
    return await unless_away(balance.balance_of(services, person_id))


async def _unread(services: Services, person_id: str) -> tuple[int, int]:
    """Red packets and notices."""
    return await asyncio.gather(
        services.redpackets.unread(person_id), services.notices.unread(person_id)
    )


async def _guard(services: Services, person_id: str, device_secret: str) -> Guard | None:
    freeze, limits = await asyncio.gather(
        unless_away(services.risk.freeze_state(person_id)),
        unless_away(services.risk.limits(person_id, device_secret)),
    )
    if freeze is None or limits is None:
        return None
    daily = (limit for limit in limits if limit.name == "free_day" and not limit.counts)
    return Guard(freeze=freeze, free_day=next(daily, None))


async def unless_away(answer: Awaitable[T]) -> T | None:
    """The answer of another process; None while it is away."""
    try:
        return await answer
    except DomainError as refusal:
        if not refusal.retryable:
            raise
        return None


handlers = [home, hide_amounts, show_amounts]
