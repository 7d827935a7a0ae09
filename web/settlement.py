"""A shop's settlement: what is coming, every day's batch, and the card that the money goes to."""

from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend.identity import Person
from backend.merchant import Seat
from backend.merchant.guard import need
from backend.sales import SaleSum
from backend.services import Services
from backend.settlement import Batch
from backend.settlement.rules import end_of, net_of, start_of
from backend.shop_roles import Permission
from web.approvals import approval_of
from web.forms import Form
from web.http import WebRequest, redirect
from web.render import fragment, page
from web.session import Visit

SETTLEMENT = "/shop/settlement"
CARD = f"{SETTLEMENT}/card"
PAGE_SIZE = 20
HOUR = timedelta(hours=1)


class Line(msgspec.Struct, frozen=True):
    """An hour of a batch's day."""

    sums: SaleSum
    net_fen: int


@get(SETTLEMENT)
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    cursor: FromQuery[str] = "",
) -> Response[str]:
    seat = await _seat(services, person)
    batches, next_cursor = await services.settlement.batches(seat.shop_id, cursor, PAGE_SIZE)
    if cursor and request.is_partial:
        return fragment(
            request, "settlement/_rows.html", batches=batches, next_cursor=next_cursor, chosen=""
        )
    return await _page(request, services, seat, batches, next_cursor)


@get(CARD)
async def choose(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    """Of the owner's bound cards, one."""
    seat = await _seat(services, person, Permission.PAYOUT)
    cards = await services.banking.cards(seat.person_id)
    coming = await services.settlement.next(seat.shop_id)
    return page(
        request,
        "settlement/card.html",
        seat=seat,
        cards=[card for card in cards if card.status == "bound"],
        current=coming.card_id,
        width="wide",
    )


@post(CARD, status_code=200)
async def set_card(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    """The owner's passkey is the consent; every later payout to this card rests on it."""
    seat, form = await _seat(services, person, Permission.PAYOUT), Form(data)
    approval = approval_of(form, person)
    await services.settlement.set_card(seat, form["card_id"], approval, visit.device_secret)
    return redirect(request, SETTLEMENT)


@get("/shop/settlement/{batch_id:str}")
async def show_batch(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    batch_id: FromPath[str],
) -> Response[str]:
    seat = await _seat(services, person)
    batch = await services.settlement.batch(seat.shop_id, batch_id)
    if request.is_partial and not request.swaps_page:
        return fragment(request, "settlement/_batch.html", **await _statement(services, batch))
    batches, next_cursor = await services.settlement.batches(seat.shop_id, "", PAGE_SIZE)
    return await _page(request, services, seat, batches, next_cursor, batch)


async def _page(  # noqa: PLR0913 — drawn by two handlers
    request: WebRequest,
    services: Services,
    seat: Seat,
    batches: tuple[Batch, ...],
    next_cursor: str,
    batch: Batch | None = None,
) -> Response[str]:
    shown = await _statement(services, batch) if batch else {"batch": None}
    return page(
        request,
        "settlement/page.html",
        seat=seat,
        batches=batches,
        next_cursor=next_cursor,
        chosen=batch.batch_id if batch else "",
        under_way=[b for b in batches if b.status == "on_its_way"],
        coming=await services.settlement.next(seat.shop_id),
        may_choose=Permission.PAYOUT in seat.permissions,
        width="wide",
        **shown,
    )


async def _statement(services: Services, batch: Batch) -> dict[str, Any]:
    """A batch with its day, hour by hour."""
    hours = await services.sales.hours(batch.shop_id, start_of(batch.day), end_of(batch.day))
    lines = [Line(hour, net_of(hour)) for hour in hours if hour.count or hour.refunds]
    return {"batch": batch, "lines": lines, "hour": HOUR}


async def _seat(
    services: Services, person: Person, permission: Permission = Permission.MONEY
) -> Seat:
    seat = await services.merchant.seat(person.person_id)
    need(seat, permission)
    return seat


handlers = [show, choose, set_card, show_batch]
