"""What the shop will read of orders and refunds: rows for the sales module."""

from datetime import datetime

import msgspec

from backend.payments import Refund
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.rules import is_shop
from backend.sales import Sale


def sold(order: OrderRow, status: str, ended_at: datetime | None = None) -> tuple[Sale, ...]:
    """An order that is not paid. Nothing, if its payee is no shop."""
    if not is_shop(order.payee_id):
        return ()
    return (
        Sale(
            sale_id=order.order_id,
            shop_id=order.payee_id,
            kind="order",
            order_id=order.order_id,
            store_id=order.store_id,
            terminal_id=order.terminal_id,
            actor_id=_cashier(order),
            code=order.code,
            status=status,
            amount_fen=order.amount_fen,
            fee_fen=order.fee_fen,
            note=order.note,
            created_at=order.created_at,
            ended_at=ended_at,
        ),
    )


def sold_for(order: OrderRow, payment: PaymentRow) -> tuple[Sale, ...]:
    """A paid order, with what was refunded of it so far."""
    assert payment.journal_seq is not None, "it is posted"
    # The sums of the demo's history belong where it says that it happened.
    at_once = payment.event_at == payment.created_at
    return tuple(
        msgspec.structs.replace(
            sale,
            payment_id=payment.payment_id,
            payer_name=payment.payer_name,
            fee_fen=payment.fee_fen,
            refunded_fen=payment.refunded_fen,
            journal_seq=payment.journal_seq,
        )
        for sale in sold(order, "paid", payment.posted_at if at_once else payment.event_at)
    )


def refunded(
    order: OrderRow, payment: PaymentRow, refund: Refund, now: datetime | None = None
) -> tuple[Sale, ...]:
    """A refund, whatever became of it. now: where it may have been refused just now."""
    status = {"posted": "succeeded", "refused": "refused"}.get(refund.status, "pending")
    return (
        Sale(
            sale_id=refund.refund_id,
            shop_id=refund.shop_id,
            kind="refund",
            order_id=refund.order_id,
            payment_id=refund.payment_id,
            store_id=order.store_id,
            terminal_id=order.terminal_id,
            actor_id=refund.actor_id,
            code=order.code,
            status=status,
            payer_name=payment.payer_name,
            amount_fen=refund.amount_fen,
            fee_fen=refund.fee_fen,
            note=refund.reason,
            journal_seq=refund.journal_seq or 0,
            created_at=refund.created_at,
            ended_at=now if status == "refused" else refund.posted_at,
        ),
    )


def _cashier(order: OrderRow) -> str:
    """A payer who opened the order at a static code is nobody of the shop."""
    return "" if order.code == "static" else order.opened_by
