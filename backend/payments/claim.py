"""Claiming an order for one payment: the place where concurrent payers meet."""

from datetime import timedelta

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.errors import IdReused
from backend.payments.records import (
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


async def claim(row: PaymentRow, life: timedelta, clock: Clock) -> PaymentRow:
    """Store the payment if it is new and hold its order for it during `life`.

    A payment that went on meanwhile, by the same call in another tab, comes back as it is.
    Refuses: IdReused, and as `check_payable`.
    """
    now = clock.now()
    row = msgspec.structs.replace(row, deadline_at=now + life)
    async with TX.transaction():
        order = await lock_order(row.order_id)
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
        await move_order(order, "paying", payment_id=row.payment_id, claimed_until=row.deadline_at)
    return row


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
