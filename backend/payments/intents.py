"""The intent of a payment and the row that keeps it."""

import secrets
from datetime import datetime

import msgspec

from backend.clock import to_ms
from backend.intent import Intent
from backend.payments.records import OrderRow, PaymentRow
from backend.payments.rules import masked
from backend.posting import Posting, Transfer

FEE_ACCOUNT = "fee:income"


class _Way(msgspec.Struct, frozen=True):
    """kind: of the intent and the reason of its posting. account: the kind of the payee's."""

    kind: str
    account: str


_WAYS = {
    "mch": _Way("pay", "shop"),
    "usr": _Way("transfer", "person"),
    "red": _Way("packet", "packet"),
    "trf": _Way("delayed", "escrow"),
}  # by the payee's prefix


def person_account(person_id: str) -> str:
    return f"person:{person_id}"


def shop_account(payee_id: str) -> str:
    return f"shop:{payee_id}"


def payee_account(payee_id: str) -> str:
    return f"{_WAYS[payee_id[:3]].account}:{payee_id}"


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays with which payment. event_at: see `StartPayment`."""

    payment_id: str
    payer_id: str
    name: str
    event_at: datetime | None = None


def new_payment(order: OrderRow, payer: Payer, now: datetime) -> PaymentRow:
    """Its deadline is set when it claims its order."""
    return PaymentRow(
        payment_id=payer.payment_id,
        order_id=order.order_id,
        payer_id=payer.payer_id,
        payer_name=masked(payer.name),
        owner_id=order.owner_id,
        payee_id=order.payee_id,
        payee_name=order.payee_name,
        amount_fen=order.amount_fen,
        fee_fen=order.fee_fen,
        note=order.note,
        intent=msgspec.msgpack.encode(_intent(order, payer)),
        verdict=None,
        level="",
        status="created",
        refusal_code="",
        refusal=None,
        event_at=payer.event_at or now,
        created_at=now,
        deadline_at=now,
        posted_at=None,
        journal_seq=None,
    )


def kind_of_payment(payee_id: str) -> str:
    """As the security system calls it."""
    return _WAYS[payee_id[:3]].kind


def _intent(order: OrderRow, payer: Payer) -> Intent:
    source, payee = person_account(payer.payer_id), payee_account(order.payee_id)
    transfers = [Transfer(source, payee, order.amount_fen)]
    if order.fee_fen:
        transfers.append(Transfer(payee, FEE_ACCOUNT, order.fee_fen))
    kind = kind_of_payment(order.payee_id)
    return Intent(
        intent_id=payer.payment_id,
        kind=kind,
        payer_id=payer.payer_id,
        payee_id=order.payee_id,
        payee_name=order.payee_name,
        amount_fen=order.amount_fen,
        fee_fen=order.fee_fen,
        source=source,
        code=order.code,
        posting=Posting(
            posting_id=payer.payment_id,
            reason=kind,
            transfers=tuple(transfers),
            event_at_ms=to_ms(payer.event_at) if payer.event_at else 0,
        ),
        expires_at_ms=to_ms(order.expires_at),
        nonce=secrets.token_bytes(32),
        terms=order.pot_terms(),
    )
