"""What came too late for its till: payments by payment code that must go back. Rows only."""

from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.payments import REVERSAL_WAIT
from backend.payments.records import PaymentRow

CLOCKS_APART = timedelta(seconds=2)  # the security system counts the till's wait by its own clock
MAX_KEPT = 20  # shown to the shop


class WayBack(msgspec.Struct, frozen=True):
    """state: "" (it stays), "under_way" or "reversed". waits_for: the code of what is in its way,
    "" where it just goes."""

    state: str
    waits_for: str = ""


async def too_late(payment: PaymentRow, now: datetime) -> None:
    """In the transaction that notes the posting: from here on it goes back, whoever dies."""
    assert payment.posted_at is not None, "it is posted"
    await TX.query(
        "insert into payments.late (payment_id, due_at) values ($1, $2)",
        payment.payment_id,
        max(now + CLOCKS_APART, payment.posted_at + REVERSAL_WAIT),
    )


async def way_back(payment_id: str) -> WayBack:
    [row] = await TX.query(
        "select exists (select 1 from payments.refund"
        " where payment_id = $1 and reversal and status = 'posted') as reversed,"
        " (select waits_for from payments.late where payment_id = $1 and ended = '') as waits_for",
        payment_id,
    )
    if row["reversed"]:
        return WayBack("reversed")
    return WayBack("") if row["waits_for"] is None else WayBack("under_way", row["waits_for"])


async def kept(shop_id: str) -> tuple[str, ...]:
    """Orders whose payment did not go back, nor has anybody given back any of it since."""
    rows = await TX.query(
        "select p.order_id from payments.late join payments.payment p using (payment_id)"
        " where ended = 'kept' and p.payee_id = $1 and p.refunded_fen = 0"
        " order by p.posted_at, payment_id limit $2",
        shop_id,
        MAX_KEPT,
    )
    return tuple(row["order_id"] for row in rows)


async def going_back(payment_ids: tuple[str, ...]) -> frozenset[str]:
    """Of these, what goes back or has gone."""
    if not payment_ids:
        return frozenset()
    rows = await TX.query(
        "select payment_id from payments.late where payment_id = any($1) and ended <> 'kept'",
        list(payment_ids),
    )
    return frozenset(row["payment_id"] for row in rows)


async def take_due(now: datetime, again_at: datetime, limit: int) -> list[str]:
    """Payments whose turn it is; nobody else's before again_at."""
    rows = await TX.query(
        "update payments.late set due_at = $2 where payment_id in ("
        " select payment_id from payments.late where ended = '' and due_at <= $1"
        " order by due_at, payment_id limit $3 for no key update skip locked)"
        " returning payment_id",
        now,
        again_at,
        limit,
    )
    return sorted(row["payment_id"] for row in rows)


async def postpone(payment_id: str, due_at: datetime, waits_for: str) -> None:
    await TX.query(
        "update payments.late set due_at = $2, waits_for = $3 where payment_id = $1 and ended = ''",
        payment_id,
        due_at,
        waits_for,
    )


async def end(payment_id: str, how: str) -> bool:
    """how: "reversed", or "kept". False: it had ended."""
    rows = await TX.query(
        "update payments.late set ended = $2 where payment_id = $1 and ended = ''"
        " returning payment_id",
        payment_id,
        how,
    )
    return bool(rows)
