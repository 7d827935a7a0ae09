"""Days of a shop: they begin at midnight where the shop is, whatever the clocks there do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def day_start(now: datetime, zone: str) -> datetime:
    """The beginning of the shop's day that `now` lies in, in UTC."""
    here = now.astimezone(ZoneInfo(zone))
    return here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
