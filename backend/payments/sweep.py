"""What stopped half-way comes to its end here: payments, and in the same way refunds."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from backend.apart import apart
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable, from_wire
from backend.errors import Refusal as WireRefusal
from backend.ledger import Posted
from backend.payments import PaymentAbandoned, PaymentPending
from backend.payments.driver import Driver
from backend.payments.parts import Parts
from backend.payments.records import PaymentRow, find_payment
from backend.payments.refund_driver import RefundDriver
from backend.payments.refund_rows import RefundRow, find_refund

MAX_SWEPT = 200

_START = (datetime.min.replace(tzinfo=UTC), "")

_DUE = """
select {what}_id as id, deadline_at from payments.{what}
where status in ('created', 'authorized') and deadline_at <= $1
    and (deadline_at, {what}_id) > ($3, $4)
order by deadline_at, {what}_id limit $2
"""

Row = TypeVar("Row", PaymentRow, RefundRow)


class Drives(Protocol[Row]):
    """The driver of such rows."""

    async def refuse(self, row: Row, refusal: DomainError, *, used_limits: bool = False) -> Row: ...

    async def finish(self, row: Row, posted: Posted) -> Row: ...

    async def post(self, row: Row) -> Row: ...


class Sweeper(Generic[Row]):
    def __init__(
        self,
        parts: Parts,
        what: str,
        find: Callable[[str], Awaitable[Row | None]],
        driver: Drives[Row],
    ) -> None:
        self._ledger, self._clock = parts.ledger, parts.clock
        self._what = what
        self._find: Callable[[str], Awaitable[Row | None]] = find
        self._driver: Drives[Row] = driver
        self._swept_to = _START  # rounds take turns: what can't be ended does not come first again

    async def sweep(self) -> int:
        """Of those past their deadline, how many came to an end."""
        due = await TX.query(
            _DUE.format(what=self._what), self._clock.now(), MAX_SWEPT, *self._swept_to
        )
        full = len(due) == MAX_SWEPT
        self._swept_to = (due[-1]["deadline_at"], due[-1]["id"]) if full else _START
        return sum([await apart(self._end(row["id"]), False, self._what, row["id"]) for row in due])

    async def resume(self, ref: str) -> None:
        """Nothing, where it is the other kind's. Refuses: PaymentPending."""
        row = await self._find(ref)
        if row is not None and row.status == "authorized":
            await self._drive_on(ref, row)

    async def _end(self, ref: str) -> bool:
        row = await self._find(ref)
        assert row is not None, "these are never deleted"
        if row.deadline_at > self._clock.now():
            return False  # tried again since
        if row.status == "created":
            # A verdict may have been given whose answer went lost with us.
            await self._driver.refuse(row, PaymentAbandoned(), used_limits=True)
        elif row.status == "authorized":
            await self._drive_on(ref, row)
        return True

    async def _drive_on(self, ref: str, row: Row) -> None:
        """Ask first; what the ledger never saw is posted again, with the verdict it was given.

        If that has expired, the ledger refuses, which is final there, so that no late copy of the
        first call can move money after we called it refused.
        """
        try:
            outcome = await self._ledger.outcome(ref)
        except (Unavailable, OutcomeUnknown):
            raise PaymentPending() from None
        if outcome is not None and outcome.posted is not None:
            await self._driver.finish(row, outcome.posted)
        elif outcome is not None:
            await self._driver.refuse(row, from_wire(WireRefusal(outcome.refusal_code, {})))
        else:
            await self._driver.post(row)


def of_payments(parts: Parts, driver: Driver) -> Sweeper[PaymentRow]:
    return Sweeper(parts, "payment", find_payment, driver)


def of_refunds(parts: Parts, driver: RefundDriver) -> Sweeper[RefundRow]:
    return Sweeper(parts, "refund", find_refund, driver)
