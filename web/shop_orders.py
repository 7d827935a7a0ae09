"""A shop's orders and refunds: found by what the address says, one in full beside the list."""

import asyncio
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from backend import ids
from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.merchant import Seat
from backend.payments import REVERSAL
from backend.sales import Sale, SaleFilter, SalePage, SaleSum, SavedView
from backend.services import Services
from backend.shop_roles import Permission
from backend.shop_time import RANGES, offset_text
from backend.wallet.timeline import BAD, DONE, NOW, Step
from web.http import WebRequest
from web.render import fragment, page
from web.shop_filter import COLUMNS, KINDS, STATUSES, Asked, asked
from web.shop_seat import seat_with

PAGE_SIZE = 30


class Names(msgspec.Struct, frozen=True):
    """What ids are called. staff: by person id, known to who may see the staff."""

    stores: dict[str, str]
    terminals: dict[str, str]
    staff: dict[str, str]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """total: None where there is too much to count."""

    seat: Seat
    asked: Asked
    page: SalePage
    total: SaleSum | None
    names: Names
    views: tuple[SavedView, ...]
    zone: ZoneInfo
    cursor: str


@get("/shop/orders")
async def show_all(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    cursor: FromQuery[str] = "",
) -> Response[str]:
    seat = await seat_with(services, person, Permission.ORDERS)
    wanted = asked(request.query_params.dict(), seat, clock.now())
    listing = await _listing(services, seat, wanted, cursor)
    if request.is_partial and cursor:
        return fragment(request, "shops/_order_rows.html", **_context(listing))
    if request.is_partial:
        headers = {"HX-Push-Url": wanted.address()}
        return fragment(request, "shops/_results.html", headers=headers, **_context(listing))
    return page(request, "shops/orders.html", order=None, width="full", **_context(listing))


@get("/shop/orders/{order_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    order_id: FromPath[str],
) -> Response[str]:
    """Beside the list that the address describes, or the panel alone for that list."""
    seat = await seat_with(services, person, Permission.ORDERS)
    wanted = asked(request.query_params.dict(), seat, clock.now())
    sales = await services.sales.of_order(seat.shop_id, order_id)
    if request.is_partial:
        names = await names_of(services, seat)
        return fragment(
            request,
            "shops/_order.html",
            seat=seat,
            asked=wanted,
            names=names,
            **_panel(seat, sales),
        )
    listing = await _listing(services, seat, wanted, "")
    everything = _context(listing) | _panel(seat, sales)
    return page(request, "shops/orders.html", width="full", **everything)


def _panel(seat: Seat, sales: tuple[Sale, ...]) -> dict[str, Any]:
    order, *refunds = sales
    left = order.amount_fen - order.refunded_fen
    return {
        "order": order,
        "refunds": refunds,
        "steps": course(sales),
        "left_fen": left,
        "may_refund": order.status == "paid" and left > 0 and Permission.REFUND in seat.permissions,
        "zone": ZoneInfo(seat.zone),
    }


def course(sales: tuple[Sale, ...]) -> tuple[Step, ...]:
    """Of an order: opened, tried, ended, and each refund."""
    order, *refunds = sales
    steps = [Step(kind="order_opened", at=order.created_at)]
    if order.tries:
        steps.append(Step(kind="order_tried", state=BAD))
    if order.status == "open":
        steps.append(Step(kind="order_waits", state=NOW))
    else:
        state = DONE if order.status == "paid" else BAD
        steps.append(Step(kind=f"order_{order.status}", state=state, at=order.ended_at))
    return (*steps, *(_refunded(refund) for refund in refunds))


def _refunded(refund: Sale) -> Step:
    kind, state = {
        "succeeded": ("refunded", DONE),
        "refused": ("refund_refused", BAD),
        "pending": ("refund_under_way", NOW),
    }[refund.status]
    at = refund.ended_at or refund.created_at
    said = "" if refund.note == REVERSAL else refund.note
    return Step(kind=kind, state=state, at=at, amount_fen=refund.amount_fen, said=said)


async def _listing(services: Services, seat: Seat, wanted: Asked, cursor: str) -> Listing:
    found, total, names, views = await asyncio.gather(
        services.sales.page(wanted.wanted, cursor, PAGE_SIZE),
        total_of(services, wanted.wanted),
        names_of(services, seat),
        services.sales.views(seat.shop_id, seat.person_id),
    )
    return Listing(
        seat=seat,
        asked=wanted,
        page=found,
        total=total,
        names=names,
        views=views,
        zone=ZoneInfo(seat.zone),
        cursor=cursor,
    )


async def total_of(services: Services, wanted: SaleFilter) -> SaleSum | None:
    try:
        return await services.sales.total(wanted)
    except BadRequest:
        return None


async def names_of(services: Services, seat: Seat) -> Names:
    names = await services.merchant.names(seat)

    def of(prefix: str) -> dict[str, str]:
        return {key: name for key, name in names.items() if key.startswith(prefix)}

    return Names(stores=of("sto_"), terminals=of("trm_"), staff=of("usr_"))


def _context(listing: Listing) -> dict[str, Any]:
    return {
        "seat": listing.seat,
        "listing": listing,
        "asked": listing.asked,
        "names": listing.names,
        "zone": listing.zone,
        "offset": offset_text(listing.zone, listing.asked.span.since),
        "local": lambda at: _local(listing.zone, at),
        "ranges": RANGES,
        "kinds": KINDS,
        "statuses": STATUSES,
        "all_columns": COLUMNS,
        "view_id": ids.new("viw"),
    }


def _local(zone: ZoneInfo, at: datetime) -> str:
    """As a field of a form takes it."""
    return f"{at.astimezone(zone):%Y-%m-%dT%H:%M}"


handlers = [show_all, show]
