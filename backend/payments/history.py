"""Orders, payments and refunds that have ended, many at once: the demo's year of history.

Rows as the driver leaves them, put in without the way there. In the caller's transaction, which
writes bills and sales too.
"""

from collections.abc import Sequence

import msgspec

from backend.db import TX
from backend.payments.records import ORDER_NAMES, OrderRow, PaymentRow, add_refunded
from backend.payments.refund_rows import RefundRow

_TYPES = {
    "amount_fen": "bigint",
    "fee_fen": "bigint",
    "refunded_fen": "bigint",
    "journal_seq": "bigint",
    "asked": "boolean",
    "reversal": "boolean",
    "intent": "bytea",
    "verdict": "bytea",
    "refusal": "bytea",
    "sealed_terms": "bytea",
}


async def insert_orders(rows: Sequence[OrderRow]) -> None:
    await _insert("payments.orders", OrderRow, rows)


async def insert_payments(rows: Sequence[PaymentRow]) -> None:
    await _insert("payments.payment", PaymentRow, rows)


async def insert_refunds(rows: Sequence[RefundRow]) -> None:
    """No two of the same payment."""
    await _insert("payments.refund", RefundRow, rows)
    for row in rows:
        await add_refunded(row.payment_id, row.amount_fen)


async def _insert(table: str, kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct]) -> None:
    assert TX.current_transaction.get(), "history belongs to one transaction with bills and sales"
    names = ORDER_NAMES if kind is OrderRow else kind.__struct_fields__
    columns = ", ".join(names)
    arrays = ", ".join(f"${n}::{_type(name)}[]" for n, name in enumerate(names, 1))
    await TX.query(
        f"insert into {table} ({columns}) select * from unnest({arrays})"  # noqa: S608 — our names
        " on conflict do nothing",
        *([getattr(row, name) for row in rows] for name in names),
    )


def _type(name: str) -> str:
    return _TYPES.get(name, "timestamptz" if name.endswith(("_at", "_until")) else "text")
