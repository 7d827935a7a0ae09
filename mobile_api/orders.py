"""Orders, as anybody who has the code may see them, and what paying one takes."""

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from backend.errors import NotFound
from backend.payments import Order
from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.consent import RequirementView, requirement_view
from mobile_api.listing import checked
from mobile_api.shapes import Amount, amount_of, timestamp


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """What a code stands for. Clients must accept further values of `status`."""

    object: str = "order"
    id: str
    payee: str
    amount: Amount
    note: str
    status: str
    created: str  # RFC 3339
    expires: str


class QuoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What paying it now would take: a forecast without a ceremony. short: what is missing in the
    balance."""

    object: str = "quote"
    order: OrderView
    requirement: RequirementView | None
    available: Amount
    short: Amount


@get("/v1/orders/{order_id:str}", opt={"open": True})
async def order(order_id: FromPath[str], services: NamedDependency[Services]) -> OrderView:
    """What a code asks for. One that was opened for a single person is only quoted, to them.

    Refuses: not_found."""
    found = await services.payments.order(checked(order_id, "ord"))
    if found.payer_id:
        raise NotFound()
    return order_view(found)


@get("/v1/orders/{order_id:str}/quote")
async def quote(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    order_id: FromPath[str],
) -> QuoteView:
    """What paying an order would take and cost the caller; nothing is stored.

    Refuses: not_found, order_paid, order_expired, order_cancelled, order_busy, own_shop,
    not_for_you, payee_frozen, payer_frozen, limit_exceeded, needs_passkey, device_unknown,
    risk_unavailable, ledger_unavailable."""
    found = await services.payments.quote(
        checked(order_id, "ord"), caller.person.person_id, caller.proof
    )
    return QuoteView(
        order=order_view(found.order),
        requirement=requirement_view(found.requirement),
        available=amount_of(found.balance.available_fen),
        short=amount_of(found.short_fen),
    )


def order_view(found: Order) -> OrderView:
    return OrderView(
        id=found.order_id,
        payee=found.payee_name,
        amount=amount_of(found.amount_fen),
        note=found.note,
        status=found.status,
        created=timestamp(found.created_at),
        expires=timestamp(found.expires_at),
    )


handlers = [order, quote]
