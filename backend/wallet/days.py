"""Days as Chinese calendars have them, for lists that are asked for by day."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)


def is_askable(day: date) -> bool:
    return EARLIEST <= day <= LATEST


def begins(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def ends(day: date) -> datetime:
    """The first moment after it."""
    return begins(day + timedelta(days=1))
