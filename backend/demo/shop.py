"""The demo's shop: its stores and tills, its people, its sales by every code, its refunds."""

from collections.abc import Mapping

from backend.demo.history import Sale, asked_back, refunded
from backend.demo.people import (
    OWNER,
    SHOP_CATEGORY,
    SHOP_ID,
    SHOP_NAME,
    STAFF,
    STORES,
    Place,
    fixed_id,
)
from backend.merchant import AskRefund, Charge, ChargeShown, GiveBack, OpenShop, PayStatic, Seat
from backend.payments import Order, StartPayment
from backend.risk import IssueCodes
from backend.risk.demo import RiskDemo
from backend.services import Services

OPEN = "open"


class DemoShop:
    """secrets: of each demo person's device."""

    def __init__(self, to: Services, risk: RiskDemo, secrets: Mapping[str, str]) -> None:
        self._to, self._risk, self._secrets = to, risk, secrets

    async def open(self) -> Seat:
        """The owner's seat. Again: the same shop."""
        secret = self._secrets[OWNER.person_id]
        await self._to.merchant.open_shop(
            OpenShop(
                shop_id=SHOP_ID,
                owner_id=OWNER.person_id,
                name=SHOP_NAME,
                category=SHOP_CATEGORY,
                device_secret=secret,
            )
        )
        seat = await self._to.merchant.take_seat(OWNER.person_id, SHOP_ID)
        for place in STORES:
            await self._place(seat, place)
        await self._close_first(seat)
        for person, role, _ in STAFF:
            await self._risk.demo_join(SHOP_ID, person.person_id, role)
        await self._to.merchant.members(seat)  # hears of them from the security system
        for person, role, store_id in STAFF:
            await self._to.merchant.change_member(seat, person.person_id, role, store_id, secret)
        return seat

    async def sell(self, seat: Seat, sale: Sale) -> None:
        if sale.code == "shown":
            await self._sell_shown(seat, sale)
            return
        order = await self._order(seat, sale)
        if order.status != OPEN:
            return  # paid by an earlier run, or expired since: then the week is a sale short
        await self._to.payments.start(
            StartPayment(
                payment_id=sale.payment_id,
                order_id=sale.order_id,
                payer_id=sale.customer.person_id,
                amount_fen=sale.amount_fen,
                device_secret=self._secrets[sale.customer.person_id],
                event_at=sale.event_at,
            )
        )

    async def refund(self, seat: Seat, sales: list[Sale]) -> None:
        for sale, amount_fen, reason in refunded(sales):
            await self._to.merchant.refund(
                seat,
                GiveBack(
                    refund_id=fixed_id("rfd", sale.payment_id),
                    payment_id=sale.payment_id,
                    amount_fen=amount_fen,
                    reason=reason,
                    device_secret=self._secrets[seat.person_id],
                ),
            )
        sale, words = asked_back(sales)
        await self._to.merchant.ask_refund(
            AskRefund(
                request_id=fixed_id("rrq", sale.payment_id),
                payment_id=sale.payment_id,
                payer_id=sale.customer.person_id,
                reason=words,
            )
        )

    async def _place(self, seat: Seat, place: Place) -> None:
        merchant = self._to.merchant
        await merchant.open_store(seat, place.store_id, place.name, place.address)
        for terminal_id, name in zip(place.terminal_ids, place.tills, strict=True):
            await merchant.open_terminal(seat, terminal_id, place.store_id, name)

    async def _close_first(self, seat: Seat) -> None:
        """The store that every shop begins with has made room for those of the demo."""
        ours = {place.store_id for place in STORES}
        for store in await self._to.merchant.stores(seat):
            if store.store_id not in ours and not store.closed:
                await self._to.merchant.change_store(seat, store.store_id, "开业筹备", closed=True)

    async def _order(self, seat: Seat, sale: Sale) -> Order:
        if sale.code == "static":
            code = await self._code_at(seat, sale.terminal_id)
            return await self._to.merchant.pay_static(
                PayStatic(
                    order_id=sale.order_id,
                    code_id=code,
                    payer_id=sale.customer.person_id,
                    amount_fen=sale.amount_fen,
                    note=sale.note,
                )
            )
        return await self._to.merchant.charge(
            seat,
            Charge(
                order_id=sale.order_id,
                amount_fen=sale.amount_fen,
                note=sale.note,
                terminal_id=sale.terminal_id,
            ),
        )

    async def _code_at(self, seat: Seat, terminal_id: str) -> str:
        terminals = await self._to.merchant.terminals(seat)
        return next(t.code_id for t in terminals if t.terminal_id == terminal_id)

    async def _sell_shown(self, seat: Seat, sale: Sale) -> None:
        """A till reads the customer's payment code, now."""
        payer_id = sale.customer.person_id
        secret = self._secrets[payer_id]
        [shown] = await self._to.risk.issue_codes(IssueCodes(payer_id, secret))
        await self._to.merchant.charge_shown(
            seat,
            ChargeShown(
                order_id=sale.order_id,
                payment_id=sale.payment_id,
                amount_fen=sale.amount_fen,
                pay_code=shown.code,
                note=sale.note,
                terminal_id=sale.terminal_id,
            ),
        )
