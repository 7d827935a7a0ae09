"""Sales: what a shop reads of its orders and refunds. Written by the module that moves the money,
in its transaction; one row per order and one per refund, and sums by the hour."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Protocol

import msgspec

MAX_PAGE = 100
MAX_VIEWS = 20  # saved by one person


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """kind "order" or "refund"; status of an order: "open", "paid", "expired", "cancelled"; of a
    refund: "pending", "succeeded", "refused". An order that was refunded stays "paid" with
    refunded_fen. sale_id: the order's or the refund's id."""

    sale_id: str
    shop_id: str
    kind: str
    order_id: str
    payment_id: str = ""
    store_id: str = ""
    terminal_id: str = ""
    actor_id: str = ""  # who opened the order at the till, or who refunded
    code: str
    status: str
    payer_name: str = ""  # masked
    amount_fen: int
    fee_fen: int = 0
    refunded_fen: int = 0
    note: str = ""  # the payer's, or the reason of a refund
    journal_seq: int = 0
    created_at: datetime
    ended_at: datetime | None = None  # paid, refunded, expired, cancelled, refused
    tries: int = 0  # payments of it that were refused


class SaleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """since ≤ created_at < until. "" and None: any. text: a whole number of an order, payment or
    refund, the end of an order's (6 characters or more), or a part of note or payer name."""

    shop_id: str
    since: datetime
    until: datetime
    kind: str = ""
    status: str = ""  # a Sale's, and "refunded" (some or all of it)
    store_id: str = ""
    terminal_id: str = ""
    actor_id: str = ""
    min_fen: int | None = None
    max_fen: int | None = None
    text: Annotated[str, msgspec.Meta(max_length=64)] = ""
    sale_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()  # a selection


class SalePage(msgspec.Struct, frozen=True, kw_only=True):
    sales: tuple[Sale, ...]
    next_cursor: str  # "" at the end; opaque


class SaleSum(msgspec.Struct, frozen=True, kw_only=True):
    """refused: tries of payers that failed; the success rate is count / (count + refused).
    rows: found by a filter, of any status; 0 where the sum is not of a filter."""

    at: datetime  # the beginning of the hour or day
    rows: int = 0
    amount_fen: int = 0
    count: int = 0
    fee_fen: int = 0
    refund_fen: int = 0
    refunds: int = 0
    returned_fee_fen: int = 0
    refused: int = 0


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """query: the address of the list without its path."""

    view_id: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    query: Annotated[str, msgspec.Meta(max_length=1000)]


class Sales(Protocol):
    async def record(self, sales: tuple[Sale, ...]) -> None:
        """Insert or move on, inside the caller's transaction. An order's sums count once it is
        "paid", a refund's once it has "succeeded", both in the hour of ended_at. What is final
        stays as it is; a refund that succeeds raises its order's refunded_fen by itself, so that
        refunded_fen and tries of a given Sale don't matter."""
        ...

    async def refused(self, order_id: str) -> None:
        """A payer's try failed; inside the caller's transaction."""
        ...

    async def page(
        self, wanted: SaleFilter, cursor: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> SalePage:
        """Newest first. A page looks at a bounded number of rows, so it may hold few or none and
        still have a next_cursor: the search goes on there. Refuses: BadRequest (a foreign cursor,
        an unknown kind or status)."""
        ...

    async def sale(self, shop_id: str, sale_id: str) -> Sale:
        """Refuses: NotFound."""
        ...

    async def of_order(self, shop_id: str, order_id: str) -> tuple[Sale, ...]:
        """The order and its refunds, oldest first. Refuses: NotFound."""
        ...

    async def latest(
        self, shop_id: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> tuple[Sale, ...]:
        """Paid orders in the order of paying, newest first."""
        ...

    async def total(self, wanted: SaleFilter) -> SaleSum:
        """Of everything that the filter finds, where that is cheap; else BadRequest."""
        ...

    def stream(self, wanted: SaleFilter) -> AsyncIterator[tuple[Sale, ...]]:
        """All that the filter finds, oldest first, in chunks; holds no transaction in between."""
        ...

    async def hours(
        self, shop_id: str, since: datetime, until: datetime, store_id: str = ""
    ) -> tuple[SaleSum, ...]:
        """One sum per hour with sales, oldest first; from sums, not from rows. Hours are counted
        from since, so those of a zone with a half-hour are right too. Refuses: BadRequest (since is
        not at a quarter of an hour)."""
        ...

    async def days(
        self, shop_id: str, since: datetime, until: datetime, zone: str
    ) -> tuple[SaleSum, ...]:
        """One sum per day of that zone with sales, oldest first. Refuses: as `hours`."""
        ...

    async def between(
        self, shop_id: str, since: datetime, until: datetime, store_id: str = ""
    ) -> SaleSum:
        """Exact to the moment, whatever the moments; `refused` to the quarter of an hour."""
        ...

    async def views(self, shop_id: str, person_id: str) -> tuple[SavedView, ...]: ...

    async def save_view(self, shop_id: str, person_id: str, view: SavedView) -> None:
        """Idempotent by view_id. Refuses: BadRequest (more than MAX_VIEWS)."""
        ...

    async def forget_view(self, shop_id: str, person_id: str, view_id: str) -> None:
        """Refuses: NotFound."""
        ...
