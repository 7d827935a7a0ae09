"""Stores and their terminals, each terminal with a static code that customers scan."""

from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from backend.codes import addresses
from backend.merchant import Label, Seat, Store, Terminal
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission
from mobile_api.caller import Once
from mobile_api.listing import checked
from mobile_api.seat import MEMBER
from mobile_api.shapes import Page, page_of, timestamp

Address = Annotated[str, msgspec.Meta(max_length=100)]


class StoreView(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "store"
    id: str
    name: str
    address: str
    closed: bool
    created: str


class TerminalView(msgspec.Struct, frozen=True, kw_only=True):
    """code: of its static code; address: what that code's symbol says; short_code: its 8 digits."""

    object: str = "terminal"
    id: str
    store: str
    name: str
    code: str
    address: str
    short_code: str
    closed: bool
    created: str


class NewStore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Label
    address: Address = ""


class NewTerminal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: str
    name: Label


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Label
    closed: bool


@get("/v1/shop/stores", opt={"permission": MEMBER})
async def list_stores(
    seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> Page[StoreView]:
    """The stores; a cashier of one sees that one.

    Refuses: no_shop."""
    return page_of([_store(found) for found in await services.merchant.stores(seat)])


@post("/v1/shop/stores", status_code=201, opt={"permission": Permission.STORES})
async def open_store(
    data: JSONBody[NewStore],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> StoreView:
    """A further store.

    Refuses: no_shop, permission_missing, too_many."""
    return _store(await services.merchant.open_store(seat, once.id("sto"), data.name, data.address))


@put("/v1/shop/stores/{store_id:str}", opt={"permission": Permission.STORES})
async def change_store(
    data: JSONBody[Change],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    store_id: FromPath[str],
) -> StoreView:
    """Rename it, close it, open it again.

    Refuses: no_shop, permission_missing, not_found."""
    store = checked(store_id, "sto")
    return _store(await services.merchant.change_store(seat, store, data.name, data.closed))


@get("/v1/shop/terminals", opt={"permission": MEMBER})
async def list_terminals(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    store: FromQuery[str] = "",
) -> Page[TerminalView]:
    """Where a till can stand, of all stores or of one.

    Refuses: no_shop, not_found."""
    found = await services.merchant.terminals(seat, checked(store, "sto") if store else "")
    return page_of([_terminal(settings, each) for each in found])


@post("/v1/shop/terminals", status_code=201, opt={"permission": Permission.STORES})
async def open_terminal(
    data: JSONBody[NewTerminal],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> TerminalView:
    """A till or a table, with a static code of its own.

    Refuses: no_shop, permission_missing, not_found, too_many."""
    made = await services.merchant.open_terminal(
        seat, once.id("trm"), checked(data.store, "sto"), data.name
    )
    return _terminal(settings, made)


@put("/v1/shop/terminals/{terminal_id:str}", opt={"permission": Permission.STORES})
async def change_terminal(
    data: JSONBody[Change],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    terminal_id: FromPath[str],
) -> TerminalView:
    """Rename it, close it, open it again.

    Refuses: no_shop, permission_missing, not_found."""
    terminal = checked(terminal_id, "trm")
    changed = await services.merchant.change_terminal(seat, terminal, data.name, data.closed)
    return _terminal(settings, changed)


def _store(store: Store) -> StoreView:
    return StoreView(
        id=store.store_id,
        name=store.name,
        address=store.address,
        closed=store.closed,
        created=timestamp(store.created_at),
    )


def _terminal(settings: Settings, terminal: Terminal) -> TerminalView:
    return TerminalView(
        id=terminal.terminal_id,
        store=terminal.store_id,
        name=terminal.name,
        code=terminal.code_id,
        address=addresses.printed(settings.public_origin, terminal.code_id),
        short_code=terminal.short_code,
        closed=terminal.closed,
        created=timestamp(terminal.created_at),
    )


handlers = [
    list_stores,
    open_store,
    change_store,
    list_terminals,
    open_terminal,
    change_terminal,
]
