"""Bills: one row per person and money event, written by the modules that move the money."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Protocol

import msgspec

KINDS = (
    "payment",
    "income",
    "transfer",
    "topup",
    "withdrawal",
    "packet_in",
    "packet_out",
    "packet_return",
)
DIRECTIONS = ("in", "out")
STATUSES = ("succeeded", "pending", "refused", "refunded")
CATEGORIES = (
    "food",
    "shopping",
    "transport",
    "home",
    "health",
    "study",
    "fun",
    "people",
    "work",
    "other",
)
MAX_TEXT = 64
MAX_NOTE = 200


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One person's view of a payment, receipt of money, or top-up."""

    person_id: str
    bill_id: str  # the payment's or top-up's id; the two sides of a payment share it
    kind: str  # one of KINDS; "income" is a shop's, "transfer" goes both ways
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


class BillFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Empty fields ask nothing. text: part of the other's name or of a note, the reader's own note
    too, or a whole number. status "refunded": of which something went back. until: not included.
    """

    person_id: str
    since: datetime | None = None
    until: datetime | None = None
    kind: str = ""
    direction: str = ""
    status: str = ""
    category: str = ""
    min_fen: int | None = None
    max_fen: int | None = None
    text: str = ""

    @property
    def narrows(self) -> bool:
        return self != BillFilter(person_id=self.person_id)


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a person put on their own side of a bill; nobody else sees it. category: one of
    CATEGORIES, or ""."""

    bill_id: str
    category: str = ""
    note: str = ""


class BillPage(msgspec.Struct, frozen=True, kw_only=True):
    bills: tuple[Bill, ...]
    next_cursor: str  # "" at the end; opaque
    looked_to: datetime | None = None  # of a search that has not looked further back yet


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

    async def search(
        self, wanted: BillFilter, cursor: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> BillPage:
        """Newest first. Looks at a bounded number of bills: a page may be short, or empty, and
        still have a next one. Refuses: BadRequest."""
        ...

    def stream(self, wanted: BillFilter) -> AsyncIterator[tuple[Bill, ...]]:
        """All of them, newest first. Refuses: BadRequest."""
        ...

    async def label(self, person_id: str, label: Label) -> None:
        """Replaces what was there. Refuses: NotFound, BadRequest."""
        ...

    async def labels(self, person_id: str, bill_ids: tuple[str, ...]) -> tuple[Label, ...]:
        """Of those bills that have one."""
        ...

    async def bill(self, person_id: str, bill_id: str) -> Bill:
        """Refuses: NotFound."""
        ...

    async def sums(self, wanted: BillFilter, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
        """Of the succeeded bills that fit, less what went back of each; months of so many bills
        that they can't be looked through are left out. Refuses: BadRequest."""
        ...

    async def months(self, person_id: str, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
        """Sums of succeeded bills and of refunds."""
        ...
