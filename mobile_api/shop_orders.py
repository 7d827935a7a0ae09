"""A shop's orders and refunds, found by filters; and the filters that somebody keeps."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from backend.clock import Clock
from backend.merchant import Seat
from backend.sales import Sale, SaleFilter, SavedView
from backend.services import Services
from backend.shop_roles import Permission
from backend.shop_time import EARLIEST, LATEST, MINUTE, day_begins, local_day
from mobile_api.caller import Once
from mobile_api.fields import FieldError
from mobile_api.listing import checked
from mobile_api.shapes import (
    USUAL_LIMIT,
    Amount,
    Page,
    amount_of,
    limited,
    page_of,
    timestamp,
    timestamp_or_none,
)
from mobile_api.strict import Invalid

ORDERS = {"permission": Permission.ORDERS}

Searched = Annotated[str, msgspec.Meta(max_length=64, pattern="^[^\0]*$")]
Since = Annotated[
    str, QueryParameter(name="created[gte]", description="RFC 3339; otherwise the shop's today")
]
Until = Annotated[str, QueryParameter(name="created[lt]", description="RFC 3339; otherwise now")]
Least = Annotated[int | None, QueryParameter(name="amount[gte]", description="Whole fen")]
Most = Annotated[int | None, QueryParameter(name="amount[lte]", description="Whole fen")]


class SaleView(msgspec.Struct, frozen=True, kw_only=True):
    """object "order" or "refund". status of an order: "open", "paid", "expired", "cancelled"; of a
    refund: "pending", "succeeded", "refused". payer: masked. Clients must accept further values."""

    object: str
    id: str
    order: str
    payment: str
    status: str
    amount: Amount
    fee: Amount
    refunded: Amount
    note: str
    code: str
    payer: str
    store: str
    terminal: str
    staff: str
    tries: int
    created: str
    ended: str | None


class OrderInFull(msgspec.Struct, frozen=True, kw_only=True):
    """left: what can still be refunded."""

    object: str = "shop_order"
    id: str
    order: SaleView
    refunds: list[SaleView]
    left: Amount


class ViewView(msgspec.Struct, frozen=True, kw_only=True):
    """query: of the web's list of orders."""

    object: str = "order_view"
    id: str
    name: str
    query: str


class NewView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    query: Annotated[str, msgspec.Meta(max_length=1000)]


@get("/v1/shop/orders", opt=ORDERS)
async def list_shop_orders(  # noqa: PLR0913 — one parameter per filter
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    since: Since = "",
    until: Until = "",
    least: Least = None,
    most: Most = None,
    kind: FromQuery[str] = "",
    status: FromQuery[str] = "",
    store: FromQuery[str] = "",
    terminal: FromQuery[str] = "",
    staff: FromQuery[str] = "",
    q: FromQuery[str] = "",
    limit: FromQuery[int] = USUAL_LIMIT,
    cursor: FromQuery[str] = "",
) -> Page[SaleView]:
    """Orders and refunds, newest first. A page may be short or empty and still have a next one.

    kind: "order" or "refund"; status: one of theirs, or "refunded"; q: a number, or a part of note
    or payer.

    Refuses: no_shop, permission_missing, bad_request, invalid_request."""
    now = clock.now()
    today = day_begins(ZoneInfo(seat.zone), local_day(ZoneInfo(seat.zone), now))
    wanted = SaleFilter(
        shop_id=seat.shop_id,
        since=_moment("created[gte]", since) or today,
        until=_moment("created[lt]", until) or now + MINUTE,
        kind=kind,
        status=status,
        store_id=seat.store_id or store,
        terminal_id=terminal,
        actor_id=staff,
        min_fen=least,
        max_fen=most,
        text=_text(q),
    )
    found = await services.sales.page(wanted, cursor, limited(limit))
    return page_of([sale_view(sale) for sale in found.sales], found.next_cursor)


@get("/v1/shop/orders/{order_id:str}", opt=ORDERS)
async def show_shop_order(
    seat: NamedDependency[Seat], services: NamedDependency[Services], order_id: FromPath[str]
) -> OrderInFull:
    """An order and its refunds.

    Refuses: no_shop, permission_missing, not_found."""
    order, *refunds = await services.sales.of_order(seat.shop_id, checked(order_id, "ord"))
    left = order.amount_fen - order.refunded_fen if order.status == "paid" else 0
    return OrderInFull(
        id=order.order_id,
        order=sale_view(order),
        refunds=[sale_view(refund) for refund in refunds],
        left=amount_of(left),
    )


@get("/v1/shop/views", opt=ORDERS)
async def list_order_views(
    seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> Page[ViewView]:
    """The filters that the caller keeps.

    Refuses: no_shop, permission_missing."""
    return page_of([_view(v) for v in await services.sales.views(seat.shop_id, seat.person_id)])


@post("/v1/shop/views", status_code=201, opt=ORDERS)
async def save_order_view(
    data: JSONBody[NewView],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> ViewView:
    """Keep a filter under a name, at most 20 of them.

    Refuses: no_shop, permission_missing, bad_request."""
    view = SavedView(view_id=once.id("viw"), name=data.name, query=data.query)
    await services.sales.save_view(seat.shop_id, seat.person_id, view)
    return _view(view)


@delete("/v1/shop/views/{view_id:str}", status_code=204, opt=ORDERS)
async def forget_order_view(
    seat: NamedDependency[Seat], services: NamedDependency[Services], view_id: FromPath[str]
) -> None:
    """Keep it no longer.

    Refuses: no_shop, permission_missing, not_found."""
    await services.sales.forget_view(seat.shop_id, seat.person_id, checked(view_id, "viw"))


def sale_view(sale: Sale) -> SaleView:
    return SaleView(
        object=sale.kind,
        id=sale.sale_id,
        order=sale.order_id,
        payment=sale.payment_id,
        status=sale.status,
        amount=amount_of(sale.amount_fen),
        fee=amount_of(sale.fee_fen),
        refunded=amount_of(sale.refunded_fen),
        note=sale.note,
        code=sale.code,
        payer=sale.payer_name,
        store=sale.store_id,
        terminal=sale.terminal_id,
        staff=sale.actor_id,
        tries=sale.tries,
        created=timestamp(sale.created_at),
        ended=timestamp_or_none(sale.ended_at),
    )


def _view(view: SavedView) -> ViewView:
    return ViewView(id=view.view_id, name=view.name, query=view.query)


def _moment(name: str, text: str) -> datetime | None:
    """Refuses: Invalid."""
    if not text:
        return None
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        found = None
    if found is None or found.tzinfo is None or not EARLIEST <= found.date() <= LATEST:
        raise Invalid(FieldError(parameter=name, code="wrong_form"))
    return found


def _text(text: str) -> str:
    """Refuses: Invalid."""
    try:
        return msgspec.convert(text, Searched)
    except msgspec.ValidationError:
        raise Invalid(FieldError(parameter="q", code="wrong_form")) from None


handlers = [
    list_shop_orders,
    show_shop_order,
    list_order_views,
    save_order_view,
    forget_order_view,
]
