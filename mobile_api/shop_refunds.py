"""Giving money back: refunds of an order, with a passkey where one is asked for, and what payers
ask."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.errors import NotFound
from backend.merchant import GiveBack, RefundCase, RefundRequest, Seat
from backend.payments import Refund
from backend.services import Services
from backend.shop_roles import Permission
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation, RequirementView, requirement_view, until_done
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked
from mobile_api.seat import MEMBER
from mobile_api.shapes import (
    Amount,
    Money,
    Page,
    amount_of,
    page_of,
    timestamp,
    timestamp_or_none,
)

REFUND = {"permission": Permission.REFUND}

Said = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ShopRefund(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (answer `requirement`), "authorized", "posted", "refused". requirement:
    null when nothing is asked for. staff: null of what went back by itself, because it came too
    late for its till. Clients must accept further values."""

    object: str = "refund"
    id: str
    order: str
    payment: str
    amount: Amount
    fee: Amount  # what the shop gets back of it
    reason: str
    reversal: bool
    staff: str | None
    status: str
    refusal: str
    created: str
    posted: str | None
    requirement: RequirementView | None = None


class OrderRefunds(msgspec.Struct, frozen=True, kw_only=True):
    """left: what can still be given back."""

    object: str = "order_refunds"
    id: str  # of the order
    paid: Amount
    left: Amount
    refunds: list[ShopRefund]


