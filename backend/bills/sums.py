"""What the bills that a search finds come to, month by month."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from backend.bills import BillFilter, MonthSum, search
from backend.db import TX

ZONE = ZoneInfo("Asia/Shanghai")
_LONGEST = timedelta(days=31)


async def of(wanted: BillFilter, months: tuple[str, ...]) -> tuple[MonthSum, ...]:
    """Those that were looked through in full. Refuses: BadRequest."""
    found = [await _of_month(wanted, month) for month in months]
    return tuple(one for one in found if one is not None)


async def _of_month(wanted: BillFilter, month: str) -> MonthSum | None:
    first, following = _ends(month)
    within = msgspec.structs.replace(
        wanted,
        since=max(first, wanted.since) if wanted.since else first,
        until=min(following, wanted.until) if wanted.until else following,
    )
    walk = search.walk_of(within, search.NEWEST)
    fits = f"status = 'succeeded' and ({walk.rest or 'true'})"
    rows: list[Any] = await TX.query(
        "select count(*) as looked_at,"  # noqa: S608
        f" coalesce(sum(amount_fen - refunded_fen) filter (where {fits} and direction = 'in'), 0)"
        "::bigint as in_fen,"
        f" coalesce(sum(amount_fen - refunded_fen) filter (where {fits} and direction = 'out'), 0)"
        f"::bigint as out_fen from ({walk.rows}) as b",
        *walk.args,
    )
    [row] = rows
    if row["looked_at"] >= search.LOOKED_AT:
        return None
    return MonthSum(month=month, in_fen=row["in_fen"], out_fen=row["out_fen"])


def _ends(month: str) -> tuple[datetime, datetime]:
    """Its first moment and the next one's."""
    first = date.fromisoformat(f"{month}-01")
    following = (first + _LONGEST).replace(day=1)
    return _begins(first), _begins(following)


def _begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)
