"""A refund from consent to its end: verdict, posting, and what follows. Each step can be repeated.

As payments are driven, but money moves the other way, and the row that concurrent calls meet at is
the payment's.
"""

from contextlib import suppress

import structlog

from backend import jobs
from backend.bills import Refunded
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.events import News
from backend.ledger import InsufficientFunds, Post, Posted
from backend.payments import (
    SHORT_OF_DEADLINE,
    InsufficientBalance,
    PaymentAbandoned,
    PaymentPending,
    RefundBusy,
    RiskUnavailable,
)
from backend.payments.parts import GIVE_BACK, RESUME, Parts, balance_of, risk_at_hand
from backend.payments.records import (
    PaymentRow,
    add_refunded,
    find_order,
    find_payment,
    lock_payment,
)
from backend.payments.refund_rows import (
    RefundMove,
    RefundRow,
    find_refund,
    move_refund,
    refund_now,
    under_way,
)
from backend.payments.refund_rules import check_share
from backend.payments.selling import refunded
from backend.risk import AuthorizeRefund, PaymentNotSeen
from backend.verdict import SignedVerdict

_log = structlog.get_logger(__name__)


class RefundDriver:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def authorize(self, row: RefundRow, proof: AuthorizeRefund) -> RefundRow:
        """created → authorized, or → refused. Refuses: RiskUnavailable, PaymentNotSeen (try
        again with the same id), and as `_still_fits` and `_keep`; that is the refund's end."""
        try:
            await self._still_fits(row)
            with risk_at_hand():
                verdict = await self._parts.risk.authorize_refund(proof)
        except (RiskUnavailable, PaymentNotSeen):
            raise
        except DomainError as refusal:
            return await self.refuse(row, refusal, used_limits=True)
        try:
            return await self._keep(row, verdict)
        except DomainError as refusal:
            await self.refuse(row, refusal, used_limits=True)
            raise

    async def settle(self, row: RefundRow) -> RefundRow:
        """authorized → posted. Refuses: why it was refused, PaymentPending."""
        if row.status == "authorized":
            try:
                row = await self.post(row)
            except PaymentPending:
                await self._pend(row)
                raise
        if row.status == "refused":
            raise row.why_refused()
        return row

    async def post(self, row: RefundRow) -> RefundRow:
        """Posted or refused; safe to repeat with the same posting. Refuses: PaymentPending."""
        try:
            posted = await self._parts.ledger.post(Post(row.asked().posting, row.leave()))
        except (Unavailable, OutcomeUnknown):
            raise PaymentPending() from None
        except DomainError as refusal:
            return await self.refuse(row, await self._as_seen(row, refusal))
        return await self.finish(row, posted)

    async def finish(self, row: RefundRow, posted: Posted) -> RefundRow:
        """The new state and everything that follows from it, in one transaction."""
        move = RefundMove(
            leaves="authorized",
            enters="posted",
            posted_at=posted.posted_at,
            journal_seq=posted.journal_seq,
        )
        async with TX.transaction():
            await lock_payment(row.payment_id)
            moved = await move_refund(row.refund_id, move)
            if moved is not None:
                payment = await add_refunded(row.payment_id, row.amount_fen)
                await self._record_posted(moved, payment)
        current = moved or await refund_now(row)
        if current.status != "posted":
            # Money moved: people must look.
            _log.error("refund_posted_out_of_order", refund_id=row.refund_id, status=current.status)
        return current

    async def refuse(
        self, row: RefundRow, refusal: DomainError, *, used_limits: bool = False
    ) -> RefundRow:
        """Refused for good; what it had reserved is given back."""
        used_limits = used_limits or row.status == "authorized"
        async with TX.transaction():
            payment = await lock_payment(row.payment_id)
            move = RefundMove(leaves=row.status, enters="refused", refusal=refusal)
            moved = await move_refund(row.refund_id, move)
            if moved is not None:
                assert payment is not None, "payments are never deleted"
                await self._record_refused(moved, payment)
                if used_limits:
                    await jobs.enqueue(GIVE_BACK, row.refund_id)
        if moved is None:
            return await refund_now(row)
        _log.info("refund_refused", refund_id=row.refund_id, code=refusal.code)
        if used_limits:
            # At once, because the shop may try again at once; the job is for when this fails.
            with suppress(RiskUnavailable):
                await self.give_back(row.refund_id)
        return moved

    async def give_back(self, refund_id: str) -> None:
        """Refuses: RiskUnavailable."""
        row = await find_refund(refund_id)
        if row is None or row.status != "refused":
            return
        with risk_at_hand():
            await self._parts.risk.release(refund_id)

    async def _still_fits(self, row: RefundRow) -> None:
        """What was refunded since may have changed the fee's share that the actor signed: said
        before risk finds the intent wrong. Refuses: RefundBusy, RefundTooMuch."""
        payment = await find_payment(row.payment_id)
        assert payment is not None, "payments are never deleted"
        check_share(payment, row.amount_fen, row.fee_fen)

    async def _keep(self, row: RefundRow, verdict: SignedVerdict) -> RefundRow:
        """Store the verdict if no other refund was faster. Refuses: RefundBusy, RefundTooMuch."""
        deadline = self._parts.clock.now() + SHORT_OF_DEADLINE
        async with TX.transaction():
            payment = await lock_payment(row.payment_id)
            assert payment is not None, "payments are never deleted"
            known = await refund_now(row)
            if known.status == "refused":
                raise PaymentAbandoned()  # the sweeper was faster than risk
            if known.status != "created":
                return known
            check_share(payment, row.amount_fen, row.fee_fen)
            if await under_way(row.payment_id, row.refund_id):
                raise RefundBusy()
            move = RefundMove(
                leaves="created", enters="authorized", verdict=verdict, deadline_at=deadline
            )
            moved = await move_refund(row.refund_id, move)
        assert moved is not None, "the payment's lock keeps its refunds still"
        return moved

    async def _pend(self, row: RefundRow) -> None:
        """The shop sees it pending; a job finds out."""
        async with TX.transaction():
            payment = await lock_payment(row.payment_id)
            assert payment is not None, "payments are never deleted"
            current = await refund_now(row)
            if current.status == "authorized":
                await self._record_sale(current, payment)
                await jobs.enqueue(RESUME, row.refund_id)
        _log.warning("refund_pending", refund_id=row.refund_id)

    async def _record_posted(self, row: RefundRow, payment: PaymentRow) -> None:
        assert row.posted_at is not None, "it is posted"
        await self._record_sale(row, payment)
        await self._parts.bills.refund(
            Refunded(
                bill_id=row.payment_id,
                person_ids=tuple(sorted({payment.payer_id, payment.owner_id})),
                amount_fen=row.amount_fen,
                at=row.posted_at,
            )
        )
        await self._parts.events.record_all(
            (
                News(f"order:{row.order_id}", "order_refunded", row.order_id),
                News(f"shop:{row.shop_id}", "order_refunded", row.order_id),
                News(f"person:{row.payer_id}", "payment_refunded", row.payment_id),
            )
        )

    async def _record_refused(self, row: RefundRow, payment: PaymentRow) -> None:
        await self._record_sale(row, payment)
        await self._parts.events.record(f"shop:{row.shop_id}", "refund_refused", row.order_id)

    async def _record_sale(self, row: RefundRow, payment: PaymentRow) -> None:
        order = await find_order(row.order_id)
        assert order is not None, "orders are never deleted"
        now = self._parts.clock.now()
        await self._parts.sales.record(refunded(order, payment, row, now))

    async def _as_seen(self, row: RefundRow, refusal: DomainError) -> DomainError:
        """The ledger's word in the words of paying."""
        if not isinstance(refusal, InsufficientFunds):
            return refusal
        missing = row.amount_fen - row.fee_fen
        with suppress(DomainError):
            balance = await balance_of(self._parts.ledger, row.asked().source)
            missing = max(missing - balance.available_fen, 1)
        return InsufficientBalance(short_fen=missing)
