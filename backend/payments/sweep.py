"""What stopped half-way comes to its end here."""

from datetime import UTC, datetime

import structlog

from backend.apart import apart
from backend.clock import Clock
from backend.db import TX
from backend.errors import OutcomeUnknown, Unavailable, from_wire
from backend.errors import Refusal as WireRefusal
from backend.payments import PaymentAbandoned, PaymentPending
from backend.payments.driver import Driver
from backend.payments.parts import Parts
from backend.payments.records import PaymentRow, find_payment

MAX_SWEPT = 200

_START = (datetime.min.replace(tzinfo=UTC), "")

_log = structlog.get_logger(__name__)


class Sweeper:
    def __init__(self, parts: Parts, driver: Driver) -> None:
        self._parts, self._driver = parts, driver
        self._clock: Clock = parts.clock
        self._swept_to = _START  # rounds take turns: what can't be ended does not come first again

    async def sweep(self) -> int:
        """Payments past their deadline; how many came to an end."""
        due = await TX.query(
            "select payment_id, deadline_at from payments.payment"
            " where status in ('created', 'authorized') and deadline_at <= $1"
            " and (deadline_at, payment_id) > ($3, $4)"
            " order by deadline_at, payment_id limit $2",
            self._clock.now(),
            MAX_SWEPT,
            *self._swept_to,
        )
        full = len(due) == MAX_SWEPT
        self._swept_to = (due[-1]["deadline_at"], due[-1]["payment_id"]) if full else _START
        return sum(
            [
                await apart(self._end(row["payment_id"]), False, "payment", row["payment_id"])
                for row in due
            ]
        )

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
        if row.status == "created":
            # A verdict may have been given whose answer went lost with us.
            await self._driver.refuse(row, PaymentAbandoned(), used_limits=True)
        elif row.status == "authorized":
            await self._drive_on(row)
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
