"""Sums of a shop's sales over time: from quarters of an hour, and at the edges from rows."""

from datetime import UTC, datetime, timedelta

import msgspec

from backend.db import TX
from backend.errors import BadRequest
from backend.sales import SaleSum

QUARTER = timedelta(minutes=15)
MAX_HOURS = timedelta(days=400)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUMS = ("amount_fen", "count", "fee_fen", "refund_fen", "refunds", "returned_fee_fen", "refused")
_ADDED = ", ".join(f"coalesce(sum({name}), 0)::bigint as {name}" for name in _SUMS)

_HOURS = f"""
select date_bin('1 hour', at, $3) as at, {_ADDED}
from sales.quarter where shop_id = $1 and store_id = $2 and at >= $3 and at < $4
group by 1 order by 1
"""  # noqa: S608

_DAYS = f"""
select date_trunc('day', at, $5) as at, {_ADDED}
from sales.quarter where shop_id = $1 and store_id = $2 and at >= $3 and at < $4
group by 1 order by 1
"""  # noqa: S608

_WHOLE = f"""
select {_ADDED} from sales.quarter where shop_id = $1 and store_id = $2 and at >= $3 and at < $4
"""  # noqa: S608

# $3 ≤ moment < $4 in all; $5 and $6 are the quarters that lie in it whole.
_BETWEEN = f"""
select {_ADDED} from (
    select amount_fen, count, fee_fen, refund_fen, refunds, returned_fee_fen, 0 as refused
    from sales.quarter where shop_id = $1 and store_id = $2 and at >= $5 and at < $6
    union all
    select 0, 0, 0, 0, 0, 0, refused
    from sales.quarter where shop_id = $1 and store_id = $2 and at >= $7 and at < $4
    union all
    select case when kind = 'order' then amount_fen else 0 end, (kind = 'order')::int,
        case when kind = 'order' then fee_fen else 0 end,
        case when kind = 'refund' then amount_fen else 0 end, (kind = 'refund')::int,
        case when kind = 'refund' then fee_fen else 0 end, 0
    from sales.sale where shop_id = $1 and status in ('paid', 'succeeded')
        and ($2 = '' or store_id = $2)
        and (ended_at >= $3 and ended_at < least($5, $4)
            or ended_at >= greatest($6, $3) and ended_at < $4)
) as parts
"""  # noqa: S608


async def hours(
    shop_id: str, store_id: str, since: datetime, until: datetime
) -> tuple[SaleSum, ...]:
    _check(since, until)
    return tuple(await TX.query_as(SaleSum, _HOURS, shop_id, store_id, since, until))


async def days(shop_id: str, since: datetime, until: datetime, zone: str) -> tuple[SaleSum, ...]:
    _check(since, until)
    return tuple(await TX.query_as(SaleSum, _DAYS, shop_id, "", since, until, zone))


async def between(shop_id: str, store_id: str, since: datetime, until: datetime) -> SaleSum:
    first, last = _quarter(since), _quarter(until)
    if (first, last) == (since, until):  # days of settlement and of the dashboard: no rows needed
        [row] = await TX.query(_WHOLE, shop_id, store_id, since, until)
    else:
        whole = first if first == since else first + QUARTER
        [row] = await TX.query(
            _BETWEEN, shop_id, store_id, since, until, whole, max(whole, last), first
        )
    return msgspec.convert(dict(row) | {"at": since}, SaleSum)


def _check(since: datetime, until: datetime) -> None:
    if _quarter(since) != since or until - since > MAX_HOURS:
        raise BadRequest()


def _quarter(at: datetime) -> datetime:
    """Its beginning. Quarters are the same in every zone."""
    return at - (at - _EPOCH) % QUARTER
