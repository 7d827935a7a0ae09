"""The rule book of paying an order: pure decisions over facts that others fetched."""

from datetime import datetime, timedelta

from backend.clock import from_ms
from backend.ids import is_id
from backend.payments import (
    CHARGE_PATIENCE,
    SHORT_OF_DEADLINE,
    AmountChanged,
    NotForYou,
    OpenOrder,
    OrderBusy,
    OrderCancelled,
    OrderExpired,
    OrderPaid,
    OwnCode,
    OwnShop,
)
from backend.payments.records import OrderRow, PaymentRow
from backend.posting import MAX_TRANSFERS
from backend.verdict import SignedVerdict

CODES = frozenset({"dynamic", "static", "shown", "none"})
CLAIM_LIFE = timedelta(minutes=2)  # as long as a passkey ceremony lives


def masked(name: str) -> str:
    """A name as strangers see it."""
    return f"*{name[1:]}"


def is_person(payee_id: str) -> bool:
    return payee_id.startswith("usr_")


def is_shop(payee_id: str) -> bool:
    return payee_id.startswith("mch_")


def is_pot(payee_id: str) -> bool:
    """Money put aside for others: a red packet or a delayed transfer."""
    return payee_id.startswith(("red_", "trf_"))


def sound(new: OpenOrder) -> bool:
    """Whether it is an order at all; whether the terms are good, the security system says."""
    if is_pot(new.payee_id):
        return (
            (new.owner_id, new.code) == ("", "none")
            and is_id(new.payer_id, "usr")
            and new.terms is not None
            and 1 <= new.terms.shares <= MAX_TRANSFERS
        )
    if new.terms is not None or not new.owner_id or new.code not in CODES:
        return False
    if is_person(new.payee_id):
        # What needs no code is opened by who pays.
        return new.code != "shown" and (new.code != "none" or is_id(new.payer_id, "usr"))
    return is_shop(new.payee_id)


def expired(order: OrderRow, now: datetime) -> bool:
    return order.status == "expired" or (order.status == "open" and _open_until(order) <= now)


def driven_on_at(order: OrderRow, verdict: SignedVerdict, now: datetime) -> datetime:
    """When an authorized payment is driven on. Of a till's charge that is its end, too: then the
    ledger takes it no more, and what it took unknown to us goes back."""
    if order.code == "shown":
        return from_ms(verdict.verdict.expires_at_ms)
    return now + SHORT_OF_DEADLINE


def check_payable(
    order: OrderRow, holder: PaymentRow | None, payer_id: str, payment_id: str, now: datetime
) -> None:
    """Whether this payment may claim the order. `holder`: the payment that has it now.

    Refuses in this order: NotForYou, OrderPaid, OrderExpired, OrderCancelled, OrderBusy, OwnShop or
    OwnCode.
    """
    if order.payer_id not in ("", payer_id) or not _may_charge(order, payment_id):
        raise NotForYou()
    if order.status == "paid":
        assert holder is not None, "a paid order names its payment"
        raise OrderPaid(by_you="yes" if holder.payer_id == payer_id else "no")
    if expired(order, now) or _over(order, holder, now):
        raise OrderExpired()
    if order.status == "cancelled":
        raise OrderCancelled()
    if holder is not None and _holds_on(order, holder, payer_id, payment_id, now):
        raise OrderBusy()
    if order.owner_id == payer_id:
        raise OwnCode() if is_person(order.payee_id) else OwnShop()


def check_amount(order: OrderRow, amount_fen: int) -> None:
    """Refuses: AmountChanged."""
    if order.amount_fen != amount_fen:
        raise AmountChanged()


def takeable(order: OrderRow, holder: PaymentRow | None, now: datetime) -> bool:
    """Whether the shop may take the order back although somebody claimed it. Who is asked at the
    till is not there any more when the till gives up."""
    if holder is None or order.code == "shown":
        return holder is None or holder.status != "authorized"
    return holder.status != "authorized" and not _claimed(order, now)


def _open_until(order: OrderRow) -> datetime:
    """A till waits for its payer to be found no longer than for its answer."""
    if order.code == "shown":
        return min(order.expires_at, order.created_at + CHARGE_PATIENCE)
    return order.expires_at


def _may_charge(order: OrderRow, payment_id: str) -> bool:
    """An order by payment code is paid by the payment that its till began, or just looked at."""
    return payment_id in ("", order.charge_id) or order.code != "shown"


def _over(order: OrderRow, holder: PaymentRow | None, now: datetime) -> bool:
    """Claimed but out of time. What has a verdict is left to end by itself."""
    under_way = holder is not None and holder.status == "authorized"
    ends_at = order.expires_at
    if order.code == "shown" and order.claimed_until is not None:
        ends_at = min(ends_at, order.claimed_until)  # the till waits no longer
    return order.status == "paying" and ends_at <= now and not under_way


def _holds_on(
    order: OrderRow, holder: PaymentRow, payer_id: str, payment_id: str, now: datetime
) -> bool:
    if holder.payment_id == payment_id:
        return False
    if holder.status == "authorized":
        return True
    # A payer who came back with a new form does not stand in the own way.
    return holder.payer_id != payer_id and _claimed(order, now)


def _claimed(order: OrderRow, now: datetime) -> bool:
    return order.claimed_until is not None and order.claimed_until > now
