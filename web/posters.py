"""Posters of a terminal's static code: choose size and form, look, download, print."""

import asyncio
from typing import cast, get_args

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from backend.clock import Clock
from backend.codes import account, addresses
from backend.drawing import pdf, svg
from backend.drawing.layout import Poster, Size, sheet
from backend.errors import BadRequest, NotFound
from backend.identity import Person
from backend.merchant import Seat, Shop, Store, Terminal
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission
from web.http import WebRequest
from web.render import page
from web.shop_seat import seat_with

SIZES = get_args(Size)
FORMS = ("address", "emv")

# ISO 18245, as EMVCo payloads carry it.
CATEGORIES = {
    "food": "5812",
    "retail": "5399",
    "services": "7299",
    "travel": "4722",
    "health": "8099",
    "education": "8299",
}
OTHER_CATEGORY = "5999"

# One at a time: the typefaces are read as they are used, and it is all computing.
_turn = asyncio.Semaphore(1)


class Choice(msgspec.Struct, frozen=True):
    """size: one of SIZES; form: what the code holds, one of FORMS."""

    size: Size
    form: str


class Place(msgspec.Struct, frozen=True):
    seat: Seat
    shop: Shop
    store: Store
    terminal: Terminal


@get("/shop/terminals/{terminal_id:str}/poster")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    terminal_id: FromPath[str],
    size: FromQuery[str] = "a6",
    form: FromQuery[str] = "address",
) -> Response[str]:
    place, choice = await _place(services, person, terminal_id), _choice(size, form)
    return page(
        request,
        "posters/page.html",
        seat=place.seat,
        place=place,
        choice=choice,
        file=f"/shop/terminals/{terminal_id}/poster",
        query=f"size={choice.size}&form={choice.form}",
        width="wide",
    )


@get("/shop/terminals/{terminal_id:str}/poster.svg")
async def as_svg(  # noqa: PLR0913 — what a handler needs arrives by name
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    terminal_id: FromPath[str],
    size: FromQuery[str] = "a6",
    form: FromQuery[str] = "address",
) -> Response[bytes]:
    place, choice = await _place(services, person, terminal_id), _choice(size, form)
    poster = _poster(place, settings, choice)
    async with _turn:
        body = await asyncio.to_thread(lambda: svg.drawn(sheet(poster, choice.size)))
    return _file(body, "image/svg+xml", f"{_name(place, choice)}.svg", "inline")


@get("/shop/terminals/{terminal_id:str}/poster.pdf")
async def as_pdf(  # noqa: PLR0913 — what a handler needs arrives by name
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    clock: NamedDependency[Clock],
    terminal_id: FromPath[str],
    size: FromQuery[str] = "a6",
    form: FromQuery[str] = "address",
) -> Response[bytes]:
    place, choice = await _place(services, person, terminal_id), _choice(size, form)
    poster, now = _poster(place, settings, choice), clock.now()
    async with _turn:
        body = await asyncio.to_thread(lambda: pdf.drawn(sheet(poster, choice.size), now))
    return _file(body, "application/pdf", f"{_name(place, choice)}.pdf", "attachment")


async def _place(services: Services, person: Person, terminal_id: str) -> Place:
    """Refuses: NoShop, PermissionMissing, NotFound."""
    seat = await seat_with(services, person, Permission.STORES)
    shop, stores, terminals = await asyncio.gather(
        services.merchant.shop(seat.shop_id),
        services.merchant.stores(seat),
        services.merchant.terminals(seat),
    )
    for terminal in terminals:
        if terminal.terminal_id == terminal_id:
            store = next(store for store in stores if store.store_id == terminal.store_id)
            return Place(seat, shop, store, terminal)
    raise NotFound()


def _choice(size: str, form: str) -> Choice:
    if size not in SIZES or form not in FORMS:
        raise BadRequest()
    return Choice(cast(Size, size), form)


def _poster(place: Place, settings: Settings, choice: Choice) -> Poster:
    code_id = place.terminal.code_id
    if choice.form == "emv":
        payload = account.static(
            code_id,
            place.shop.name,
            _city(place.shop.zone),
            CATEGORIES.get(place.shop.category, OTHER_CATEGORY),
            place.terminal.short_code,
        )
    else:
        payload = addresses.printed(settings.public_origin, code_id)
    return Poster(
        shop_name=place.shop.name,
        store_name=place.store.name,
        terminal_name=place.terminal.name,
        short_code=place.terminal.short_code,
        payload=payload,
    )


def _city(zone: str) -> str:
    """The payload wants a Latin one: "Asia/Shanghai" has it."""
    return zone.rpartition("/")[2].replace("_", " ")


def _name(place: Place, choice: Choice) -> str:
    return f"yipay-{place.terminal.short_code}-{choice.size}"


def _file(body: bytes, media_type: str, name: str, how: str) -> Response[bytes]:
    headers = {
        "Content-Disposition": f'{how}; filename="{name}"',
        # A drawing is no page: opened alone, it may load and run nothing.
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    }
    return Response(body, media_type=media_type, headers=headers)


handlers = [show, as_svg, as_pdf]
