"""From consent to the end: verdict, posting, and what follows. Each step can be repeated."""

from contextlib import suppress
from datetime import datetime

import structlog

from backend import jobs
from backend.clock import to_ms
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.ledger import InsufficientFunds, Post, Posted
from backend.payments import (
    InsufficientBalance,
    LedgerUnavailable,
    PaymentAbandoned,
    PaymentPending,
    RiskUnavailable,
)
from backend.payments.aftermath import record_pending, record_posted, record_refused
from backend.payments.claim import free, holder_of
from backend.payments.parts import GIVE_BACK, RESUME, Parts, balance_of, risk_at_hand
from backend.payments.records import (
    OrderMove,
    OrderRow,
    PaymentMove,
    PaymentRow,
    find_payment,
    lock_order,
    move_order,
    move_payment,
    pay_order,
)
from backend.payments.rounds import Rounds
from backend.payments.rules import check_payable, driven_on_at
from backend.risk import Authorize
from backend.verdict import SignedVerdict

_log = structlog.get_logger(__name__)


class Driver:
    def __init__(self, parts: Parts, rounds: Rounds) -> None:
        self._parts, self._rounds = parts, rounds

    async def authorize(self, row: PaymentRow, proof: Authorize) -> PaymentRow:
        """created → authorized, or → refused. Refuses: RiskUnavailable (try again with the same
        id), and as `check_payable` if the order was lost meanwhile; that is the payment's end."""
        try:
            with risk_at_hand():
                verdict = await self._parts.risk.authorize(proof)
        except RiskUnavailable:
            await self.let_go(row)
            raise
        except DomainError as refusal:
            return await self.refuse(row, refusal, used_limits=True)
        try:
            kept = await self._rounds.keep(row, verdict)
            return kept or await self._keep(row, verdict)
        except DomainError as refusal:
            # Whoever asks again later is not to hear "busy" of an order that has been paid since.
            final = PaymentAbandoned() if refusal.retryable else refusal
            await self.refuse(row, final, used_limits=True)
            raise

    async def settle(self, row: PaymentRow) -> PaymentRow:
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

    async def post(self, row: PaymentRow) -> PaymentRow:
        """Posted or refused; safe to repeat with the same posting. Refuses: PaymentPending."""
        posting = row.asked().posting
        try:
            posted = await self._parts.ledger.post(Post(posting, row.leave()))
        except (Unavailable, OutcomeUnknown):
            # Not even "could not be reached" is the end: the verdict is stored, and whoever drives
            # this payment on will post it while the verdict lives.
            raise PaymentPending() from None
        except DomainError as refusal:
            return await self.refuse(row, await self._as_seen(row, refusal))
        return await self.finish(row, posted)

    async def finish(self, row: PaymentRow, posted: Posted) -> PaymentRow:
        """The new state and everything that follows from it, in one transaction."""
        return await self._rounds.finish(row, posted) or await self._finish(row, posted)

    async def _finish(self, row: PaymentRow, posted: Posted) -> PaymentRow:
        """Where the order is not as it should be."""
        now = self._parts.clock.now()
        move = PaymentMove(
            leaves="authorized",
            enters="posted",
            posted_at=posted.posted_at,
            journal_seq=posted.journal_seq,
        )
        async with TX.transaction():
            # The order first, as everywhere; its update is its lock.
            paid = await pay_order(row.order_id, row.payment_id, now)
            order = paid or await lock_order(row.order_id)
            moved = await move_payment(row.payment_id, move)
            if moved is not None:
                await record_posted(self._parts, [(moved, order)])
        current = moved or await _current(row)
        if current.status != "posted" or (moved is not None and not paid):
            # Money moved: the payment says so, whatever became of the order. People must look.
            _log.error(
                "payment_posted_out_of_order",
                payment_id=row.payment_id,
                order_id=row.order_id,
                status=current.status,
            )
        return current

    async def refuse(
        self, row: PaymentRow, refusal: DomainError, *, used_limits: bool = False
    ) -> PaymentRow:
        """Refused for good, the order is open again, and used limits are given back."""
        used_limits = used_limits or row.status == "authorized"
        async with TX.transaction():
            order = await lock_order(row.order_id)
            move = PaymentMove(leaves=row.status, enters="refused", refusal=refusal)
            moved = await move_payment(row.payment_id, move)
            if moved is not None:
                freed = "order_open"
                if order.status == "paying" and order.payment_id == row.payment_id:
                    freed = await free(self._parts, order)
                await record_refused(self._parts, moved, freed)
                if used_limits:
                    await jobs.enqueue(GIVE_BACK, row.payment_id)
        if moved is None:
            return await _current(row)
        _log.info("payment_refused", payment_id=row.payment_id, code=refusal.code)
        if used_limits:
            # At once, because the payer may try again at once; the job is for when this fails.
            with suppress(RiskUnavailable):
                await self.give_back(row.payment_id)
        return moved

    async def give_back(self, payment_id: str) -> None:
        """Refuses: RiskUnavailable."""
        row = await find_payment(payment_id)
        if row is None or row.status != "refused":
            return
        with risk_at_hand():
            await self._parts.risk.release(payment_id)

    async def let_go(self, row: PaymentRow) -> None:
        """Nothing was decided: the order is free, the payment may be tried again while it lives.

        An order by payment code is nobody else's to pay: it stays claimed."""
        async with TX.transaction():
            order = await lock_order(row.order_id)
            if order.code == "shown":
                return
            move = PaymentMove(leaves="created", enters="created", deadline_at=order.expires_at)
            moved = await move_payment(row.payment_id, move)
            if moved is None or order.payment_id != row.payment_id or order.status != "paying":
                return
            await move_order(order, OrderMove(enters="open"))
            await self._parts.events.record(f"order:{order.order_id}", "order_open", order.order_id)

    async def _keep(self, row: PaymentRow, verdict: SignedVerdict) -> PaymentRow:
        """Store the verdict if the order is still ours to pay."""
        now = self._parts.clock.now()
        async with TX.transaction():
            order = await lock_order(row.order_id)
            deadline = driven_on_at(order, verdict, now)
            holder = await holder_of(order)
            mine = holder is not None and holder.payment_id == row.payment_id
            known = holder if mine else await _current(row)
            assert known is not None, "payments are never deleted"
            if known.status != "created":
                return known
            check_payable(order, holder, row.payer_id, row.payment_id, now)
            move = PaymentMove(
                leaves="created", enters="authorized", verdict=verdict, deadline_at=deadline
            )
            moved = await move_payment(row.payment_id, move)
            if not mine:
                await _claim_again(order, row, deadline)
        assert moved is not None, "the order's lock keeps its payments still"
        return moved

    async def _pend(self, row: PaymentRow) -> None:
        """The payer sees it pending; a job finds out."""
        async with TX.transaction():
            await lock_order(row.order_id)
            current = await _current(row)
            if current.status == "authorized":
                await record_pending(self._parts, current)
                await jobs.enqueue(RESUME, row.payment_id)
        _log.warning("payment_pending", payment_id=row.payment_id, at_ms=to_ms(row.created_at))

    async def _as_seen(self, row: PaymentRow, refusal: DomainError) -> DomainError:
        """The ledger's word in the words of paying."""
        if not isinstance(refusal, InsufficientFunds):
            return refusal
        missing = row.amount_fen
        with suppress(LedgerUnavailable):
            balance = await balance_of(self._parts.ledger, row.asked().source)
            missing = max(row.amount_fen - balance.available_fen, 1)
        return InsufficientBalance(short_fen=missing)


async def _claim_again(order: OrderRow, row: PaymentRow, deadline: datetime) -> None:
    claim = OrderMove(enters="paying", payment_id=row.payment_id, claimed_until=deadline)
    await move_order(order, claim)


async def _current(row: PaymentRow) -> PaymentRow:
    current = await find_payment(row.payment_id)
    assert current is not None, "payments are never deleted"
    return current
