"""What settlement decides without asking anybody: its days, and what of a day's sales is due."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from backend.sales import SaleSum

# The bank's days, whatever zone a shop keeps: it pays once a day, and batches, files and the
# bank's own statement must be of the same day.
ZONE = ZoneInfo("Asia/Shanghai")

CLOSE_AFTER = timedelta(hours=1)  # after midnight: by then what was under way has ended
FILES_FROM = timedelta(hours=9)
LATE_DAYS = 366  # sales noted so long after their day still come into a batch


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE)


def end_of(day: date) -> datetime:
    """The first moment that is not in it."""
    return start_of(day + timedelta(days=1))


def day_of(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def last_closed(now: datetime) -> date:
    """The newest day whose batch may be made."""
    return day_of(now - CLOSE_AFTER) - timedelta(days=1)


def last_filed(now: datetime) -> date:
    """The newest day whose files may be made."""
    return day_of(now - FILES_FROM) - timedelta(days=1)


def due_on(day: date) -> date:
    return day + timedelta(days=1)


def net_of(sums: SaleSum) -> int:
    """What a day's sales leave to the shop, in fen; below 0 where it gave back more."""
    return sums.amount_fen - sums.fee_fen + sums.returned_fee_fen - sums.refund_fen


def moved(sums: SaleSum) -> bool:
    return bool(sums.count or sums.refunds)
