"""Sales on PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from backend.clock import Clock
from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.sales import Sale, SaleFilter, SalePage, SaleSum, SavedView, search, sums, views
from backend.sales.record import record, refused

STREAMED = 1000  # sales at a time

_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC), ""
_OF = f"select {search.COLUMNS} from sales.sale where shop_id = $1"  # noqa: S608


class SalesService:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def record(self, sales: tuple[Sale, ...]) -> None:
        await record(sales)

    async def refused(self, order_id: str) -> None:
        await refused(order_id, self._clock.now())

    async def page(self, wanted: SaleFilter, cursor: str, limit: int) -> SalePage:
        return await search.page(wanted, cursor, limit)

    async def sale(self, shop_id: str, sale_id: str) -> Sale:
        found = await TX.one(Sale, f"{_OF} and sale_id = $2", shop_id, sale_id)
        if found is None:
            raise NotFound()
        return found

    async def of_order(self, shop_id: str, order_id: str) -> tuple[Sale, ...]:
        refunds = await TX.query_as(
            Sale,
            f"{_OF} and order_id = $2 and kind = 'refund' order by created_at, sale_id",
            shop_id,
            order_id,
        )
        order = await self.sale(shop_id, order_id)
        if order.kind != "order":
            raise NotFound()
        return (order, *refunds)

    async def latest(self, shop_id: str, limit: int) -> tuple[Sale, ...]:
        if not 1 <= limit <= search.MAX_PAGE:
            raise BadRequest()
        found = await TX.query_as(
            Sale,
            f"{_OF} and status in ('paid', 'succeeded') and kind = 'order'"
            f" order by ended_at desc limit {limit}",
            shop_id,
        )
        return tuple(found)

    async def total(self, wanted: SaleFilter) -> SaleSum:
        return await search.total(wanted)

    async def stream(self, wanted: SaleFilter) -> AsyncIterator[tuple[Sale, ...]]:
        place: search.Place | None = _BEFORE_ALL
        while place is not None:
            found, place = await search.chunk(wanted, place, STREAMED, newest_first=False)
            if found:
                yield found

    async def hours(
        self, shop_id: str, since: datetime, until: datetime, store_id: str = ""
    ) -> tuple[SaleSum, ...]:
        return await sums.hours(shop_id, store_id, since, until)

    async def days(
        self, shop_id: str, since: datetime, until: datetime, zone: str
    ) -> tuple[SaleSum, ...]:
        return await sums.days(shop_id, since, until, zone)

    async def between(
        self, shop_id: str, since: datetime, until: datetime, store_id: str = ""
    ) -> SaleSum:
        return await sums.between(shop_id, store_id, since, until)

    async def views(self, shop_id: str, person_id: str) -> tuple[SavedView, ...]:
        return await views.views(shop_id, person_id)

    async def save_view(self, shop_id: str, person_id: str, view: SavedView) -> None:
        await views.save(shop_id, person_id, view, self._clock.now())

    async def forget_view(self, shop_id: str, person_id: str, view_id: str) -> None:
        await views.forget(shop_id, person_id, view_id)
