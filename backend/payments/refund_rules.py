"""The rule book of refunds: pure decisions over facts that others fetched."""

from datetime import datetime, timedelta

from backend.errors import BadRequest, NotFound
from backend.fees import returned_fee
from backend.money import Fen
from backend.payments import REVERSAL_WAIT, RefundBusy, ReversalTooSoon, StartRefund
from backend.payments.records import PaymentRow
from backend.payments.rules import is_shop
from backend.risk import RefundTooMuch

ZERO = timedelta()


def check_refundable(payment: PaymentRow | None, start: StartRefund, now: datetime) -> PaymentRow:
    """The payment, if this much of it may go back as far as we know.

    Refuses in this order: NotFound, BadRequest (part of a reversal), RefundTooMuch,
    ReversalTooSoon.
    """
    if payment is None or payment.payee_id != start.shop_id or not is_shop(start.shop_id):
        raise NotFound()
    if payment.status != "posted":
        raise NotFound()
    if start.reversal and start.amount_fen != payment.amount_fen:
        raise BadRequest()
    left_fen = payment.amount_fen - payment.refunded_fen
    if start.amount_fen > left_fen:
        raise RefundTooMuch(left_fen=left_fen)
    assert payment.posted_at is not None, "a posted payment has its moment"
    wait = payment.posted_at + REVERSAL_WAIT - now
    if start.reversal and wait > ZERO:
        raise ReversalTooSoon(seconds=-(-wait // timedelta(seconds=1)))
    return payment


def check_share(payment: PaymentRow, amount_fen: int, fee_fen: int) -> None:
    """Whether what the refund was signed for still holds. Refuses: RefundTooMuch, RefundBusy
    (another refund came between, so that the fee's share is another)."""
    left_fen = payment.amount_fen - payment.refunded_fen
    if amount_fen > left_fen:
        raise RefundTooMuch(left_fen=left_fen)
    if fee_back(payment, amount_fen) != fee_fen:
        raise RefundBusy()


def fee_back(payment: PaymentRow, amount_fen: int) -> Fen:
    return returned_fee(payment.fee_fen, payment.amount_fen, payment.refunded_fen, amount_fen)
