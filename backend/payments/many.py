"""Rows of many payments in one statement. Every change of a payment locks its order first."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from backend.db import TX
from backend.payments.records import (
    ORDER_COLUMNS,
    ORDER_MOVES,
    ORDER_NAMES,
    PAYMENT_MOVES,
    OrderRow,
    PaymentMove,
    PaymentRow,
)

_PAYMENT = ", ".join(PaymentRow.__struct_fields__)
_INSERTED = {
    "payment_id": "text",
    "order_id": "text",
    "payer_id": "text",
    "payer_name": "text",
    "owner_id": "text",
    "payee_id": "text",
    "payee_name": "text",
    "amount_fen": "bigint",
    "fee_fen": "bigint",
    "note": "text",
    "intent": "bytea",
    "event_at": "timestamptz",
    "created_at": "timestamptz",
    "deadline_at": "timestamptz",
}
_ARRAYS = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_INSERTED.values(), 1))
_INSERT = f"""
insert into payments.payment ({", ".join(_INSERTED)})
select * from unnest({_ARRAYS}) on conflict do nothing returning payment_id
"""  # noqa: S608

# Whoever else has hold of one of them is not waited for: that order is not the plain case.
_LOCK = f"""
select {ORDER_COLUMNS} from payments.orders where order_id = any($1) and status = $2
order by order_id for no key update skip locked
"""  # noqa: S608
_CLAIM = """
update payments.orders o
set status = 'paying', payment_id = q.payment_id, claimed_until = q.until, closed_code = ''
from unnest($1::text[], $2::text[], $3::timestamptz[]) as q (order_id, payment_id, until)
where o.order_id = q.order_id and o.status = $4
"""
_PAY = f"""
with due as (
    select o.order_id from payments.orders o
    join unnest($1::text[], $2::text[]) as q (order_id, payment_id)
        on o.order_id = q.order_id and o.payment_id = q.payment_id
    where o.status = 'paying' order by o.order_id for no key update of o skip locked
)
update payments.orders o set status = 'paid', claimed_until = null, paid_at = $3
from due where o.order_id = due.order_id
returning {", ".join(f"o.{name}" for name in ORDER_NAMES)}
"""  # noqa: S608
_MOVE = f"""
update payments.payment p
set status = q.enters, deadline_at = coalesce(q.deadline_at, p.deadline_at),
    verdict = coalesce(q.verdict, p.verdict), level = coalesce(q.level, p.level),
    posted_at = coalesce(q.posted_at, p.posted_at),
    journal_seq = coalesce(q.journal_seq, p.journal_seq)
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bytea[], $6::text[],
        $7::timestamptz[], $8::bigint[])
    as q (payment_id, leaves, enters, deadline_at, verdict, level, posted_at, journal_seq)
where p.payment_id = q.payment_id and p.status = q.leaves
returning {", ".join(f"p.{name}" for name in PaymentRow.__struct_fields__)}
"""  # noqa: S608


async def find_orders(order_ids: Sequence[str]) -> list[OrderRow | None]:
    """In the order asked."""
    rows = await TX.query_as(
        OrderRow,
        f"select {ORDER_COLUMNS} from payments.orders where order_id = any($1)",  # noqa: S608
        order_ids,
    )
    found = {row.order_id: row for row in rows}
    return [found.get(order_id) for order_id in order_ids]


async def find_payments(payment_ids: Sequence[str]) -> list[PaymentRow | None]:
    """In the order asked."""
    rows = await TX.query_as(
        PaymentRow,
        f"select {_PAYMENT} from payments.payment where payment_id = any($1)",  # noqa: S608
        payment_ids,
    )
    found = {row.payment_id: row for row in rows}
    return [found.get(payment_id) for payment_id in payment_ids]


async def lock_orders(order_ids: Sequence[str], status: str) -> dict[str, OrderRow]:
    """Those in this state that nobody else has hold of."""
    rows = await TX.query_as(OrderRow, _LOCK, order_ids, status)
    return {row.order_id: row for row in rows}


async def insert_payments(rows: Sequence[PaymentRow]) -> set[str]:
    """The ids of those that are new."""
    columns = [[getattr(row, name) for row in rows] for name in _INSERTED]
    return {row["payment_id"] for row in await TX.query(_INSERT, *columns)}


async def claim_orders(rows: Sequence[PaymentRow], status: str) -> None:
    """status → paying, each by its payment until that one's deadline. The orders are locked."""
    assert (status, "paying") in ORDER_MOVES
    await TX.query(
        _CLAIM,
        [row.order_id for row in rows],
        [row.payment_id for row in rows],
        [row.deadline_at for row in rows],
        status,
    )


async def pay_orders(rows: Sequence[PaymentRow], paid_at: datetime) -> dict[str, OrderRow]:
    """paying → paid, those that their payment has and nobody else has hold of."""
    paid = await TX.query_as(
        OrderRow, _PAY, [row.order_id for row in rows], [row.payment_id for row in rows], paid_at
    )
    return {order.order_id: order for order in paid}


async def move_payments(moves: Mapping[str, PaymentMove]) -> dict[str, PaymentRow]:
    """By their ids: those that were in the state that they leave, in their new one."""
    for move in moves.values():
        assert (move.leaves, move.enters) in PAYMENT_MOVES, f"{move.leaves} to {move.enters}"
        assert move.refusal is None, "each is refused for a reason of its own"
    pack, each = msgspec.msgpack.encode, moves.values()
    rows = await TX.query_as(
        PaymentRow,
        _MOVE,
        list(moves),
        [move.leaves for move in each],
        [move.enters for move in each],
        [move.deadline_at for move in each],
        [pack(move.verdict) if move.verdict else None for move in each],
        [move.verdict.verdict.level if move.verdict else None for move in each],
        [move.posted_at for move in each],
        [move.journal_seq for move in each],
    )
    return {row.payment_id: row for row in rows}
