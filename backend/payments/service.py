"""The face of payments, put together."""

from datetime import timedelta

from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.payments import (
    Confirm,
    OpenOrder,
    Order,
    Payment,
    Quote,
    ShopDay,
    Started,
    StartPayment,
)
from backend.payments.accounts import Accounts
from backend.payments.driver import Driver
from backend.payments.orders import Orders
from backend.payments.parts import Parts
from backend.payments.paying import Paying, as_seen
from backend.payments.records import find_payment
from backend.payments.rules import SHANGHAI
from backend.payments.sweep import Sweeper
from backend.risk import FreezeState

MAX_PAGE = 100
MAX_DAYS = 366


class PaymentsService:
    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._driver = Driver(parts)
        self._paying = Paying(parts, self._driver)
        self._orders = Orders(parts.events, parts.clock)
        self._accounts = Accounts(parts)
        self._sweeper = Sweeper(parts, self._driver)

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

    async def shop_payments(self, shop_id: str, limit: int) -> tuple[Payment, ...]:
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest()
        columns = ", ".join(Payment.__struct_fields__)
        found = await TX.query_as(
            Payment,
            f"select {columns} from payments.payment"  # noqa: S608
            " where payee_id = $1 and status = 'posted'"
            " order by event_at desc, payment_id desc limit $2",
            shop_id,
            limit,
        )
        return tuple(found)

    async def shop_days(self, shop_id: str, days: int) -> tuple[ShopDay, ...]:
        if not 1 <= days <= MAX_DAYS:
            raise BadRequest()
        today = self._clock.now().astimezone(SHANGHAI).date()
        wanted = [today - timedelta(days=ago) for ago in reversed(range(days))]
        found = await TX.query_as(
            ShopDay,
            "select day, sum(amount_fen)::bigint as amount_fen, sum(count)::bigint as count"
            " from payments.shop_day where shop_id = $1 and day >= $2 group by day",
            shop_id,
            wanted[0],
        )
        sums = {row.day: row for row in found}
        return tuple(sums.get(day) or ShopDay(day=day, amount_fen=0, count=0) for day in wanted)

    async def open_wallet(self, person_id: str) -> None:
        await self._accounts.open_wallet(person_id)

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        await self._accounts.open_till(shop_id, owner_id)

    async def open_company_accounts(self) -> None:
        """Not on the face: for whoever starts the product."""
        await self._accounts.open_company()

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        return await self._accounts.freeze(person_id, device_secret)

    async def sweep(self) -> int:
        """Raises, after all of them, what failed in any."""
        touched, failed = 0, list[Exception]()
        for sweep in (self._sweeper.sweep, self._orders.expire_due, self._accounts.sweep):
            try:
                touched += await sweep()
            except Exception as error:
                failed.append(error)
        if failed:
            raise ExceptionGroup("sweeps of payments", failed)
        return touched

    async def resume(self, payment_id: str) -> None:
        await self._sweeper.resume(payment_id)

    async def give_back(self, payment_id: str) -> None:
        await self._driver.give_back(payment_id)
