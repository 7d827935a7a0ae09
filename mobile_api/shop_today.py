"""A shop's day so far, beside the same hours of yesterday and of last week."""

import asyncio
from zoneinfo import ZoneInfo

import msgspec
from litestar import get
from litestar.di import NamedDependency

from backend.clock import Clock
from backend.merchant import Seat
from backend.sales import SaleSum
from backend.services import Services
from backend.shop_roles import Permission
from backend.shop_time import DAY, day_begins, local_day, same_time
from mobile_api.shapes import Amount, amount_of, timestamp
from mobile_api.shop_orders import SaleView, sale_view

LAST = 7  # payments shown
WEEK_DAYS = 7


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """since ≤ moment < until. refused: tries of payers that failed."""

    since: str
    until: str
    amount: Amount
    count: int
    refunded: Amount
    refunds: int
    fees: Amount
    refused: int


class TodayView(msgspec.Struct, frozen=True, kw_only=True):
    """The days are the shop's own; yesterday and last_week end at the same time of the day. last:
    the newest payments."""

    object: str = "shop_today"
    id: str  # of the shop
    day: str
    zone: str
    today: Sums
    yesterday: Sums
    last_week: Sums
    last: list[SaleView]
    refund_requests: int


@get("/v1/shop/today", opt={"permission": Permission.ORDERS})
async def show_shop_today(
    seat: NamedDependency[Seat],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> TodayView:
    """What was taken and given back today.

    Refuses: no_shop, permission_missing."""
    now, zone, shop_id = clock.now(), ZoneInfo(seat.zone), seat.shop_id
    day = local_day(zone, now)
    begun = [day_begins(zone, day - DAY * n) for n in (0, 1, WEEK_DAYS)]
    ended = [same_time(zone, now, n) for n in (0, 1, WEEK_DAYS)]
    spans = list(zip(begun, ended, strict=True))
    sums, last, asked = await asyncio.gather(
        asyncio.gather(*(services.sales.between(shop_id, *span) for span in spans)),
        services.sales.latest(shop_id, LAST),
        services.merchant.refund_requests(seat),
    )
    today, yesterday, last_week = (
        _sums(found, timestamp(since), timestamp(until))
        for found, (since, until) in zip(sums, spans, strict=True)
    )
    return TodayView(
        id=shop_id,
        day=day.isoformat(),
        zone=seat.zone,
        today=today,
        yesterday=yesterday,
        last_week=last_week,
        last=[sale_view(sale) for sale in last],
        refund_requests=len(asked),
    )


def _sums(found: SaleSum, since: str, until: str) -> Sums:
    return Sums(
        since=since,
        until=until,
        amount=amount_of(found.amount_fen),
        count=found.count,
        refunded=amount_of(found.refund_fen),
        refunds=found.refunds,
        fees=amount_of(found.fee_fen - found.returned_fee_fen),
        refused=found.refused,
    )


handlers = [show_shop_today]
