"""The till: an amount for customers to scan, or a customer's payment code that the till has read.

A till whose answer was lost asks again with the same Idempotency-Key: whatever was done stays
done, and while the end is open (states "user_paying" and "unknown") the answer is the truth of the
moment.
"""

import unicodedata
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.codes import addresses, classify
from backend.ids import Id
from backend.merchant import Charge, ChargeShown, Look, Seat, Shift
from backend.payments import Note, Order
from backend.risk import PayCodeInvalid
from backend.services import Services
from backend.settings import Settings
from backend.shop_roles import Permission
from backend.texts import DEFAULT, catalogue
from mobile_api.caller import Caller, Once
from mobile_api.idempotent import not_for_good
from mobile_api.listing import checked
from mobile_api.problems import language_of
from mobile_api.shapes import Amount, Money, amount_of, timestamp, timestamp_or_none

SHOWN = "shown"
CHARGE = {"permission": Permission.CHARGE}

Digits = Annotated[str, msgspec.Meta(min_length=18, max_length=64)]


class TillOrder(msgspec.Struct, frozen=True, kw_only=True):
    """state: "open", "paying", "paid", "expired", "cancelled"; of a payment code also "failed"
    (refusal says why; nothing has moved), "user_paying" (the customer is asked for a passkey until
    `expires`), "unknown" (ask again; it ends by itself: what is not settled 90 s after the code was
    read, or 2 minutes where a passkey was asked for, fails or goes back), "reversed". Clients must
    accept further states. address: what a code for customers to scan says, "" where a payment code
    was read. told: the refusal in words, for whoever stands at the till."""

    object: str = "till_order"
    id: str
    state: str
    final: bool
    refusal: str
    told: str
    amount: Amount
    fee: Amount
    note: str
    code: str
    address: str
    payment: str | None
    store: str
    terminal: str
    created: str
    expires: str
    paid: str | None


