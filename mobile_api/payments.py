"""Paying: at once, or with a passkey; and what became of it."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.errors import NotFound
from backend.ids import Id
from backend.payments import Confirm, Payment, StartPayment
from backend.risk import Requirement
from backend.services import Services
from backend.wallet.paying import payment_id_of
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation, RequirementView, requirement_view, until_done
from mobile_api.idempotent import FRESH
from mobile_api.listing import checked
from mobile_api.orders import OrderView, order_view
from mobile_api.shapes import Amount, Money, Page, amount_of, page_of, timestamp, timestamp_or_none


class NewPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amount: what the payer saw; another than the order's is refused."""

    order: Id
    amount: Money


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created", "authorized", "posted", "refused"; the last two are final. requirement:
    what it still takes, null when nothing."""

    object: str = "payment"
    id: str
    order: str
    payee: str
    amount: Amount
    refunded: Amount
    level: str
    status: str
    refusal_code: str
    created: str
    posted: str | None
    requirement: RequirementView | None = None


class WaitingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order by payment code that waits for the caller's passkey: start a payment of it."""

    object: str = "waiting_order"
    order: OrderView
    payment: str


@post("/v1/payments", status_code=201)
async def start(
    data: JSONBody[NewPayment],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
) -> PaymentView:
    """Pay an order. Small sums are paid at once; else answer the requirement's ceremony.

    Refuses: bad_request, not_found, id_reused, order_paid, order_expired, order_cancelled,
    order_busy, own_shop, not_for_you, amount_changed, insufficient_balance, payee_frozen,
    payer_frozen, limit_exceeded, needs_passkey, passkey_required, known_payees_only,
    device_unknown, intent_expired, intent_used, insufficient_funds, account_frozen,
    payment_abandoned, risk_unavailable, ledger_unavailable, payment_pending."""
    order = await services.payments.order(data.order)
    payment_id = payment_id_of(order, once.id("pay"))
    view = await _start(services, caller, payment_id, data.order, data.amount.amount)
    return until_done(once, view)


@get("/v1/payments/asked")
async def asked(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> Page[WaitingOrder]:
    """Orders by payment code that wait for the caller's passkey."""
    found = await services.payments.asked(caller.person.person_id)
    return page_of([WaitingOrder(order=order_view(o), payment=o.payment_id or "") for o in found])


@get("/v1/payments/{payment_id:str}")
async def payment(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    payment_id: FromPath[str],
) -> PaymentView:
    """What became of a payment of the caller's.

    Refuses: not_found."""
    return _view(await _own(services, caller, payment_id))


@post("/v1/payments/{payment_id:str}/ceremony", status_code=200, opt=FRESH)
async def ceremony(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    payment_id: FromPath[str],
) -> PaymentView:
    """A fresh ceremony for a payment that still waits for its passkey.

    Refuses: not_found, order_paid, order_expired, order_cancelled, order_busy,
    insufficient_balance, payee_frozen, payer_frozen, limit_exceeded, needs_passkey,
    device_unknown, payment_abandoned, risk_unavailable, ledger_unavailable, payment_pending."""
    found = await _own(services, caller, payment_id)
    return await _start(services, caller, payment_id, found.order_id, found.amount_fen)


@post("/v1/payments/{payment_id:str}/confirm", status_code=200)
async def confirm(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    payment_id: FromPath[str],
) -> PaymentView:
    """Pay with the passkey's answer.

    Refuses: bad_request, not_found, ceremony_invalid, passkey_refused, passkey_required,
    order_paid, order_expired, order_cancelled, order_busy, payee_frozen, payer_frozen,
    limit_exceeded, known_payees_only, device_unknown, intent_expired, intent_used,
    insufficient_balance, insufficient_funds, account_frozen, payment_abandoned, risk_unavailable,
    ledger_unavailable, payment_pending."""
    answer = Confirm(
        payment_id=checked(payment_id, "pay"),
        payer_id=caller.person.person_id,
        device_secret=caller.proof,
        ceremony_id=data.ceremony_id,
        response_json=data.response_json,
    )
    return _view(await services.payments.confirm(answer))


async def _start(
    services: Services, caller: Caller, payment_id: str, order_id: str, amount_fen: int
) -> PaymentView:
    started = await services.payments.start(
        StartPayment(
            payment_id=payment_id,
            order_id=order_id,
            payer_id=caller.person.person_id,
            amount_fen=amount_fen,
            device_secret=caller.proof,
            address=caller.address,
        )
    )
    return _view(started.payment, started.requirement)


async def _own(services: Services, caller: Caller, payment_id: str) -> Payment:
    """Refuses: NotFound (also to the shop's owner, who has it as a bill)."""
    person_id = caller.person.person_id
    found = await services.payments.payment(person_id, checked(payment_id, "pay"))
    if found.payer_id != person_id:
        raise NotFound()
    return found


def _view(payment: Payment, requirement: Requirement | None = None) -> PaymentView:
    return PaymentView(
        id=payment.payment_id,
        order=payment.order_id,
        payee=payment.payee_name,
        amount=amount_of(payment.amount_fen),
        refunded=amount_of(payment.refunded_fen),
        level=payment.level,
        status=payment.status,
        refusal_code=payment.refusal_code,
        created=timestamp(payment.created_at),
        posted=timestamp_or_none(payment.posted_at),
        requirement=requirement_view(requirement),
    )


handlers = [start, asked, payment, ceremony, confirm]
