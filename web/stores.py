"""Stores and their terminals, each with a static code; closing and opening them and the shop."""

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import ids
from backend.errors import NotFound
from backend.identity import Person
from backend.merchant import Label, Seat, Store, Terminal
from backend.merchant.guard import need
from backend.payments import FeeRule
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission
from web.codes import path_of, printed_address
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg
from web.render import page

Address = Annotated[str, msgspec.Meta(max_length=100)]
BAD_NAME = msg("A name has 1 to 32 characters.")
BAD_ADDRESS = msg("An address has at most 100 characters.")
STORES = "/shop/stores"


class Row(msgspec.Struct, frozen=True):
    """A store of the list; terminals: how many are open."""

    store: Store
    terminals: int


class Code(msgspec.Struct, frozen=True):
    """A terminal and what leads payers to it. printed: for the QR code."""

    terminal: Terminal
    path: str
    printed: str


@get(STORES)
async def show(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    seat = await _seat(services, person)
    return await _list(request, services, seat, Form({"store_id": ids.new("sto")}))


@post(STORES, status_code=200)
async def open_store(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    store_id = form.id("store_id", "sto")
    name = form.text("name", Label, BAD_NAME)
    address = form.text("address", Address, BAD_ADDRESS)
    if not form or name is None or address is None:
        return await _list(request, services, seat, form, 422)
    await services.merchant.open_store(seat, store_id, name, address)
    return redirect(request, f"{STORES}/{store_id}")


@post("/shop/state", status_code=200)
async def set_open(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    seat = await _seat(services, person)
    await services.merchant.set_open(seat, Form(data)["open"] == "yes")
    return redirect(request, STORES)


@get("/shop/stores/{store_id:str}")
async def show_store(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    store_id: FromPath[str],
) -> Response[str]:
    seat = await _seat(services, person)
    return await _store(request, services, settings, seat, store_id)


@post("/shop/stores/{store_id:str}", status_code=200)
async def change_store(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    store_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    name = form.text("name", Label, BAD_NAME)
    if name is None:
        return await _store(request, services, settings, seat, store_id, form)
    closed = form["closed"] == "yes"
    await services.merchant.change_store(seat, store_id, name, closed)
    return redirect(request, f"{STORES}/{store_id}")


@post("/shop/stores/{store_id:str}/terminals", status_code=200)
async def open_terminal(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    store_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    terminal_id = form.id("terminal_id", "trm")
    name = form.text("terminal_name", Label, BAD_NAME)
    if not form or name is None:
        return await _store(request, services, settings, seat, store_id, form)
    await services.merchant.open_terminal(seat, terminal_id, store_id, name)
    return redirect(request, f"{STORES}/{store_id}")


@post("/shop/terminals/{terminal_id:str}", status_code=200)
async def change_terminal(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    terminal_id: FromPath[str],
) -> Response[str] | Response[None]:
    seat, form = await _seat(services, person), Form(data)
    terminal = await _terminal(services, seat, terminal_id)
    name = form.text(f"name_{terminal_id}", Label, BAD_NAME)
    if name is None:
        return await _store(request, services, settings, seat, terminal.store_id, form)
    closed = form["closed"] == "yes"
    await services.merchant.change_terminal(seat, terminal_id, name, closed)
    return redirect(request, f"{STORES}/{terminal.store_id}")


async def _seat(services: Services, person: Person) -> Seat:
    """Of who may see these pages. Refuses: NoShop, PermissionMissing."""
    seat = await services.merchant.seat(person.person_id)
    need(seat, Permission.STORES)
    return seat


async def _terminal(services: Services, seat: Seat, terminal_id: str) -> Terminal:
    """Refuses: NotFound."""
    for terminal in await services.merchant.terminals(seat):
        if terminal.terminal_id == terminal_id:
            return terminal
    raise NotFound()


async def _list(
    request: WebRequest, services: Services, seat: Seat, form: Form, status_code: int = 200
) -> Response[str]:
    terminals = await services.merchant.terminals(seat)
    open_ones = [terminal.store_id for terminal in terminals if not terminal.closed]
    stores = await services.merchant.stores(seat)
    return page(
        request,
        "stores/page.html",
        status_code=status_code,
        seat=seat,
        shop=await services.merchant.shop(seat.shop_id),
        rows=[Row(store, open_ones.count(store.store_id)) for store in stores],
        fees=priced(await services.payments.fees(seat.shop_id)),
        form=form,
        width="wide",
    )


async def _store(  # noqa: PLR0913 — drawn by several handlers
    request: WebRequest,
    services: Services,
    settings: Settings,
    seat: Seat,
    store_id: str,
    form: Form | None = None,
) -> Response[str]:
    """form: with what was wrong."""
    stores = {store.store_id: store for store in await services.merchant.stores(seat)}
    if store_id not in stores:
        raise NotFound()
    terminals = await services.merchant.terminals(seat, store_id)
    return page(
        request,
        "stores/store.html",
        status_code=200 if form is None else 422,
        seat=seat,
        store=stores[store_id],
        codes=[
            Code(
                terminal,
                path_of(terminal.code_id),
                printed_address(settings, terminal.code_id),
            )
            for terminal in terminals
        ],
        terminal_id=ids.new("trm"),
        form=Form() if form is None else form,  # one with errors is falsy
        width="wide",
    )


def priced(fees: tuple[FeeRule, ...]) -> list[tuple[FeeRule, str]]:
    """Lines of the schedule, each with its percentage as people read it."""
    return [(fee, percent(fee.bps)) for fee in fees]


def percent(bps: int) -> str:
    """Hundredths of a percent as people read them: 38 is "0.38%"."""
    return f"{bps // 100}.{bps % 100:02d}%"


handlers = [
    show,
    open_store,
    set_open,
    show_store,
    change_store,
    open_terminal,
    change_terminal,
]