class ShiftView(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's own day so far, in the shop's zone."""

    object: str = "shift"
    since: str
    amount: Amount
    count: int
    refunded: Amount
    last: list[TillOrder]


class NewTillOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: Money
    note: Note = ""
    terminal: Id | None = None


class NewCharge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """pay_code: as it was read or typed, in groups or not."""

    amount: Money
    pay_code: Digits
    note: Note = ""
    terminal: Id | None = None


@post("/v1/till/orders", status_code=201, opt=CHARGE)
async def open_till_order(
    data: JSONBody[NewTillOrder],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> TillOrder:
    """An amount, and the address for a code that the customer scans.

    Refuses: no_shop, permission_missing, not_found, shop_closed, shop_frozen."""
    charge = Charge(
        order_id=once.id("ord"),
        amount_fen=data.amount.amount,
        note=data.note,
        terminal_id=data.terminal or "",
    )
    order = await services.merchant.charge(seat, charge)
    return till_order(settings, Look(seat=seat, order=order, state=order.status))


@post("/v1/till/charges", status_code=201, opt=CHARGE)
async def charge_pay_code(  # noqa: PLR0913 — what a handler needs arrives by name
    request: Request[Any, Any, Any],
    data: JSONBody[NewCharge],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> TillOrder:
    """Charge a customer's payment code. What refuses the payment itself is state "failed".

    Refuses: no_shop, permission_missing, not_found, shop_closed, shop_frozen, pay_code_invalid,
    too_many_guesses, own_shop, payee_frozen, device_unknown, risk_unavailable, ledger_unavailable.
    """
    order_id = once.id("ord")
    await services.merchant.charge_shown(
        seat,
        ChargeShown(
            order_id=order_id,
            payment_id=once.id("pay"),
            amount_fen=data.amount.amount,
            pay_code=_pay_code(data.pay_code, settings),
            device_secret=caller.proof,
            note=data.note,
            terminal_id=data.terminal or "",
        ),
    )
    look = await services.merchant.look(seat, order_id)
    if not look.ended:
        not_for_good(request.scope)
    return till_order(settings, look, language_of(request))


@get("/v1/till/orders/{order_id:str}", opt=CHARGE)
async def show_till_order(
    request: Request[Any, Any, Any],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> TillOrder:
    """What became of an order. A cashier sees their own.

    Refuses: no_shop, permission_missing, not_found."""
    look = await services.merchant.look(seat, checked(order_id, "ord"))
    return till_order(settings, look, language_of(request))


@post("/v1/till/orders/{order_id:str}/cancel", status_code=200, opt=CHARGE)
async def cancel_till_order(
    request: Request[Any, Any, Any],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> TillOrder:
    """Nobody can pay it any more.

    Refuses: no_shop, permission_missing, not_found, order_paid, order_busy."""
    await services.merchant.cancel(seat, checked(order_id, "ord"))
    look = await services.merchant.look(seat, order_id)
    return till_order(settings, look, language_of(request))


@post("/v1/till/orders/{order_id:str}/reverse", status_code=200, opt=CHARGE)
async def reverse_till_order(  # noqa: PLR0913 — what a handler needs arrives by name
    request: Request[Any, Any, Any],
    caller: NamedDependency[Caller],
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    order_id: FromPath[str],
) -> TillOrder:
    """The till gives up on a payment code: nothing is paid, or what was paid goes back whole. What
    the customer scanned and paid goes back by a refund.

    Refuses: no_shop, permission_missing, not_found, refund_instead, reversal_too_soon, order_busy,
    refund_busy, device_unknown, member_forbidden, insufficient_balance, refund_too_much,
    refund_too_late, payment_not_seen, payer_frozen, risk_unavailable, ledger_unavailable,
    payment_pending."""
    await services.merchant.reverse(seat, checked(order_id, "ord"), caller.proof)
    look = await services.merchant.look(seat, order_id)
    return till_order(settings, look, language_of(request))


@get("/v1/till/shift", opt=CHARGE)
async def show_shift(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> ShiftView:
    """The caller's own day at the till.

    Refuses: no_shop, permission_missing."""
    return _shift(settings, seat, await services.merchant.shift(seat))


def _pay_code(text: str, settings: Settings) -> str:
    """18 digits. Refuses: PayCodeInvalid, for whatever else was read."""
    plain = unicodedata.normalize("NFKC", "".join(text.split()))
    if classify.read(plain, settings.public_origin).kind != "pay_code":
        raise PayCodeInvalid()
    return plain.replace("-", "")


def _shift(settings: Settings, seat: Seat, shift: Shift) -> ShiftView:
    return ShiftView(
        since=timestamp(shift.since),
        amount=amount_of(shift.amount_fen),
        count=shift.count,
        refunded=amount_of(shift.refund_fen),
        last=[
            till_order(settings, Look(seat=seat, order=order, state=order.status))
            for order in shift.last
        ],
    )


def _told(look: Look, language: str) -> str:
    if not look.refusal_code:
        return ""
    text = catalogue(language).at_till_code(look.refusal_code, asked=look.asked)
    return f"{text.what} {text.money} {text.todo}"


def till_order(settings: Settings, look: Look, language: str = DEFAULT) -> TillOrder:
    """language: of what is told of a refusal."""
    order: Order = look.order
    scanned = order.code != SHOWN
    return TillOrder(
        id=order.order_id,
        state=look.state,
        final=look.ended,
        refusal=look.refusal_code,
        told=_told(look, language),
        amount=amount_of(order.amount_fen),
        fee=amount_of(order.fee_fen),
        note=order.note,
        code=order.code,
        address=addresses.printed(settings.public_origin, order.order_id) if scanned else "",
        payment=order.payment_id,
        store=order.store_id,
        terminal=order.terminal_id,
        created=timestamp(order.created_at),
        expires=timestamp(order.expires_at),
        paid=timestamp_or_none(order.paid_at),
    )


handlers = [
    open_till_order,
    charge_pay_code,
    show_till_order,
    cancel_till_order,
    reverse_till_order,
    show_shift,
]
