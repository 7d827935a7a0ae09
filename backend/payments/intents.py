"""The intent of a payment and the row that keeps it."""

import secrets
from datetime import datetime

import msgspec

from backend.clock import to_ms
from backend.intent import Intent
from backend.payments import StartPayment
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.rules import fee_fen, masked
from backend.posting import Posting, Transfer

FEE_ACCOUNT = "fee:income"


def person_account(person_id: str) -> str:
    return f"person:{person_id}"


def shop_account(payee_id: str) -> str:
    return f"shop:{payee_id}"


def new_payment(
    order: OrderRow, start: StartPayment, payer_name: str, now: datetime, deadline_at: datetime
) -> PaymentRow:
    intent = _intent(order, start, now)
    return PaymentRow(
        payment_id=start.payment_id,
        order_id=order.order_id,
        payer_id=start.payer_id,
        payer_name=masked(payer_name),
        owner_id=order.owner_id,
        payee_id=order.payee_id,
        payee_name=order.payee_name,
        amount_fen=order.amount_fen,
        fee_fen=intent.fee_fen,
        note=order.note,
        intent=msgspec.msgpack.encode(intent),
        verdict=None,
        level="",
        status="created",
        refusal_code="",
        refusal=None,
        event_at=start.event_at or now,
        created_at=now,
        deadline_at=deadline_at,
        posted_at=None,
        journal_seq=None,
    )


def _intent(order: OrderRow, start: StartPayment, now: datetime) -> Intent:
    payer, shop = person_account(start.payer_id), shop_account(order.payee_id)
    fee = fee_fen(order.amount_fen, start.event_at or now)
    transfers = [Transfer(payer, shop, order.amount_fen)]
    if fee:
        transfers.append(Transfer(shop, FEE_ACCOUNT, fee))
    return Intent(
        intent_id=start.payment_id,
        kind="pay",
        payer_id=start.payer_id,
        payee_id=order.payee_id,
        payee_name=order.payee_name,
        amount_fen=order.amount_fen,
        fee_fen=fee,
        source=payer,
        code="dynamic",
        posting=Posting(
            posting_id=start.payment_id,
            reason="pay",
            transfers=tuple(transfers),
            event_at_ms=to_ms(start.event_at) if start.event_at else 0,
        ),
        expires_at_ms=to_ms(order.expires_at),
        nonce=secrets.token_bytes(32),
    )
