"""The face of payments, put together."""

from backend.apart import every
from backend.errors import NotFound
from backend.payments import (
    ChargeCode,
    Charged,
    Confirm,
    ConfirmRefund,
    FeeRule,
    NewReceiveCode,
    OpenOrder,
    OpenReceived,
    Order,
    Payment,
    Quote,
    ReceiveCode,
    Refund,
    RefundStarted,
    Started,
    StartPayment,
    StartRefund,
)
from backend.payments.accounts import Accounts
from backend.payments.charging import Charging
from backend.payments.driver import Driver
from backend.payments.fees import schedule
from backend.payments.late import going_back, kept
from backend.payments.orders import Orders
from backend.payments.parts import Parts
from backend.payments.paying import Paying, as_seen
from backend.payments.receiving import Receiving
from backend.payments.records import find_payment
from backend.payments.refund_driver import RefundDriver
from backend.payments.refunding import Refunding
from backend.payments.rounds import Rounds
from backend.payments.sweep import of_payments, of_refunds
from backend.payments.taking_back import TakingBack
from backend.risk import FreezeState


class PaymentsService:
    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        rounds = Rounds(parts)
        self._driver = Driver(parts, rounds)
        self._paying = Paying(parts, self._driver, rounds)
        self._orders = Orders(parts, rounds)
        self._charging = Charging(parts, self._driver, self._orders)
        self._receiving = Receiving(parts, self._orders)
        self._refund_driver = RefundDriver(parts)
        self._refunding = Refunding(parts, self._refund_driver)
        self._taking_back = TakingBack(parts, self._refunding)
        self._accounts = Accounts(parts)
        self._sweeper = of_payments(parts, self._driver)
        self._refund_sweeper = of_refunds(parts, self._refund_driver)

    async def open_order(self, new: OpenOrder) -> Order:
        return await self._orders.open_order(new)

    async def cancel_order(self, shop_id: str, order_id: str) -> Order:
        return await self._orders.cancel_order(shop_id, order_id)

    async def order(self, order_id: str) -> Order:
        return await self._orders.order(order_id)

    async def quote(self, order_id: str, payer_id: str, device_secret: str) -> Quote:
        return await self._paying.quote(order_id, payer_id, device_secret)

    async def start(self, start: StartPayment) -> Started:
        return await self._paying.start(start)

    async def confirm(self, confirm: Confirm) -> Payment:
        return await self._paying.confirm(confirm)

    async def payment(self, person_id: str, payment_id: str) -> Payment:
        row = await find_payment(payment_id)
        if row is None or person_id not in (row.payer_id, row.owner_id):
            raise NotFound()
        return as_seen(row)

    async def charge_code(self, charge: ChargeCode) -> Charged:
        return await self._charging.charge_code(charge)

    async def charged(self, payee_id: str, order_id: str) -> Charged:
        return await self._charging.charged(payee_id, order_id)

    async def kept(self, shop_id: str) -> tuple[str, ...]:
        return await kept(shop_id)

    async def asked(self, payer_id: str) -> tuple[Order, ...]:
        return await self._charging.asked(payer_id)

    async def going_back(self, payment_ids: tuple[str, ...]) -> frozenset[str]:
        return await going_back(payment_ids)

    async def refund(self, start: StartRefund) -> RefundStarted:
        return await self._refunding.start(start)

    async def confirm_refund(self, confirm: ConfirmRefund) -> Refund:
        return await self._refunding.confirm(confirm)

    async def refunds(self, viewer_id: str, payment_id: str) -> tuple[Refund, ...]:
        return await self._refunding.refunds(viewer_id, payment_id)

    async def new_receive_code(self, new: NewReceiveCode) -> ReceiveCode:
        return await self._receiving.new_code(new)

    async def receive_code(self, code_id: str) -> ReceiveCode:
        return await self._receiving.code(code_id)

    async def open_received(self, opened: OpenReceived) -> Order:
        return await self._receiving.open(opened)

    async def fees(self, shop_id: str) -> tuple[FeeRule, ...]:
        return await schedule(shop_id, self._clock.now())

    async def open_wallet(self, person_id: str) -> None:
        await self._accounts.open_wallet(person_id)

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        await self._accounts.open_till(shop_id, owner_id)

    async def open_pot(self, account_id: str) -> None:
        await self._accounts.open_pot(account_id)

    async def open_company_accounts(self) -> None:
        """Not on the face: for whoever starts the product."""
        await self._accounts.open_company()

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        return await self._accounts.freeze(person_id, device_secret)

    async def sweep(self) -> int:
        return await every(
            "payments",
            self._sweeper.sweep,
            self._refund_sweeper.sweep,
            self._taking_back.sweep,
            self._orders.expire_due,
            self._accounts.sweep,
        )

    async def resume(self, ref: str) -> None:
        await self._sweeper.resume(ref)
        await self._refund_sweeper.resume(ref)

    async def give_back(self, ref: str) -> None:
        await self._driver.give_back(ref)
        await self._refund_driver.give_back(ref)
