"""Claiming an order for one payment: the place where concurrent payers meet."""

from datetime import timedelta

import asyncpg

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
    deadline = clock.now() + life
    try:
        async with TX.transaction():
            order = await lock_order(row.order_id)
            known = await find_payment(row.payment_id)
            if known is not None and known.status != "created":
                return known
            holder = await holder_of(order)
            check_payable(order, holder, row.payer_id, row.payment_id, clock.now())
            if known is None:
                await insert_payment(row)
            renewed = await move_payment(
                row.payment_id,
                PaymentMove(leaves="created", enters="created", deadline_at=deadline),
            )
            assert renewed is not None, "the order's lock keeps its payments still"
            await move_order(
                order, "paying", payment_id=row.payment_id, claimed_until=renewed.deadline_at
            )
            return renewed
    except asyncpg.UniqueViolationError:
        # The same id for two orders at the same moment: their locks do not exclude each other.
        raise IdReused() from None


async def holder_of(order: OrderRow) -> PaymentRow | None:
    """The payment that has the order."""
    return await find_payment(order.payment_id) if order.payment_id else None
