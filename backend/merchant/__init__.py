"""Shops: opening one, the till, the dashboard."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.payments import Note, Order, Payment

CATEGORIES = ("food", "retail", "services", "travel", "health", "education", "other")
Category = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(CATEGORIES)})$")]
ShopName = Annotated[str, msgspec.Meta(min_length=2, max_length=32)]


class OpenShop(msgspec.Struct, frozen=True, kw_only=True):
    shop_id: Id
    owner_id: Id
    name: ShopName
    category: Category


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "frozen"."""

    shop_id: str
    owner_id: str
    name: str
    category: str
    status: str
    created_at: datetime


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """An amount typed at the till."""

    order_id: Id
    shop_id: Id
    owner_id: Id
    amount_fen: Amount
    note: Note = ""


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """Today is the shop's day in Asia/Shanghai; `hours` are 24 sums in fen."""

    shop: Shop
    today_fen: int
    today_count: int
    yesterday_fen: int
    balance_fen: int
    days: tuple[int, ...]  # sums of the last 7 days, oldest first, today last
    last: tuple[Payment, ...]


class Merchant(Protocol):
    async def open_shop(self, new: OpenShop) -> Shop:
        """Idempotent. Refuses: IdReused, HasShop."""
        ...

    async def shop_of(self, owner_id: str) -> Shop | None: ...

    async def charge(self, charge: Charge) -> Order:
        """Refuses: NotFound, ShopFrozen, IdReused."""
        ...

    async def order(self, owner_id: str, order_id: str) -> Order:
        """Of the owner's shop. Refuses: NotFound."""
        ...

    async def cancel(self, owner_id: str, order_id: str) -> Order:
        """Refuses: NotFound, OrderPaid, OrderBusy."""
        ...

    async def dashboard(self, owner_id: str) -> Dashboard:
        """Refuses: NotFound."""
        ...


class HasShop(DomainError, code="has_shop"):
    """A person opens one shop for now."""


class ShopFrozen(DomainError, code="shop_frozen"):
    """The shop or its owner is frozen."""
