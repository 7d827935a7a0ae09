"""Refunds: money back to where it came from, in parts or whole."""

import secrets
from datetime import datetime, timedelta

import msgspec

from backend.clock import to_ms
from backend.db import TX
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.ids import is_id
from backend.intent import Intent
from backend.payments import (
    SHORT_OF_DEADLINE,
    ConfirmRefund,
    InsufficientBalance,
    Refund,
    RefundBusy,
    RefundStarted,
    RiskUnavailable,
    StartRefund,
)
from backend.payments.intents import FEE_ACCOUNT, person_account, shop_account
from backend.payments.parts import Parts, balance_of, risk_at_hand
from backend.payments.records import PaymentRow, find_payment, lock_payment
from backend.payments.refund_driver import RefundDriver
from backend.payments.refund_rows import (
    RefundMove,
    RefundRow,
    find_refund,
    insert_refund,
    move_refund,
    refunds_of,
    under_way,
)
from backend.payments.refund_rules import check_refundable, fee_back
from backend.payments.rules import CLAIM_LIFE
from backend.posting import Posting, Transfer
from backend.risk import AuthorizeRefund, PaymentNotSeen, PrepareRefund, Requirement

REFUND_LIFE = timedelta(minutes=10)  # of what the actor's passkey signs
REFUND = "refund"


class Refunding:
    def __init__(self, parts: Parts, driver: RefundDriver) -> None:
        self._parts, self._driver = parts, driver

    async def start(self, start: StartRefund) -> RefundStarted:
        if not is_id(start.refund_id, "rfd"):
            raise BadRequest()
        row = await find_refund(start.refund_id)
        if row is not None and not _same(row, start):
            raise IdReused()
        if row is None:
            row = await self._store(start)
        if row.status != "created":
            return RefundStarted(refund=as_seen(await self._driver.settle(row)), requirement=None)
        return await self._go_on(row, start)

    async def confirm(self, confirm: ConfirmRefund) -> Refund:
        row = await find_refund(confirm.refund_id)
        if row is None or (row.shop_id, row.actor_id) != (confirm.shop_id, confirm.actor_id):
            raise NotFound()
        if row.status == "created":
            proof = AuthorizeRefund(
                intent_id=confirm.refund_id,
                actor_id=confirm.actor_id,
                device_secret=confirm.device_secret,
                ceremony_id=confirm.ceremony_id,
                response_json=confirm.response_json,
            )
            row = await self._driver.authorize(row, proof)
        return as_seen(await self._driver.settle(row))

    async def refunds(self, viewer_id: str, payment_id: str) -> tuple[Refund, ...]:
        payment = await find_payment(payment_id)
        if payment is None or viewer_id not in (
            payment.payer_id,
            payment.owner_id,
            payment.payee_id,
        ):
            raise NotFound()
        return tuple(as_seen(row) for row in await refunds_of(payment_id))

    async def _store(self, start: StartRefund) -> RefundRow:
        """What can be refused before anything is stored, is. Refuses: as `check_refundable`,
        RefundBusy, InsufficientBalance, LedgerUnavailable, IdReused."""
        now = self._parts.clock.now()
        seen = check_refundable(await find_payment(start.payment_id), start, now)
        balance = await balance_of(self._parts.ledger, shop_account(start.shop_id))
        short = start.amount_fen - fee_back(seen, start.amount_fen) - balance.available_fen
        if short > 0:
            raise InsufficientBalance(short_fen=short)
        async with TX.transaction():
            payment = check_refundable(await lock_payment(start.payment_id), start, now)
            if await under_way(payment.payment_id, start.refund_id):
                raise RefundBusy()
            row = _new_refund(payment, start, now)
            stored = row if await insert_refund(row) else await find_refund(start.refund_id)
        assert stored is not None, "it was inserted above or before"
        if not _same(stored, start):
            raise IdReused()
        return stored

    async def _go_on(self, row: RefundRow, start: StartRefund) -> RefundStarted:
        try:
            requirement = await self._prepare(row, start)
        except (RiskUnavailable, PaymentNotSeen):
            raise
        except DomainError as refusal:
            # Refused for good, unless the same call in another tab has gone on meanwhile.
            ended = await self._driver.settle(await self._driver.refuse(row, refusal))
            return RefundStarted(refund=as_seen(ended), requirement=None)
        if requirement.takes == "passkey":
            move = RefundMove(
                leaves="created",
                enters="created",
                deadline_at=self._parts.clock.now() + CLAIM_LIFE,
            )
            row = await move_refund(row.refund_id, move) or row
            return RefundStarted(refund=as_seen(row), requirement=requirement)
        proof = AuthorizeRefund(
            intent_id=row.refund_id, actor_id=row.actor_id, device_secret=start.device_secret
        )
        row = await self._driver.settle(await self._driver.authorize(row, proof))
        return RefundStarted(refund=as_seen(row), requirement=None)

    async def _prepare(self, row: RefundRow, start: StartRefund) -> Requirement:
        with risk_at_hand():
            return await self._parts.risk.prepare_refund(
                PrepareRefund(
                    intent=row.asked(),
                    payment_id=row.payment_id,
                    actor_id=row.actor_id,
                    device_secret=start.device_secret,
                    reversal=row.reversal,
                )
            )


def as_seen(row: RefundRow) -> Refund:
    """Without what stays inside."""
    return Refund(**{name: getattr(row, name) for name in Refund.__struct_fields__})


def _new_refund(payment: PaymentRow, start: StartRefund, now: datetime) -> RefundRow:
    intent = _intent(payment, start, now)
    return RefundRow(
        refund_id=start.refund_id,
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        shop_id=payment.payee_id,
        payer_id=payment.payer_id,
        actor_id=start.actor_id,
        amount_fen=start.amount_fen,
        fee_fen=intent.fee_fen,
        reason=start.reason,
        reversal=start.reversal,
        status="created",
        refusal_code="",
        created_at=now,
        posted_at=None,
        journal_seq=None,
        intent=msgspec.msgpack.encode(intent),
        verdict=None,
        refusal=None,
        # What came late is asked for again as long as its intent lives.
        deadline_at=now + (SHORT_OF_DEADLINE if start.actor_id else REFUND_LIFE),
    )


def _intent(payment: PaymentRow, start: StartRefund, now: datetime) -> Intent:
    shop, person = shop_account(payment.payee_id), person_account(payment.payer_id)
    fee = fee_back(payment, start.amount_fen)
    back = Transfer(shop, person, start.amount_fen)
    return Intent(
        intent_id=start.refund_id,
        kind=REFUND,
        payer_id=payment.payee_id,
        payee_id=payment.payer_id,
        payee_name=payment.payer_name,
        amount_fen=start.amount_fen,
        fee_fen=fee,
        source=shop,
        code="none",
        posting=Posting(
            posting_id=start.refund_id,
            reason=REFUND,
            # The fee first: a shop that has just been paid can give all of it back.
            transfers=(Transfer(FEE_ACCOUNT, shop, fee), back) if fee else (back,),
        ),
        expires_at_ms=to_ms(now + REFUND_LIFE),
        nonce=secrets.token_bytes(32),
    )


def _same(row: RefundRow, start: StartRefund) -> bool:
    names = ("payment_id", "shop_id", "actor_id", "amount_fen", "reason", "reversal")
    return all(getattr(row, name) == getattr(start, name) for name in names)
