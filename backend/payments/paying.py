"""Paying an order: what it takes, starting, confirming."""

from datetime import timedelta

from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.ids import is_id
from backend.payments import (
    SHORT_OF_DEADLINE,
    Confirm,
    InsufficientBalance,
    LedgerUnavailable,
    NotForYou,
    Payment,
    Quote,
    RiskUnavailable,
    Started,
    StartPayment,
)
from backend.payments.claim import claim, holder_of
from backend.payments.driver import Driver
from backend.payments.intents import (
    Payer,
    kind_of_payment,
    new_payment,
    payee_account,
    person_account,
)
from backend.payments.orders import order_as_seen
from backend.payments.parts import Parts, balance_of, ledger_at_hand, risk_at_hand
from backend.payments.records import OrderRow, PaymentRow, find_order
from backend.payments.rounds import Rounds
from backend.payments.rules import CLAIM_LIFE, check_amount, check_payable, is_pot
from backend.risk import Assess, Authorize, PayeeFrozen, Prepare, Requirement


class Paying:
    def __init__(self, parts: Parts, driver: Driver, rounds: Rounds) -> None:
        self._parts, self._driver, self._rounds = parts, driver, rounds

    async def quote(self, order_id: str, payer_id: str, device_secret: str) -> Quote:
        order = await _order(order_id)
        now = self._parts.clock.now()
        check_payable(order, await holder_of(order), payer_id, "", now)
        terms = order.pot_terms()
        with risk_at_hand():
            requirement = await self._parts.risk.assess(
                Assess(
                    payer_id=payer_id,
                    payee_id=order.payee_id,
                    amount_fen=order.amount_fen,
                    code=order.code,
                    device_secret=device_secret,
                    kind=kind_of_payment(order.payee_id),
                    to=terms.to if terms else "",
                )
            )
        balance = await balance_of(self._parts.ledger, person_account(payer_id))
        if (await balance_of(self._parts.ledger, payee_account(order.payee_id))).frozen:
            raise PayeeFrozen()
        return Quote(
            order=order_as_seen(order, now),
            requirement=requirement,
            balance=balance,
            short_fen=max(order.amount_fen - balance.available_fen, 0),
        )

    async def start(self, start: StartPayment) -> Started:
        self._check_form(start)
        order = await self._rounds.order(start.order_id)
        if order is None:
            raise NotFound()
        row = await self._rounds.payment(start.payment_id)
        if row is not None and not _same(row, start):
            raise IdReused()
        if row is None and order.code == "shown":
            raise NotForYou()  # such a payment begins at the till
        if row is not None and row.status != "created":
            return Started(payment=as_seen(await self._driver.settle(row)), requirement=None)
        now = self._parts.clock.now()
        check_payable(order, await holder_of(order), start.payer_id, start.payment_id, now)
        check_amount(order, start.amount_fen)
        await check_accounts(self._parts, order, start.payer_id)
        row = await self._claim(row, order, start)
        if row.status != "created":
            return Started(payment=as_seen(await self._driver.settle(row)), requirement=None)
        return await self._go_on(row, start)

    async def confirm(self, confirm: Confirm) -> Payment:
        row = await self._rounds.payment(confirm.payment_id)
        if row is None or row.payer_id != confirm.payer_id:
            raise NotFound()
        if row.status == "created":
            row = await self._claim_again(row, SHORT_OF_DEADLINE)
        if row.status == "created":
            proof = Authorize(
                intent_id=confirm.payment_id,
                device_secret=confirm.device_secret,
                ceremony_id=confirm.ceremony_id,
                response_json=confirm.response_json,
            )
            row = await self._driver.authorize(row, proof)
        return as_seen(await self._driver.settle(row))

    def _check_form(self, start: StartPayment) -> None:
        if not is_id(start.payment_id, "pay"):
            raise BadRequest()
        if not self._parts.may_happen(start.event_at, self._parts.clock.now()):
            raise BadRequest()

    async def _claim(
        self, row: PaymentRow | None, order: OrderRow, start: StartPayment
    ) -> PaymentRow:
        if row is not None:
            return await self._claim_again(row, SHORT_OF_DEADLINE)
        row = await self._new(order, start)
        claimed = await self._rounds.claim(row, SHORT_OF_DEADLINE)
        return claimed or await claim(row, SHORT_OF_DEADLINE, self._parts.clock)

    async def _claim_again(self, row: PaymentRow, life: timedelta) -> PaymentRow:
        return await self._rounds.renew(row, life) or await claim(row, life, self._parts.clock)

    async def _new(self, order: OrderRow, start: StartPayment) -> PaymentRow:
        payer = await self._parts.identity.person(start.payer_id)
        who = Payer(
            payment_id=start.payment_id,
            payer_id=start.payer_id,
            name=payer.display_name,
            event_at=start.event_at,
        )
        return new_payment(order, who, self._parts.clock.now())

    async def _go_on(self, row: PaymentRow, start: StartPayment) -> Started:
        try:
            requirement = await self._prepare(row, start)
        except RiskUnavailable:
            await self._driver.let_go(row)
            raise
        except DomainError as refusal:
            # Refused for good, unless the same call in another tab has gone on meanwhile.
            ended = await self._driver.settle(await self._driver.refuse(row, refusal))
            return Started(payment=as_seen(ended), requirement=None)
        if requirement.takes == "passkey":
            row = await self._claim_again(row, CLAIM_LIFE)
        elif requirement.takes == "wait":
            await self._driver.let_go(row)
        else:
            proof = Authorize(intent_id=row.payment_id, device_secret=start.device_secret)
            row = await self._driver.authorize(row, proof)
        if row.status == "created":
            return Started(payment=as_seen(row), requirement=requirement)
        return Started(payment=as_seen(await self._driver.settle(row)), requirement=None)

    async def _prepare(self, row: PaymentRow, start: StartPayment) -> Requirement:
        with risk_at_hand():
            return await self._parts.risk.prepare(
                Prepare(
                    intent=row.asked(), device_secret=start.device_secret, address=start.address
                )
            )


async def check_accounts(parts: Parts, order: OrderRow, payer_id: str) -> None:
    """What the books refuse, before anything is stored. Refuses: LedgerUnavailable, PayeeFrozen,
    InsufficientBalance."""
    payer, payee = person_account(payer_id), payee_account(order.payee_id)
    with ledger_at_hand():
        balances = await parts.ledger.balances((payer, payee))
    found = {balance.account_id: balance for balance in balances}
    if payee in found and found[payee].frozen:
        raise PayeeFrozen()
    # One that is not open yet would refuse the payment for good; the sweeper opens it.
    if payee not in found and is_pot(order.payee_id):
        raise LedgerUnavailable()
    available = found[payer].available_fen if payer in found else 0
    if available < order.amount_fen:
        raise InsufficientBalance(short_fen=order.amount_fen - available)


def as_seen(row: PaymentRow) -> Payment:
    """Without what stays inside."""
    return Payment(**{name: getattr(row, name) for name in Payment.__struct_fields__})


async def _order(order_id: str) -> OrderRow:
    order = await find_order(order_id)
    if order is None:
        raise NotFound()
    return order


def _same(row: PaymentRow, start: StartPayment) -> bool:
    return (row.order_id, row.payer_id, row.amount_fen) == (
        start.order_id,
        start.payer_id,
        start.amount_fen,
    )
