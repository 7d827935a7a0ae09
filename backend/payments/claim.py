"""Claiming an order for one payment: the place where concurrent payers meet."""

from datetime import datetime, timedelta

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused
from backend.events import News
from backend.payments.parts import Parts
from backend.payments.records import (
    OrderMove,
    OrderRow,
    PaymentMove,
    PaymentRow,
    find_payment,
    insert_payment,
    lock_order,
    move_order,
    move_payment,
)
from backend.payments.rules import check_payable
from backend.payments.selling import sold


async def claim(row: PaymentRow, life: timedelta, clock: Clock) -> PaymentRow:
    """Store the payment if it is new and hold its order for it during `life`.

    A payment that went on meanwhile, by the same call in another tab, comes back as it is.
    Refuses: IdReused, and as `check_payable`.
    """
    now = clock.now()
    async with TX.transaction():
        order = await lock_order(row.order_id)
        row = msgspec.structs.replace(row, deadline_at=_until(order, now + life))
        holder = await holder_of(order)
        mine = holder if holder is not None and holder.payment_id == row.payment_id else None
        if mine is not None and mine.status != "created":
            return mine
        check_payable(order, holder, row.payer_id, row.payment_id, now)
        if mine is not None or not await insert_payment(row):
            # From here on with the intent that was stored first, not with ours.
            row = await _renew(row)
        if row.status != "created":
            return row
        await move_order(
            order,
            OrderMove(
                enters="paying",
                payment_id=row.payment_id,
                claimed_until=row.deadline_at,
                payer_id=row.payer_id if order.code == "shown" else "",
            ),
        )
    return row


async def ask(parts: Parts, row: PaymentRow) -> PaymentRow:
    """The payer of an order by payment code is asked for a passkey, until the order's end."""
    async with TX.transaction():
        order = await lock_order(row.order_id)
        holder = await holder_of(order)
        if holder is None or holder.payment_id != row.payment_id or holder.status != "created":
            return await find_payment(row.payment_id) or row
        if order.asked:
            return holder
        until = order.expires_at
        await move_order(
            order,
            OrderMove(enters="paying", payment_id=row.payment_id, claimed_until=until, asked=True),
        )
        move = PaymentMove(leaves="created", enters="created", deadline_at=until)
        await parts.events.record_all(
            (
                News(f"person:{row.payer_id}", "payment_asked", row.order_id),
                News(f"order:{row.order_id}", "payment_asked", row.order_id),
            )
        )
        return await move_payment(row.payment_id, move) or holder


async def free(parts: Parts, order: OrderRow, *, closed_code: str = "") -> str:
    """An order whose payment failed is open again; answers the event that this is.

    But the payment code that brought the payer is burnt: its order is closed, and the next code is
    read for a new one. Inside the caller's transaction; the order is locked.
    """
    if order.status == "paying":
        order = await move_order(order, OrderMove(enters="open")) or order
    now = parts.clock.now()
    if order.code != "shown" or order.status != "open" or order.expires_at <= now:
        return "order_open"
    await move_order(order, OrderMove(enters="cancelled", closed_code=closed_code))
    await parts.sales.record(sold(order, "cancelled", now))
    return "order_cancelled"


def _until(order: OrderRow, wished: datetime) -> datetime:
    """Who was asked at the till has the order until its end, and nobody for longer."""
    if order.code != "shown":
        return wished
    return order.expires_at if order.asked else min(wished, order.expires_at)


async def _renew(row: PaymentRow) -> PaymentRow:
    """Refuses: IdReused."""
    known = await find_payment(row.payment_id)
    assert known is not None, "payments are never deleted"
    if (known.order_id, known.payer_id) != (row.order_id, row.payer_id):
        raise IdReused()
    move = PaymentMove(leaves="created", enters="created", deadline_at=row.deadline_at)
    return await move_payment(row.payment_id, move) or known


async def holder_of(order: OrderRow) -> PaymentRow | None:
    """The payment that has the order."""
    return await find_payment(order.payment_id) if order.payment_id else None
