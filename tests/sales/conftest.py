"""Sales on real tables, and rows to fill them with."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock
from backend.db import TX
from backend.sales import Sale, SaleFilter
from backend.sales.service import SalesService
from backend.settings import Settings

SHOP = "mch_noodles"
NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
EVER = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)

Make = Callable[..., Sale]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def sales(databases: Settings, clock: FixedClock) -> SalesService:
    return SalesService(clock)


def order(**changes: object) -> Sale:
    """Open, unless told otherwise; a paid one was paid five seconds after it was opened."""
    order_id = str(changes.pop("order_id", "") or ids.new("ord"))
    created = changes.pop("created_at", NOON)
    assert isinstance(created, datetime)
    status = str(changes.setdefault("status", "open"))
    if status != "open":
        changes.setdefault("ended_at", created + timedelta(seconds=5))
    if status == "paid":
        changes.setdefault("payment_id", ids.new("pay"))
    plain = Sale(
        sale_id=order_id,
        shop_id=SHOP,
        kind="order",
        order_id=order_id,
        code="dynamic",
        status="open",
        amount_fen=23_00,
        created_at=created,
    )
    return msgspec.structs.replace(plain, **changes)


def refund(of: Sale, **changes: object) -> Sale:
    status = str(changes.setdefault("status", "succeeded"))
    created = changes.setdefault("created_at", of.created_at + timedelta(minutes=1))
    assert isinstance(created, datetime)
    if status != "pending":
        changes.setdefault("ended_at", created + timedelta(seconds=1))
    plain = Sale(
        sale_id=ids.new("rfd"),
        shop_id=of.shop_id,
        kind="refund",
        order_id=of.order_id,
        payment_id=of.payment_id,
        store_id=of.store_id,
        terminal_id=of.terminal_id,
        code=of.code,
        status="succeeded",
        amount_fen=of.amount_fen,
        created_at=created,
    )
    return msgspec.structs.replace(plain, **changes)


def wanted(**changes: object) -> SaleFilter:
    plain = SaleFilter(shop_id=SHOP, since=EVER[0], until=EVER[1])
    return msgspec.structs.replace(plain, **changes)


async def record(sales: SalesService, *given: Sale) -> None:
    async with TX.transaction():
        await sales.record(given)
