"""The till: orders, payment codes, and what became of them. Permissions were checked before."""

from datetime import timedelta

import msgspec

from backend import ids
from backend.errors import NotFound
from backend.merchant import Charge, ChargeShown, Look, PayStatic, Seat, Shift, ShopClosed
from backend.merchant import acts as told
from backend.merchant.guard import need, sees_all_orders
from backend.merchant.parts import Parts
from backend.merchant.shops import Shops
from backend.merchant.stores import Stores
from backend.merchant.zones import day_start
from backend.payments import (
    REVERSAL,
    ChargeCode,
    Charged,
    OpenOrder,
    Order,
    OrderPaid,
    OwnShop,
    RefundInstead,
    StartRefund,
)
from backend.sales import SaleFilter
from backend.shop_roles import Permission

SHIFT_ORDERS = 20
SHOWN = "shown"  # of the orders whose payment the till may take back
TAKEN_BACK = "order_cancelled"  # by the shop: what else closed an order is told as its failure
REVERSED = "reversed"
_MARGIN = timedelta(seconds=1)  # "until" is not part of a range


class Till:
    def __init__(self, parts: Parts, shops: Shops, stores: Stores) -> None:
        self._payments, self._sales, self._clock = parts.payments, parts.sales, parts.clock
        self._shops, self._stores = shops, stores

    async def charge(self, seat: Seat, charge: Charge) -> Order:
        return await self._payments.open_order(await self._order(seat, charge, "dynamic"))

    async def charge_shown(self, seat: Seat, charge: ChargeShown) -> Charged:
        order = await self._order(seat, charge, "shown")
        return await self._payments.charge_code(
            ChargeCode(
                payment_id=charge.payment_id,
                order=order,
                pay_code=charge.pay_code,
                device_secret=charge.device_secret,
            )
        )

    async def charged(self, seat: Seat, order_id: str) -> Charged:
        charged = await self._payments.charged(seat.shop_id, order_id)
        _check_own(seat, charged.order)
        return charged

    async def order(self, seat: Seat, order_id: str) -> Order:
        order = await self._payments.order(order_id)
        _check_own(seat, order)
        return order

    async def look(self, seat: Seat, order_id: str) -> Look:
        order = await self.order(seat, order_id)
        if order.code != SHOWN:
            return Look(seat=seat, order=order, state=order.status)
        found = await self._payments.charged(seat.shop_id, order_id)
        if found.refusal_code == REVERSED:
            return Look(seat=seat, order=found.order, state="reversed")
        if found.state == "succeeded":
            return Look(seat=seat, order=found.order, state="paid")
        if found.refusal_code == TAKEN_BACK:
            return Look(seat=seat, order=found.order, state="cancelled")
        return Look(
            seat=seat,
            order=found.order,
            state=found.state,
            refusal_code=found.refusal_code,
            waits_for=found.waits_for,
            asked=found.asked,
        )

    async def cancel(self, seat: Seat, order_id: str) -> Order:
        await self.order(seat, order_id)
        cancelled = await self._payments.cancel_order(seat.shop_id, order_id)
        if cancelled.status == "cancelled":
            await self._tell(seat, "order_cancelled", order_id)
        return cancelled

    async def reverse(self, seat: Seat, order_id: str, device_secret: str) -> Charged:
        """A payment is taken back only where the till had read a code and may never have learnt the
        truth, by who charged or may refund; all others are refunds."""
        order = await self.order(seat, order_id)
        if order.status != "paid":
            try:
                await self.cancel(seat, order_id)
                return await self._payments.charged(seat.shop_id, order_id)
            except OrderPaid:  # the payer was faster
                order = await self.order(seat, order_id)
        if order.opened_by != seat.person_id or order.code != SHOWN:
            need(seat, Permission.REFUND)
        if order.code != SHOWN:
            raise RefundInstead()
        if order.payment_id is not None:  # a paid order has one
            await self._take_back(seat, order, order.payment_id, device_secret)
        return await self._payments.charged(seat.shop_id, order_id)

    async def shift(self, seat: Seat) -> Shift:
        now = self._clock.now()
        since = day_start(now, seat.zone)
        own = SaleFilter(
            shop_id=seat.shop_id, since=since, until=now + _MARGIN, actor_id=seat.person_id
        )
        total = await self._sales.total(own)
        page = await self._sales.page(msgspec.structs.replace(own, kind="order"), "", SHIFT_ORDERS)
        last = [await self._payments.order(sale.order_id) for sale in page.sales]
        return Shift(
            since=since,
            amount_fen=total.amount_fen,
            count=total.count,
            refund_fen=total.refund_fen,
            last=tuple(last),
        )

    async def pay_static(self, pay: PayStatic) -> Order:
        code = await self._stores.static_code(pay.code_id)
        shop = await self._shops.shop(code.shop_id)
        if pay.payer_id == shop.owner_id:
            raise OwnShop()
        await self._shops.check_takes_money(shop)
        if not code.open:
            raise ShopClosed()
        return await self._payments.open_order(
            OpenOrder(
                order_id=pay.order_id,
                payee_id=shop.shop_id,
                owner_id=shop.owner_id,
                payee_name=shop.name,
                amount_fen=pay.amount_fen,
                note=pay.note,
                code="static",
                store_id=code.store_id,
                terminal_id=code.terminal_id,
                opened_by=pay.payer_id,
                payer_id=pay.payer_id,
                event_at=pay.event_at,
            )
        )

    async def _take_back(
        self, seat: Seat, order: Order, payment_id: str, device_secret: str
    ) -> None:
        """The whole, once; under the same id until that has been refused."""
        past = [
            refund
            for refund in await self._payments.refunds(seat.shop_id, payment_id)
            if refund.reversal
        ]
        if any(refund.status == "posted" for refund in past):
            return
        mine = [refund for refund in past if refund.actor_id == seat.person_id]
        refused = sum(refund.status == "refused" for refund in mine)
        await self._shops.found(seat, device_secret)
        await self._tell(seat, "reversal_started", order.order_id)
        await self._payments.refund(
            StartRefund(
                refund_id=ids.derived("rfd", order.order_id, seat.person_id, str(refused)),
                payment_id=payment_id,
                shop_id=seat.shop_id,
                actor_id=seat.person_id,
                amount_fen=order.amount_fen,
                reason=REVERSAL,
                device_secret=device_secret,
                reversal=True,
            )
        )

    async def _order(self, seat: Seat, charge: Charge | ChargeShown, code: str) -> OpenOrder:
        shop = await self._shops.shop(seat.shop_id)
        await self._shops.check_takes_money(shop)
        terminal = await self._stores.till(seat, charge.terminal_id)
        return OpenOrder(
            order_id=charge.order_id,
            payee_id=shop.shop_id,
            owner_id=shop.owner_id,
            payee_name=shop.name,
            amount_fen=charge.amount_fen,
            note=charge.note,
            code=code,
            store_id=terminal.store_id if terminal else seat.store_id,
            terminal_id=charge.terminal_id,
            opened_by=seat.person_id,
            event_at=charge.event_at if isinstance(charge, Charge) else None,
        )

    async def _tell(self, seat: Seat, kind: str, order_id: str) -> None:
        await told.tell_once(seat, kind, order_id, order_id, self._clock.now())


def _check_own(seat: Seat, order: Order) -> None:
    """Refuses: NotFound, for other shops' orders and for other cashiers'."""
    if order.payee_id != seat.shop_id:
        raise NotFound()
    if not sees_all_orders(seat) and order.opened_by != seat.person_id:
        raise NotFound()
