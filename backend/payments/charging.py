"""Payment codes: the till reads one, and the payer's money moves or the payer is asked."""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.ids import is_id
from backend.payments import (
    CHARGE_PATIENCE,
    CODE_ORDER_LIFE,
    ChargeCode,
    Charged,
    LedgerUnavailable,
    Order,
    OrderExpired,
    OwnShop,
    RiskUnavailable,
)
from backend.payments.claim import ask, claim, free
from backend.payments.driver import Driver
from backend.payments.intents import Payer, new_payment
from backend.payments.late import way_back
from backend.payments.orders import Orders, order_as_seen
from backend.payments.parts import Parts, risk_at_hand
from backend.payments.paying import check_accounts
from backend.payments.records import (
    ORDER_COLUMNS,
    OrderRow,
    PaymentRow,
    find_order,
    find_payment,
    lock_order,
)
from backend.payments.rules import expired, is_shop
from backend.risk import Authorize, PayeeFrozen, Prepare, RedeemCode

MAX_ASKED = 20


class Charging:
    def __init__(self, parts: Parts, driver: Driver, orders: Orders) -> None:
        self._parts, self._driver, self._orders = parts, driver, orders

    async def charge_code(self, charge: ChargeCode) -> Charged:
        _check_form(charge)
        new = msgspec.structs.replace(charge.order, life=CODE_ORDER_LIFE)
        order = await self._orders.open(new, charge.payment_id)
        row = await find_payment(charge.payment_id)
        if row is not None and row.order_id != order.order_id:
            raise IdReused()
        if row is None and self._payable(order):
            row = await self._redeem(order, charge)
        if row is not None and not order.asked:
            await self._drive(row)
        return await self._seen(order.order_id)

    async def charged(self, payee_id: str, order_id: str) -> Charged:
        charged = await self._seen(order_id)
        if charged.order.payee_id != payee_id:
            raise NotFound()
        return charged

    async def asked(self, payer_id: str) -> tuple[Order, ...]:
        now = self._parts.clock.now()
        found = await TX.query_as(
            OrderRow,
            f"select {ORDER_COLUMNS} from payments.orders o"  # noqa: S608
            " where payer_id = $1 and asked and status = 'paying' and expires_at > $2"
            " and exists (select 1 from payments.payment p"
            " where p.payment_id = o.payment_id and p.status = 'created')"
            " order by created_at desc limit $3",
            payer_id,
            now,
            MAX_ASKED,
        )
        return tuple(order_as_seen(order, now) for order in found)

    def _payable(self, order: OrderRow) -> bool:
        return order.status == "open" and not expired(order, self._parts.clock.now())

    async def _redeem(self, order: OrderRow, charge: ChargeCode) -> PaymentRow | None:
        """The payment of whose code it was, or None if the order was lost meanwhile."""
        try:
            payer = await self._payer(order, charge)
        except IdReused:
            raise  # another code under the same ids: the first one's order is not touched
        except DomainError as refusal:
            if not refusal.retryable:
                await self._close(order.order_id, refusal.code)
            raise
        try:
            row = new_payment(order, payer, self._parts.clock.now())
            row = await claim(row, CHARGE_PATIENCE, self._parts.clock)
        except IdReused:
            raise
        except DomainError:
            return None  # expired or cancelled since: the order says so
        return await self._afford(order, row) if row.status == "created" else row

    async def _afford(self, order: OrderRow, row: PaymentRow) -> PaymentRow:
        """Refuses: LedgerUnavailable, PayeeFrozen."""
        try:
            await check_accounts(self._parts, order, row.payer_id)
        except LedgerUnavailable:
            raise
        except DomainError as refusal:
            row = await self._driver.refuse(row, refusal)
            if isinstance(refusal, PayeeFrozen):
                raise
        return row

    async def _payer(self, order: OrderRow, charge: ChargeCode) -> Payer:
        with risk_at_hand():
            redeemed = await self._parts.risk.redeem_code(
                RedeemCode(
                    payment_id=charge.payment_id,
                    code=charge.pay_code,
                    shop_id=order.payee_id,
                    terminal_id=order.terminal_id or order.payee_id,
                    amount_fen=order.amount_fen,
                    actor_id=charge.order.opened_by,
                    device_secret=charge.device_secret,
                )
            )
        if redeemed.payer_id == order.owner_id:
            raise OwnShop()
        person = await self._parts.identity.person(redeemed.payer_id)
        return Payer(
            payment_id=charge.payment_id, payer_id=redeemed.payer_id, name=person.display_name
        )

    async def _drive(self, row: PaymentRow) -> None:
        """As far as it goes; how far, is read from the rows. Refuses: RiskUnavailable."""
        if row.status == "created" and row.deadline_at <= self._parts.clock.now():
            return  # too late to begin
        try:
            if row.status == "created":
                row = await self._consent(row)
            if row.status == "authorized":
                await self._driver.settle(row)
        except RiskUnavailable:
            raise
        except DomainError:
            return  # refused, and stored so; or pending

    async def _consent(self, row: PaymentRow) -> PaymentRow:
        try:
            with risk_at_hand():
                requirement = await self._parts.risk.prepare(
                    Prepare(intent=row.asked(), device_secret="")
                )
        except RiskUnavailable:
            raise
        except DomainError as refusal:
            return await self._driver.refuse(row, refusal)
        if requirement.takes == "passkey":
            return await ask(self._parts, row)
        # Where a wait is due, this is what refuses and says why: no till waits for hours.
        return await self._driver.authorize(row, Authorize(intent_id=row.payment_id))

    async def _close(self, order_id: str, code: str) -> None:
        async with TX.transaction():
            order = await lock_order(order_id)
            if order.status == "open":
                event = await free(self._parts, order, closed_code=code)
                await self._parts.events.record(f"order:{order_id}", event, order_id)

    async def _seen(self, order_id: str) -> Charged:
        order = await find_order(order_id)
        if order is None:
            raise NotFound()
        now = self._parts.clock.now()
        payment_id = order.charge_id or order.payment_id or ""
        row = await find_payment(payment_id) if payment_id else None
        if row is not None and row.status == "created" and _ends_at(order, row) <= now:
            # The truth that the till is told is the end: nobody confirms after this.
            row = await self._driver.refuse(row, OrderExpired(), used_limits=True)
            order = await find_order(order_id) or order
        state, code = _state(order, row, now)
        waits_for = ""
        if state == "succeeded" and order.code == "shown":
            back = await way_back(payment_id)
            waits_for = back.waits_for
            state, code = {"": ("succeeded", ""), "under_way": ("unknown", "")}.get(
                back.state, ("failed", back.state)
            )
        # Whose code it was is no business of the shop's.
        seen = msgspec.structs.replace(order_as_seen(order, now), payer_id="")
        return Charged(
            order=seen,
            payment_id=payment_id,
            state=state,
            refusal_code=code,
            waits_for=waits_for,
            asked=order.asked,
        )


def _check_form(charge: ChargeCode) -> None:
    """Refuses: BadRequest."""
    order = charge.order
    sound = (
        is_id(charge.payment_id, "pay")
        and order.code == "shown"
        and not order.payer_id
        and is_shop(order.payee_id)
    )
    if not sound:
        raise BadRequest()


def _state(order: OrderRow, row: PaymentRow | None, now: datetime) -> tuple[str, str]:
    """State and refusal code."""
    if row is not None and row.status == "posted":
        return "succeeded", ""
    if row is not None and row.status == "refused" and order.code == "shown":
        return "failed", row.refusal_code
    if row is not None and row.status == "authorized":
        return "unknown", ""
    if order.status == "cancelled":
        return "failed", order.closed_code or "order_cancelled"
    if expired(order, now):
        return "failed", "order_expired"
    # A code that the shop shows waits for whoever comes; one that it has read is under way.
    return ("user_paying" if order.asked or order.code != "shown" else "unknown"), ""


def _ends_at(order: OrderRow, row: PaymentRow) -> datetime:
    return row.deadline_at if order.code == "shown" else order.expires_at
