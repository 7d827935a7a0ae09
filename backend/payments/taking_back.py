"""What came too late for its till goes back by itself: whole, once, however often it is tried."""

from datetime import timedelta

import structlog

from backend import ids
from backend.apart import apart
from backend.db import TX
from backend.errors import DomainError
from backend.events import News
from backend.payments import REVERSAL, StartRefund
from backend.payments.late import end, postpone, take_due, way_back
from backend.payments.parts import Parts
from backend.payments.records import PaymentRow, find_payment
from backend.payments.refund_rows import refunds_of
from backend.payments.refunding import Refunding
from backend.risk import LATE_WINDOW, RefundTooMuch

MAX_TAKEN = 100  # in one round
AGAIN = timedelta(seconds=5)  # where a system was away
AGAIN_RESERVED = timedelta(seconds=20)  # where a refused refund's reservation is in the way
AGAIN_REFUSED = timedelta(minutes=5)  # where money or people are missing, or frozen

_log = structlog.get_logger(__name__)


class TakingBack:
    def __init__(self, parts: Parts, refunding: Refunding) -> None:
        self._parts, self._refunding, self._clock = parts, refunding, parts.clock

    async def sweep(self) -> int:
        """How many have ended."""
        now = self._clock.now()
        due = await take_due(now, now + AGAIN, MAX_TAKEN)
        return sum([await apart(self._take_back(id_), False, "late", id_) for id_ in due])

    async def _take_back(self, payment_id: str) -> bool:
        payment = await find_payment(payment_id)
        assert payment is not None, "payments are never deleted"
        if (await way_back(payment_id)).state == "reversed":  # by whoever stood at the till
            return await end(payment_id, "reversed")
        try:
            await self._refunding.start(await _refund(payment))
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return await self._refused(payment_id, refusal)
        return await end(payment_id, "reversed")

    async def _refused(self, payment_id: str, refusal: DomainError) -> bool:
        """It can't go back whole any more where people were faster, or it took more than a day.
        Else it is asked for again: what a refused refund had reserved is in the way only until
        the security system has seen that refusal."""
        payment, now = await find_payment(payment_id), self._clock.now()
        assert payment is not None, "payments are never deleted"
        assert payment.posted_at is not None, "it is posted"
        if payment.refunded_fen or now > payment.posted_at + LATE_WINDOW:
            return await self._keep(payment, refusal)
        _log.warning("late_payment_waits", payment_id=payment_id, code=refusal.code)
        wait = AGAIN_RESERVED if isinstance(refusal, RefundTooMuch) else AGAIN_REFUSED
        await postpone(payment_id, now + wait, refusal.code)
        return False

    async def _keep(self, payment: PaymentRow, refusal: DomainError) -> bool:
        """The till learns that it is paid. Where nothing went back at all, the payer is told."""
        _log.error("late_payment_kept", payment_id=payment.payment_id, code=refusal.code)
        news = [News(f"order:{payment.order_id}", "order_paid", payment.order_id)]
        if not payment.refunded_fen:
            news.append(News(f"person:{payment.payer_id}", "payment_kept", payment.payment_id))
        async with TX.transaction():
            ended = await end(payment.payment_id, "kept")
            if ended:
                await self._parts.events.record_all(tuple(news))
        return ended


async def _refund(payment: PaymentRow) -> StartRefund:
    """The same one until that has been refused for good. Nobody's."""
    past = [refund for refund in await refunds_of(payment.payment_id) if not refund.actor_id]
    refused = sum(refund.status == "refused" for refund in past)
    return StartRefund(
        refund_id=ids.derived("rfd", payment.payment_id, "late", str(refused)),
        payment_id=payment.payment_id,
        shop_id=payment.payee_id,
        actor_id="",
        amount_fen=payment.amount_fen,
        reason=REVERSAL,
        device_secret="",
        reversal=True,
    )
