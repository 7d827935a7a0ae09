"""Rows of orders and payments, and the one function per table that changes a status.

Every change of a payment locks its order first; the order's row is what concurrent payers meet at.
"""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import DomainError, from_wire, to_wire
from backend.errors import Refusal as WireRefusal
from backend.intent import Intent, PotTerms
from backend.payments import Order, Payment
from backend.verdict import SignedVerdict

PAYMENT_MOVES = frozenset(
    {
        ("created", "created"),  # claimed again, or let go: only the deadline changes
        ("created", "authorized"),
        ("created", "refused"),
        ("authorized", "authorized"),  # the ledger's answer was lost
        ("authorized", "posted"),
        ("authorized", "refused"),
    }
)
ORDER_MOVES = frozenset(
    {
        ("open", "paying"),
        ("open", "expired"),
        ("open", "cancelled"),
        ("paying", "paying"),  # claimed again, or by another payment
        ("paying", "open"),
        ("paying", "paid"),
    }
)


class OrderRow(Order, frozen=True, kw_only=True):
    """claimed_until: while it is "paying", when another payment may take it over.

    Of an order by payment code: charge_id, the one payment that may pay it; asked, whether its
    payer is asked for a passkey; closed_code, why it was closed before there was a payment.
    """

    claimed_until: datetime | None = None
    charge_id: str = ""
    asked: bool = False
    closed_code: str = ""
    sealed_terms: bytes | None = None  # msgpack; `terms` itself is filled for readers only

    def pot_terms(self) -> PotTerms | None:
        if self.sealed_terms is None:
            return None
        return msgspec.msgpack.decode(self.sealed_terms, type=PotTerms)


ORDER_NAMES = tuple(name for name in OrderRow.__struct_fields__ if name != "terms")
ORDER_COLUMNS = ", ".join(ORDER_NAMES)
_NEW_ORDER = (
    "order_id, payee_id, owner_id, payee_name, amount_fen, fee_fen, note, code, store_id,"
    " terminal_id, opened_by, payer_id, created_at, expires_at, charge_id, sealed_terms"
)


