"""A shop's static code: who it belongs to, and an order of the amount that the payer types."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.errors import NotFound
from backend.ids import is_id
from backend.merchant import PayStatic, StaticCode
from backend.payments import Note
from backend.services import Services
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked
from mobile_api.orders import OrderView, order_view
from mobile_api.shapes import Money, plain

SHORT_CODE_DIGITS = 8


class StaticCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """open: whether it takes payments now. short_code: the 8 digits under it."""

    object: str = "static_code"
    id: str
    short_code: str
    shop: str
    verified: bool
    store: str
    terminal: str
    open: bool


class StaticOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: Money
    note: Note = ""


@get("/v1/static-codes/{code_id:str}")
async def code(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    code_id: FromPath[str],
) -> StaticCodeView:
    """Whom a static code pays, by its id or its 8 digits.

    Refuses: not_found."""
    digits = code_id.isascii() and code_id.isdigit() and len(code_id) == SHORT_CODE_DIGITS
    if not (digits or is_id(code_id, "stc")):
        raise NotFound()
    return _view(await services.merchant.static_code(code_id))


@post("/v1/static-codes/{code_id:str}/orders", status_code=201)
async def open_order(
    data: JSONBody[StaticOrder],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    code_id: FromPath[str],
) -> OrderView:
    """An order of the amount that the caller typed, for the caller alone to pay.

    Refuses: bad_request, not_found, shop_closed, shop_frozen, own_shop, id_reused."""
    paid = PayStatic(
        order_id=once.id("ord"),
        code_id=checked(code_id, "stc"),
        payer_id=caller.person.person_id,
        amount_fen=data.amount.amount,
        note=plain(data.note),
    )
    return order_view(await services.merchant.pay_static(paid))


def _view(code: StaticCode) -> StaticCodeView:
    return StaticCodeView(
        id=code.code_id,
        short_code=code.short_code,
        shop=code.shop_name,
        verified=code.verified,
        store=code.store_name,
        terminal=code.terminal_name,
        open=code.open,
    )


handlers = [code, open_order]
