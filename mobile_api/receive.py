"""Receiving from another person: one's own codes, and what a payer of one sees."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.codes import addresses
from backend.payments import NewReceiveCode, Note, OpenReceived, ReceiveCode
from backend.services import Services
from backend.settings import Settings
from mobile_api.caller import Caller, Once
from mobile_api.listing import checked
from mobile_api.orders import OrderView, order_view
from mobile_api.shapes import Amount, Money, amount_of, plain


class NewCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amount null and no note: the code that takes any amount, always the same one."""

    amount: Money | None = None
    note: Note = ""


class ReceivedOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amount: what the payer typed, or the code's own."""

    amount: Money


class ReceiveCodeView(msgspec.Struct, frozen=True, kw_only=True):
    """As anybody sees it: the name masked. printed: the text of the QR code."""

    object: str = "receive_code"
    id: str
    name: str
    amount: Amount | None
    note: str
    printed: str
    own: bool


@post("/v1/receive-codes", status_code=201)
async def create(
    data: JSONBody[NewCode],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> ReceiveCodeView:
    """A code of the caller's own, for any amount or for one.

    Refuses: bad_request, id_reused, too_many_receive_codes."""
    new = NewReceiveCode(
        code_id=once.id("rcv"),
        person_id=caller.person.person_id,
        amount_fen=data.amount.amount if data.amount else None,
        note=plain(data.note),
    )
    return _view(await services.payments.new_receive_code(new), caller, settings)


@get("/v1/receive-codes/{code_id:str}")
async def code(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    code_id: FromPath[str],
) -> ReceiveCodeView:
    """Who would get the money, and how much of it.

    Refuses: not_found."""
    found = await services.payments.receive_code(checked(code_id, "rcv"))
    return _view(found, caller, settings)


@post("/v1/receive-codes/{code_id:str}/orders", status_code=201)
async def open_order(
    data: JSONBody[ReceivedOrder],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    code_id: FromPath[str],
) -> OrderView:
    """An order to the code's owner, for the caller alone to pay.

    Refuses: not_found, own_code, amount_changed, id_reused, payee_frozen."""
    opened = OpenReceived(
        order_id=once.id("ord"),
        code_id=checked(code_id, "rcv"),
        payer_id=caller.person.person_id,
        amount_fen=data.amount.amount,
    )
    return order_view(await services.payments.open_received(opened))


def _view(code: ReceiveCode, caller: Caller, settings: Settings) -> ReceiveCodeView:
    return ReceiveCodeView(
        id=code.code_id,
        name=code.name,
        amount=amount_of(code.amount_fen) if code.amount_fen else None,
        note=code.note,
        printed=addresses.printed(settings.public_origin, code.code_id),
        own=code.person_id == caller.person.person_id,
    )


handlers = [create, code, open_order]