class OrderMove(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is to be, besides its status; payer_id "" and asked False leave it as it is."""

    enters: str
    payment_id: str | None = None
    claimed_until: datetime | None = None
    payer_id: str = ""
    asked: bool = False
    closed_code: str = ""


class PaymentRow(Payment, frozen=True, kw_only=True):
    """intent, verdict, refusal: msgpack, as they were given or answered."""

    payer_name: str
    owner_id: str
    note: str
    intent: bytes
    verdict: bytes | None
    refusal: bytes | None
    deadline_at: datetime

    def asked(self) -> Intent:
        return msgspec.msgpack.decode(self.intent, type=Intent)

    def leave(self) -> SignedVerdict:
        assert self.verdict is not None, "only a payment that was authorized has a verdict"
        return msgspec.msgpack.decode(self.verdict, type=SignedVerdict)

    def why_refused(self) -> DomainError:
        assert self.refusal is not None, "only a refused payment has a refusal"
        return from_wire(msgspec.msgpack.decode(self.refusal, type=WireRefusal))


_PAYMENT = ", ".join(PaymentRow.__struct_fields__)


class PaymentMove(msgspec.Struct, frozen=True, kw_only=True):
    """What changes along with a payment's status; None or "" leaves a column as it is."""

    leaves: str
    enters: str
    deadline_at: datetime | None = None
    verdict: SignedVerdict | None = None
    refusal: DomainError | None = None
    posted_at: datetime | None = None
    journal_seq: int | None = None


async def find_order(order_id: str) -> OrderRow | None:
    return await TX.one(
        OrderRow,
        f"select {ORDER_COLUMNS} from payments.orders where order_id = $1",  # noqa: S608
        order_id,
    )


async def lock_order(order_id: str) -> OrderRow:
    """The order as it is now, and stays until the caller's transaction ends."""
    [order] = await TX.query_as(
        OrderRow,
        f"select {ORDER_COLUMNS} from payments.orders where order_id = $1 for no key update",  # noqa: S608
        order_id,
    )
    return order


async def insert_order(order: OrderRow) -> OrderRow | None:
    """The order as stored; None if there is one of that id."""
    names = _NEW_ORDER.split(", ")
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    return await TX.one(
        OrderRow,
        f"insert into payments.orders ({_NEW_ORDER}) values ({places})"  # noqa: S608
        f" on conflict do nothing returning {ORDER_COLUMNS}",
        *(getattr(order, name) for name in names),
    )


async def move_order(order: OrderRow, move: OrderMove) -> OrderRow | None:
    """The order in its new state; None if it was not in `order.status` any more."""
    assert (order.status, move.enters) in ORDER_MOVES, f"no way {order.status} to {move.enters}"
    return await TX.one(
        OrderRow,
        "update payments.orders set status = $3, payment_id = $4, claimed_until = $5,"  # noqa: S608
        " payer_id = case $6::text when '' then payer_id else $6 end, asked = asked or $7,"
        " closed_code = $8"
        f" where order_id = $1 and status = $2 returning {ORDER_COLUMNS}",
        order.order_id,
        order.status,
        move.enters,
        move.payment_id,
        move.claimed_until,
        move.payer_id,
        move.asked,
        move.closed_code,
    )


async def pay_order(order_id: str, payment_id: str, paid_at: datetime) -> OrderRow | None:
    """paying → paid, if it is this payment that has the order; else None."""
    return await TX.one(
        OrderRow,
        "update payments.orders set status = 'paid', claimed_until = null, paid_at = $3"  # noqa: S608
        " where order_id = $1 and payment_id = $2 and status = 'paying'"
        f" returning {ORDER_COLUMNS}",
        order_id,
        payment_id,
        paid_at,
    )


async def find_payment(payment_id: str) -> PaymentRow | None:
    return await TX.one(
        PaymentRow,
        f"select {_PAYMENT} from payments.payment where payment_id = $1",  # noqa: S608
        payment_id,
    )


async def insert_payment(row: PaymentRow) -> bool:
    """Whether it is new."""
    rows = await TX.query(
        "insert into payments.payment (payment_id, order_id, payer_id, payer_name, owner_id,"
        " payee_id, payee_name, amount_fen, fee_fen, note, intent, event_at, created_at,"
        " deadline_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " on conflict do nothing returning payment_id",
        row.payment_id,
        row.order_id,
        row.payer_id,
        row.payer_name,
        row.owner_id,
        row.payee_id,
        row.payee_name,
        row.amount_fen,
        row.fee_fen,
        row.note,
        row.intent,
        row.event_at,
        row.created_at,
        row.deadline_at,
    )
    return bool(rows)


async def lock_payment(payment_id: str) -> PaymentRow | None:
    """As it is now, and stays until the caller's transaction ends. For refunds, which meet here:
    the order of a posted payment does not change any more."""
    return await TX.one(
        PaymentRow,
        f"select {_PAYMENT} from payments.payment where payment_id = $1"  # noqa: S608
        " for no key update",
        payment_id,
    )


async def add_refunded(payment_id: str, amount_fen: int) -> PaymentRow:
    """The database refuses more than the payment was of."""
    [row] = await TX.query_as(
        PaymentRow,
        "update payments.payment set refunded_fen = refunded_fen + $2"  # noqa: S608
        f" where payment_id = $1 returning {_PAYMENT}",
        payment_id,
        amount_fen,
    )
    return row


async def move_payment(payment_id: str, move: PaymentMove) -> PaymentRow | None:
    """The payment in its new state; None if it was not in `move.leaves` any more."""
    assert (move.leaves, move.enters) in PAYMENT_MOVES, f"no way {move.leaves} to {move.enters}"
    pack = msgspec.msgpack.encode
    return await TX.one(
        PaymentRow,
        "update payments.payment set status = $3, deadline_at = coalesce($4, deadline_at),"  # noqa: S608
        " verdict = coalesce($5, verdict), level = coalesce($6, level),"
        " refusal_code = coalesce($7, refusal_code), refusal = coalesce($8, refusal),"
        " posted_at = coalesce($9, posted_at), journal_seq = coalesce($10, journal_seq)"
        f" where payment_id = $1 and status = $2 returning {_PAYMENT}",
        payment_id,
        move.leaves,
        move.enters,
        move.deadline_at,
        pack(move.verdict) if move.verdict else None,
        move.verdict.verdict.level if move.verdict else None,
        move.refusal.code if move.refusal else None,
        pack(to_wire(move.refusal)) if move.refusal else None,
        move.posted_at,
        move.journal_seq,
    )
