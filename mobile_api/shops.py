"""Opening a shop, and choosing which one to act for."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.ids import Id
from backend.merchant import CATEGORIES, Category, OpenShop, Seat, Shop, ShopName, Zone
from backend.plain import is_plain
from backend.services import Services
from backend.shop_roles import Permission
from mobile_api.caller import Caller, Once
from mobile_api.fields import FieldError
from mobile_api.seat import MEMBER
from mobile_api.shapes import Page, page_of, timestamp
from mobile_api.strict import Invalid


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller is in a shop, and may do there. store: a cashier's one, "" for all. Clients
    must accept further roles and permissions."""

    object: str = "seat"
    id: str  # of the shop
    shop: str
    role: str
    permissions: list[str]
    store: str
    zone: str  # IANA name; the shop's days begin by it
    owner: bool


class ShopView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "closed" (by its people), "frozen"."""

    object: str = "shop"
    id: str
    name: str
    category: str
    zone: str
    verified: bool
    status: str
    created: str


class NewShop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ShopName
    category: Annotated[Category, msgspec.Meta(description=", ".join(CATEGORIES))]
    zone: Zone = "Asia/Shanghai"


class TakeSeat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    shop: Id


class ShopState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    open: bool


@get("/v1/seats")
async def list_seats(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[SeatView]:
    """Every shop that the caller belongs to, the one sat in last first."""
    seats = await services.merchant.seats(caller.person.person_id)
    return page_of([seat_view(seat) for seat in seats])


@post("/v1/seats", status_code=200)
async def take_seat(
    data: JSONBody[TakeSeat],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
) -> SeatView:
    """Act for this shop from now on, on every device.

    Refuses: not_found."""
    return seat_view(await services.merchant.take_seat(caller.person.person_id, data.shop))


@post("/v1/shops", status_code=201)
async def open_shop(
    data: JSONBody[NewShop],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> ShopView:
    """Open a shop with a first store and terminal. A person opens one.

    Refuses: bad_request, has_shop, device_unknown."""
    if not is_plain(data.name):
        raise Invalid(FieldError(pointer="/name", code="wrong_form"))
    shop = await services.merchant.open_shop(
        OpenShop(
            shop_id=once.id("mch"),
            owner_id=caller.person.person_id,
            name=data.name,
            category=data.category,
            zone=data.zone,
            device_secret=caller.proof,
        )
    )
    return _shop(shop)


@get("/v1/shop", opt={"permission": MEMBER})
async def show_shop(seat: NamedDependency[Seat], services: NamedDependency[Services]) -> ShopView:
    """The shop that the caller acts for.

    Refuses: no_shop."""
    return _shop(await services.merchant.shop(seat.shop_id))


@post("/v1/shop/state", status_code=200, opt={"permission": Permission.STORES})
async def set_shop_state(
    data: JSONBody[ShopState], seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> ShopView:
    """Take payments, or none for now.

    Refuses: no_shop, permission_missing."""
    return _shop(await services.merchant.set_open(seat, data.open))


def seat_view(seat: Seat) -> SeatView:
    return SeatView(
        id=seat.shop_id,
        shop=seat.shop_name,
        role=seat.role,
        permissions=sorted(seat.permissions),
        store=seat.store_id,
        zone=seat.zone,
        owner=seat.owner_id == seat.person_id,
    )


def _shop(shop: Shop) -> ShopView:
    return ShopView(
        id=shop.shop_id,
        name=shop.name,
        category=shop.category,
        zone=shop.zone,
        verified=shop.verified,
        status=shop.status,
        created=timestamp(shop.created_at),
    )


handlers = [list_seats, take_seat, open_shop, show_shop, set_shop_state]
