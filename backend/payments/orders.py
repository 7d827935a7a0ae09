"""Orders: requests for money, each with an end."""

from datetime import datetime

import msgspec

from backend import jobs
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.events import News
from backend.payments import (
    CHARGE_PATIENCE,
    MAX_ORDER_LIFE,
    MIN_ORDER_LIFE,
    OpenOrder,
    Order,
    OrderBusy,
    OrderCancelled,
    OrderPaid,
)
from backend.payments.aftermath import record_refused
from backend.payments.claim import holder_of
from backend.payments.fees import fee_at
from backend.payments.parts import GIVE_BACK, Parts
from backend.payments.records import (
    ORDER_COLUMNS,
    OrderMove,
    OrderRow,
    PaymentMove,
    find_order,
    insert_order,
    lock_order,
    move_order,
    move_payment,
)
from backend.payments.rounds import Rounds
from backend.payments.rules import expired, sound, takeable
from backend.payments.selling import sold
from backend.sales import Sale

MAX_EXPIRED = 500  # in one transaction

# What two requests of one id must have in common.
_CONTENT = (
    "payee_id",
    "owner_id",
    "payee_name",
    "amount_fen",
    "note",
    "code",
    "store_id",
    "terminal_id",
    "opened_by",
)


class Orders:
    def __init__(self, parts: Parts, rounds: Rounds) -> None:
        self._parts, self._events, self._clock = parts, parts.events, parts.clock
        self._rounds = rounds

    async def open_order(self, new: OpenOrder) -> Order:
        if not MIN_ORDER_LIFE <= new.life <= MAX_ORDER_LIFE or new.code == "shown":
            raise BadRequest()
        return order_as_seen(await self.open(new), self._clock.now())

    async def open(self, new: OpenOrder, charge_id: str = "") -> OrderRow:
        """charge_id: of an order by payment code, the payment that may pay it. Refuses:
        BadRequest, IdReused."""
        now = self._clock.now()
        if not sound(new) or not self._parts.may_happen(new.event_at, now):
            raise BadRequest()
        row = await self._new(new, charge_id, now)
        async with TX.transaction():
            stored = await insert_order(row)
            if stored is not None:
                await self._record(sold(stored, "open"))
        stored = stored or await find_order(new.order_id)
        assert stored is not None, "it was inserted above or before"
        if not _same(stored, new, charge_id):
            raise IdReused()
        return stored

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
                order = await move_order(order, OrderMove(enters="open")) or order
                await self._refuse_charge(order)
            if order.status == "open" and not expired(order, now):
                order = await move_order(order, OrderMove(enters="cancelled")) or order
                await self._record(sold(order, "cancelled", now))
                await self._events.record(f"order:{order_id}", "order_cancelled", order_id)
        return order_as_seen(order, now)

    async def order(self, order_id: str) -> Order:
        order = await self._rounds.order(order_id)
        if order is None:
            raise NotFound()
        return order_as_seen(order, self._clock.now())

    async def expire_due(self) -> int:
        """Orders that nobody paid in time; how many."""
        now = self._clock.now()
        async with TX.transaction():
            rows = await TX.query_as(
                OrderRow,
                "update payments.orders set status = 'expired' where order_id in ("  # noqa: S608
                " select order_id from payments.orders where status = 'open' and (expires_at <= $1"
                " or code = 'shown' and created_at <= $3)"
                " order by expires_at limit $2 for no key update skip locked)"
                f" returning {ORDER_COLUMNS}",
                now,
                MAX_EXPIRED,
                now - CHARGE_PATIENCE,
            )
            sales = [
                sale for row in rows for sale in sold(row, "expired", min(now, row.expires_at))
            ]
            await self._record(tuple(sales))
            if rows:
                await self._events.record_all(
                    tuple(
                        News(f"order:{row.order_id}", "order_expired", row.order_id) for row in rows
                    )
                )
        return len(rows)

    async def _refuse_charge(self, order: OrderRow) -> None:
        """The payment that a till began ends with its order; one that a payer began may go on to
        learn that by itself."""
        if order.code != "shown":
            return
        move = PaymentMove(leaves="created", enters="refused", refusal=OrderCancelled())
        moved = await move_payment(order.charge_id, move)
        if moved is not None:
            await record_refused(self._parts, moved, "order_cancelled")
            # A verdict may be on its way to us.
            await jobs.enqueue(GIVE_BACK, moved.payment_id)

    async def _new(self, new: OpenOrder, charge_id: str, now: datetime) -> OrderRow:
        return OrderRow(
            order_id=new.order_id,
            payee_id=new.payee_id,
            owner_id=new.owner_id,
            payee_name=new.payee_name,
            amount_fen=new.amount_fen,
            fee_fen=await fee_at(new.payee_id, new.code, new.amount_fen, now),
            note=new.note,
            status="open",
            code=new.code,
            store_id=new.store_id,
            terminal_id=new.terminal_id,
            opened_by=new.opened_by,
            payer_id=new.payer_id,
            created_at=new.event_at or now,
            expires_at=now + new.life,
            paid_at=None,
            payment_id=None,
            charge_id=charge_id,
            sealed_terms=msgspec.msgpack.encode(new.terms) if new.terms else None,
        )

    async def _record(self, sales: tuple[Sale, ...]) -> None:
        if sales:
            await self._parts.sales.record(sales)


def order_as_seen(order: OrderRow, now: datetime) -> Order:
    """Without what stays inside; expired at its moment, not when the sweeper comes by."""
    seen = Order(**{name: getattr(order, name) for name in Order.__struct_fields__})
    status = "expired" if expired(order, now) else seen.status
    return msgspec.structs.replace(seen, status=status, terms=order.pot_terms())


def _same(stored: OrderRow, new: OpenOrder, charge_id: str) -> bool:
    # The payer of an order by payment code is learnt after it was opened.
    payer_id = stored.payer_id if stored.code != "shown" else new.payer_id
    return (
        all(getattr(stored, name) == getattr(new, name) for name in _CONTENT)
        and (stored.created_at == new.event_at or stored.expires_at - stored.created_at == new.life)
        and (payer_id, stored.charge_id) == (new.payer_id, charge_id)
        and stored.pot_terms() == new.terms
    )
