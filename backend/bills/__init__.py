"""Bills: one row per person and money event, written by the modules that move the money."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One person's view of a payment, receipt of money, or top-up."""

    person_id: str
    bill_id: str  # the payment's or top-up's id; the two sides of a payment share it
    kind: str  # "payment", "income" (of a shop), "transfer" (both ways), "topup", …
    direction: str  # "out" or "in"
    counterparty: str  # name as shown
    amount_fen: int
    fee_fen: int = 0
    refunded_fen: int = 0  # what went back of it so far
    status: str  # "pending", "succeeded", "refused"
    method: str = ""  # level or card, a machine word such as "balance" or "card:…1234"
    note: str = ""
    order_id: str = ""  # the other side's number
    event_at: datetime
    settled_at: datetime | None = None
    refusal_code: str = ""


class Refunded(msgspec.Struct, frozen=True, kw_only=True):
    """What went back, now, of a bill that these people share."""

    bill_id: str
    person_ids: tuple[str, ...]
    amount_fen: int
    at: datetime


class BillPage(msgspec.Struct, frozen=True, kw_only=True):
    bills: tuple[Bill, ...]
    next_cursor: str  # "" at the end; opaque


class MonthSum(msgspec.Struct, frozen=True, kw_only=True):
    month: str  # "2026-11", in Asia/Shanghai
    in_fen: int
    out_fen: int


class Bills(Protocol):
    async def record(self, bills: tuple[Bill, ...]) -> None:
        """Insert or move on, inside the caller's transaction. Only `pending` can change."""
        ...

    async def refund(self, refunded: Refunded) -> None:
        """Part of a succeeded bill went back, on both sides, inside the caller's transaction. In
        the sums it is money the other way, in the month in which it went back."""
        ...

    async def page(
        self, person_id: str, cursor: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> BillPage:
        """Newest first. Refuses: BadRequest (a foreign cursor)."""
        ...

    async def bill(self, person_id: str, bill_id: str) -> Bill:
        """Refuses: NotFound."""
        ...

    async def months(self, person_id: str, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
        """Sums of succeeded bills and of refunds."""
        ...
