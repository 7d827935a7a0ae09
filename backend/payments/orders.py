"""Orders: a shop's requests for money, each with an end."""

from datetime import datetime

import msgspec

from backend.clock import Clock
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.events import Events, News
from backend.payments import (
    MAX_ORDER_LIFE,
    MIN_ORDER_LIFE,
    OpenOrder,
    Order,
    OrderBusy,
    OrderPaid,
)
from backend.payments.claim import holder_of
from backend.payments.records import (
    OrderRow,
    find_order,
    insert_order,
    lock_order,
    move_order,
)
from backend.payments.rules import expired, takeable

MAX_EXPIRED = 500  # in one transaction


class Orders:
    def __init__(self, events: Events, clock: Clock) -> None:
        self._events, self._clock = events, clock

    async def open_order(self, new: OpenOrder) -> Order:
        if not MIN_ORDER_LIFE <= new.life <= MAX_ORDER_LIFE:
            raise BadRequest()
        now = self._clock.now()
        await insert_order(
            Order(
                order_id=new.order_id,
                payee_id=new.payee_id,
                owner_id=new.owner_id,
                payee_name=new.payee_name,
                amount_fen=new.amount_fen,
                note=new.note,
                status="open",
                created_at=now,
                expires_at=now + new.life,
                paid_at=None,
                payment_id=None,
            )
        )
        stored = await find_order(new.order_id)
        assert stored is not None, "it was inserted above or before"
        if not _same(stored, new):
            raise IdReused()
        return order_as_seen(stored, now)

    async def cancel_order(self, payee_id: str, order_id: str) -> Order:
        now = self._clock.now()
        found = await find_order(order_id)
        if found is None or found.payee_id != payee_id:
            raise NotFound()
        async with TX.transaction():
            order = await lock_order(order_id)
            holder = await holder_of(order)
            if order.status == "paid":
                raise OrderPaid(by_you="no")
            if not takeable(order, holder, now):
                raise OrderBusy()
            if order.status == "paying":
                order = await move_order(order, "open") or order
            if order.status == "open" and not expired(order, now):
                order = await move_order(order, "cancelled") or order
                await self._events.record(f"order:{order_id}", "order_cancelled", order_id)
        return order_as_seen(order, now)

    async def order(self, order_id: str) -> Order:
        order = await find_order(order_id)
        if order is None:
            raise NotFound()
        return order_as_seen(order, self._clock.now())

    async def expire_due(self) -> int:
        """Orders that nobody paid in time; how many."""
        async with TX.transaction():
            rows = await TX.query(
                "update payments.orders set status = 'expired' where order_id in ("
                " select order_id from payments.orders where status = 'open' and expires_at <= $1"
                " order by expires_at limit $2 for no key update skip locked) returning order_id",
                self._clock.now(),
                MAX_EXPIRED,
            )
            ids = [row["order_id"] for row in rows]
            if ids:
                await self._events.record_all(
                    tuple(News(f"order:{id_}", "order_expired", id_) for id_ in ids)
                )
        return len(rows)


def order_as_seen(order: OrderRow, now: datetime) -> Order:
    """Without what stays inside; expired at its moment, not when the sweeper comes by."""
    seen = Order(**{name: getattr(order, name) for name in Order.__struct_fields__})
    return msgspec.structs.replace(seen, status="expired") if expired(order, now) else seen


def _same(stored: OrderRow, new: OpenOrder) -> bool:
    return (
        stored.payee_id,
        stored.owner_id,
        stored.payee_name,
        stored.amount_fen,
        stored.note,
        stored.expires_at - stored.created_at,
    ) == (new.payee_id, new.owner_id, new.payee_name, new.amount_fen, new.note, new.life)
