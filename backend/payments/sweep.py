"""What stopped half-way comes to its end here."""

import structlog

from backend.clock import Clock
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable, from_wire
from backend.errors import Refusal as WireRefusal
from backend.payments import PaymentAbandoned, PaymentPending
from backend.payments.driver import Driver
from backend.payments.parts import Parts
from backend.payments.records import PaymentRow, find_payment

MAX_SWEPT = 200

_log = structlog.get_logger(__name__)


class Sweeper:
    def __init__(self, parts: Parts, driver: Driver) -> None:
        self._parts, self._driver = parts, driver
        self._clock: Clock = parts.clock

    async def sweep(self) -> int:
        """Payments past their deadline; how many came to an end."""
        due = await TX.query(
            "select payment_id from payments.payment"
            " where status in ('created', 'authorized') and deadline_at <= $1"
            " order by deadline_at limit $2",
            self._clock.now(),
            MAX_SWEPT,
        )
        return sum([await self._end(row["payment_id"]) for row in due])

    async def resume(self, payment_id: str) -> None:
        """Refuses: PaymentPending."""
        row = await find_payment(payment_id)
        if row is not None and row.status == "authorized":
            await self._drive_on(row)

    async def _end(self, payment_id: str) -> bool:
        row = await find_payment(payment_id)
        assert row is not None, "payments are never deleted"
        if row.deadline_at > self._clock.now():
            return False  # claimed again since
        try:
            if row.status == "created":
                # A verdict may have been given whose answer went lost with us.
                await self._driver.refuse(row, PaymentAbandoned(), used_limits=True)
            elif row.status == "authorized":
                await self._drive_on(row)
        except DomainError as error:
            _log.warning("payment_not_ended", payment_id=payment_id, code=error.code)
            return False
        return True

    async def _drive_on(self, row: PaymentRow) -> None:
        """Ask first; what the ledger never saw is posted again, with the verdict it was given.

        If that has expired, the ledger refuses, which is final there, so that no late copy of the
        first call can move money after we called the payment refused.
        """
        try:
            outcome = await self._parts.ledger.outcome(row.payment_id)
        except (Unavailable, OutcomeUnknown):
            raise PaymentPending() from None
        if outcome is not None and outcome.posted is not None:
            await self._driver.finish(row, outcome.posted)
        elif outcome is not None:
            await self._driver.refuse(row, from_wire(WireRefusal(outcome.refusal_code, {})))
        else:
            await self._driver.post(row)
