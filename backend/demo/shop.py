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
from backend.merchant import (
    AskRefund,
    Change,
    Charge,
    ChargeShown,
    GiveBack,
    OpenShop,
    PayStatic,
    Seat,
    Terminal,
)
from backend.payments import Order, StartPayment
from backend.risk import ChangeMember, IssueCodes
from backend.risk.demo import RiskDemo
from backend.services import Services
from backend.shop_roles import Role

OPEN = "open"


class DemoShop:
    """secrets: of each demo person's device."""

    def __init__(self, to: Services, risk: RiskDemo, secrets: Mapping[str, str]) -> None:
        self._to, self._risk, self._secrets = to, risk, secrets
        self._tills: dict[tuple[int, str], Terminal] = {}

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
        store_ids = await self._stores(seat)
        for number, place in enumerate(STORES):
            await self._tills_of(seat, store_ids[number], number, place)
        for person, role, _ in STAFF:
            await self._risk.demo_join(SHOP_ID, person.person_id, role)
        await self._to.merchant.members(seat)  # hears of them from the security system
        for person, role, works_in in STAFF:
            store_id = "" if works_in is None else store_ids[works_in]
            await self._place(seat, person.person_id, role, store_id)
        return seat

    async def _place(self, seat: Seat, member_id: str, role: Role, store_id: str) -> None:
        secret = self._secrets[OWNER.person_id]
        store_id = store_id if role is Role.CASHIER else ""
        asked = ChangeMember(seat.shop_id, member_id, seat.person_id, secret, role, store_id)
        change = Change(
            member_id=member_id,
            role=role,
            store_id=store_id,
            device_secret=secret,
            approval=await self._risk.demo_agreed(seat.person_id, asked.purpose),
        )
        await self._to.merchant.change_member(seat, change)

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

    async def _stores(self, seat: Seat) -> list[str]:
        """Their ids; a shop and a store come with one store and one till of their own."""
        for place in STORES[1:]:
            store_id = fixed_id("sto", place.name)
            await self._to.merchant.open_store(seat, store_id, place.name, place.address)
        stores = await self._to.merchant.stores(seat)
        first = stores[0].store_id
        await self._to.merchant.change_store(seat, first, STORES[0].name, closed=False)
        return [store.store_id for store in stores]

    async def _tills_of(self, seat: Seat, store_id: str, number: int, place: Place) -> None:
        merchant = self._to.merchant
        for name in place.tills[1:]:
            await merchant.open_terminal(seat, fixed_id("trm", name), store_id, name)
        first, *_ = found = await merchant.terminals(seat, store_id)
        await merchant.change_terminal(seat, first.terminal_id, place.tills[0], closed=False)
        for name, terminal in zip(place.tills, found, strict=True):
            self._tills[number, name] = terminal

    async def _order(self, seat: Seat, sale: Sale) -> Order:
        if sale.code == "static":
            return await self._to.merchant.pay_static(
                PayStatic(
                    order_id=sale.order_id,
                    code_id=self._tills[sale.till].code_id,
                    payer_id=sale.customer.person_id,
                    amount_fen=sale.amount_fen,
                    note=sale.note,
                    event_at=sale.event_at,
                )
            )
        return await self._to.merchant.charge(
            seat,
            Charge(
                order_id=sale.order_id,
                amount_fen=sale.amount_fen,
                note=sale.note,
                terminal_id=self._tills[sale.till].terminal_id,
                event_at=sale.event_at,
            ),
        )

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
                device_secret=self._secrets[seat.person_id],
                note=sale.note,
                terminal_id=self._tills[sale.till].terminal_id,
            ),
        )
