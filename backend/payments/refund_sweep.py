"""Refunds that stopped half-way come to their end here."""

from datetime import UTC, datetime

import structlog

from backend.apart import apart
from backend.db import TX
from backend.errors import OutcomeUnknown, Unavailable, from_wire
from backend.errors import Refusal as WireRefusal
from backend.payments import PaymentAbandoned, PaymentPending
from backend.payments.parts import Parts
from backend.payments.refund_driver import RefundDriver
from backend.payments.refund_rows import RefundRow, find_refund

MAX_SWEPT = 200

_START = (datetime.min.replace(tzinfo=UTC), "")

_log = structlog.get_logger(__name__)


class RefundSweeper:
    def __init__(self, parts: Parts, driver: RefundDriver) -> None:
        self._parts, self._driver, self._clock = parts, driver, parts.clock
        self._swept_to = _START  # rounds take turns: what can't be ended does not come first again

    async def sweep(self) -> int:
        """Refunds past their deadline; how many came to an end."""
        due = await TX.query(
            "select refund_id, deadline_at from payments.refund"
            " where status in ('created', 'authorized') and deadline_at <= $1"
            " and (deadline_at, refund_id) > ($3, $4)"
            " order by deadline_at, refund_id limit $2",
            self._clock.now(),
            MAX_SWEPT,
            *self._swept_to,
        )
        full = len(due) == MAX_SWEPT
        self._swept_to = (due[-1]["deadline_at"], due[-1]["refund_id"]) if full else _START
        return sum(
            [
                await apart(self._end(row["refund_id"]), False, "refund", row["refund_id"])
                for row in due
            ]
        )

    async def resume(self, refund_id: str) -> None:
        """Refuses: PaymentPending."""
        row = await find_refund(refund_id)
        if row is not None and row.status == "authorized":
            await self._drive_on(row)

    async def _end(self, refund_id: str) -> bool:
        row = await find_refund(refund_id)
        assert row is not None, "refunds are never deleted"
        if row.deadline_at > self._clock.now():
            return False  # tried again since
        if row.status == "created":
            # A verdict may have been given whose answer went lost with us.
            await self._driver.refuse(row, PaymentAbandoned(), used_limits=True)
        elif row.status == "authorized":
            await self._drive_on(row)
        return True

    async def _drive_on(self, row: RefundRow) -> None:
        """Ask first; what the ledger never saw is posted again, with the verdict it was given."""
        try:
            outcome = await self._parts.ledger.outcome(row.refund_id)
        except (Unavailable, OutcomeUnknown):
            raise PaymentPending() from None
        if outcome is not None and outcome.posted is not None:
            await self._driver.finish(row, outcome.posted)
        elif outcome is not None:
            await self._driver.refuse(row, from_wire(WireRefusal(outcome.refusal_code, {})))
        else:
            await self._driver.post(row)