class NewRefund(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: Money
    reason: Said


class RequestView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "granted" (a refund came), "declined"."""

    object: str = "refund_request"
    id: str
    order: str
    payment: str
    amount: Amount
    reason: str
    status: str
    answer: str
    created: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    answer: Said


@get("/v1/shop/orders/{order_id:str}/refunds", opt=REFUND)
async def list_order_refunds(
    seat: NamedDependency[Seat], services: NamedDependency[Services], order_id: FromPath[str]
) -> OrderRefunds:
    """What came back of a paid order, and what still can.

    Refuses: no_shop, permission_missing, not_found."""
    case = await services.merchant.refund_case(seat, checked(order_id, "ord"))
    return OrderRefunds(
        id=order_id,
        paid=amount_of(case.payment.amount_fen),
        left=amount_of(case.left_fen),
        refunds=[_refund(refund) for refund in case.refunds],
    )


@post("/v1/shop/orders/{order_id:str}/refunds", status_code=201, opt=REFUND)
async def refund_order(  # noqa: PLR0913 — what a handler needs arrives by name
    data: JSONBody[NewRefund],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    order_id: FromPath[str],
) -> ShopRefund:
    """Give back all or a part; done at once, or with the passkey that `requirement` asks for.

    Refuses: no_shop, permission_missing, not_found, refund_too_much, refund_too_late, refund_busy,
    member_forbidden, device_unknown, needs_passkey, payer_frozen, payment_not_seen,
    insufficient_balance, risk_unavailable, ledger_unavailable, payment_pending."""
    case = await services.merchant.refund_case(seat, checked(order_id, "ord"))
    give_back = GiveBack(
        refund_id=once.id("rfd"),
        payment_id=case.payment.payment_id,
        amount_fen=data.amount.amount,
        reason=data.reason,
        device_secret=caller.proof,
    )
    started = await services.merchant.refund(seat, give_back)
    return until_done(once, _refund(started.refund, requirement_view(started.requirement)))


@get("/v1/shop/orders/{order_id:str}/refunds/{refund_id:str}", opt=REFUND)
async def show_refund(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    order_id: FromPath[str],
    refund_id: FromPath[str],
) -> ShopRefund:
    """What became of it.

    Refuses: no_shop, permission_missing, not_found."""
    case = await services.merchant.refund_case(seat, checked(order_id, "ord"))
    return _refund(_of(case, refund_id))


@post(
    "/v1/shop/orders/{order_id:str}/refunds/{refund_id:str}/ceremony",
    status_code=200,
    opt=REFUND | FRESH,
)
async def begin_refund_again(
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    order_id: FromPath[str],
    refund_id: FromPath[str],
) -> ShopRefund:
    """A fresh ceremony for a refund that waits for the caller's passkey.

    Refuses: no_shop, permission_missing, not_found, refund_too_much,
    refund_too_late, refund_busy, member_forbidden, device_unknown, needs_passkey, payer_frozen,
    payment_not_seen, insufficient_balance, intent_expired, risk_unavailable, ledger_unavailable,
    payment_pending.
    """
    case = await services.merchant.refund_case(seat, checked(order_id, "ord"))
    stored = _of(case, refund_id)
    if not case.waits_for(stored):
        return _refund(stored)
    again = GiveBack(
        refund_id=stored.refund_id,
        payment_id=stored.payment_id,
        amount_fen=stored.amount_fen,
        reason=stored.reason,
        device_secret=caller.proof,
    )
    started = await services.merchant.refund(seat, again)
    return _refund(started.refund, requirement_view(started.requirement))


@post("/v1/shop/orders/{order_id:str}/refunds/{refund_id:str}/confirm", status_code=200, opt=REFUND)
async def confirm_refund(  # noqa: PLR0913 — what a handler needs arrives by name
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    order_id: FromPath[str],
    refund_id: FromPath[str],
) -> ShopRefund:
    """The passkey's answer: the money goes back.

    Refuses: no_shop, permission_missing, not_found, ceremony_invalid, passkey_refused, intent_used,
    intent_expired, refund_too_much, refund_too_late, refund_busy, member_forbidden, device_unknown,
    payer_frozen, payment_not_seen, insufficient_balance, risk_unavailable, ledger_unavailable,
    payment_pending.
    """
    case = await services.merchant.refund_case(seat, checked(order_id, "ord"))
    stored = _of(case, refund_id)
    return _refund(
        await services.merchant.confirm_refund(
            seat, stored.refund_id, caller.proof, data.ceremony_id, data.response_json
        )
    )


@get("/v1/shop/refund-requests", opt={"permission": MEMBER})
async def list_refund_requests(
    seat: NamedDependency[Seat], services: NamedDependency[Services]
) -> Page[RequestView]:
    """Open ones, oldest first, for who may refund or see the orders.

    Refuses: no_shop, permission_missing."""
    return page_of([_request(each) for each in await services.merchant.refund_requests(seat)])


@post("/v1/shop/refund-requests/{request_id:str}/decline", status_code=200, opt=REFUND)
async def decline_refund_request(
    data: JSONBody[Answer],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    request_id: FromPath[str],
) -> RequestView:
    """No, and why. One that was answered already is told as it is.

    Refuses: no_shop, permission_missing, not_found."""
    asked = checked(request_id, "rrq")
    return _request(await services.merchant.decline_refund(seat, asked, data.answer))


def _of(case: RefundCase, refund_id: str) -> Refund:
    """Refuses: NotFound."""
    found = case.refund(refund_id)
    if found is None:
        raise NotFound()
    return found


def _refund(refund: Refund, requirement: RequirementView | None = None) -> ShopRefund:
    return ShopRefund(
        id=refund.refund_id,
        order=refund.order_id,
        payment=refund.payment_id,
        amount=amount_of(refund.amount_fen),
        fee=amount_of(refund.fee_fen),
        reason=refund.reason,
        reversal=refund.reversal,
        staff=refund.actor_id or None,
        status=refund.status,
        refusal=refund.refusal_code,
        created=timestamp(refund.created_at),
        posted=timestamp_or_none(refund.posted_at),
        requirement=requirement,
    )


def _request(asked: RefundRequest) -> RequestView:
    return RequestView(
        id=asked.request_id,
        order=asked.order_id,
        payment=asked.payment_id,
        amount=amount_of(asked.amount_fen),
        reason=asked.reason,
        status=asked.status,
        answer=asked.answer,
        created=timestamp(asked.created_at),
    )


handlers = [
    list_order_refunds,
    refund_order,
    show_refund,
    begin_refund_again,
    confirm_refund,
    list_refund_requests,
    decline_refund_request,
]
