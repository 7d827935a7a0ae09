"""Days and hours of a shop: begun by its own clocks, whatever these do in spring and autumn."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

HALF_HOUR, HOUR, DAY, WEEK = (
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(weeks=1),
)
MINUTE = timedelta(minutes=1)
RANGES = ("30m", "today", "yesterday", "week", "month", "custom")
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)

_TYPED = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d))?", re.ASCII)


class Span(msgspec.Struct, frozen=True):
    """since ≤ moment < until, both in UTC."""

    since: datetime
    until: datetime


class Hour(msgspec.Struct, frozen=True):
    """One hour of a local day. local: as the clock on the wall says; fold 1 is the second time."""

    since: datetime
    until: datetime
    local: datetime


def day_begins(zone: ZoneInfo, day: date) -> datetime:
    """The first moment of a local day. Where midnight is skipped, the moment of the skip; where it
    comes twice, the first."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def local_day(zone: ZoneInfo, at: datetime) -> date:
    return at.astimezone(zone).date()


def day_span(zone: ZoneInfo, day: date) -> Span:
    """23, 24 or 25 hours, or what the zone has."""
    return Span(day_begins(zone, day), day_begins(zone, day + DAY))


def hours_of(zone: ZoneInfo, day: date) -> tuple[Hour, ...]:
    """The hours that pass in a local day, in order; the last may be shorter."""
    span, found = day_span(zone, day), []
    since = span.since
    while since < span.until:
        until = min(since + HOUR, span.until)
        found.append(Hour(since, until, since.astimezone(zone)))
        since = until
    return tuple(found)


def same_time(zone: ZoneInfo, at: datetime, days: int) -> datetime:
    """What the wall's clock showed at `at`, so many days before; never beyond that day's end."""
    day = local_day(zone, at) - timedelta(days=days)
    local = datetime.combine(day, at.astimezone(zone).time(), zone)
    span = day_span(zone, day)
    return min(max(local.astimezone(UTC), span.since), span.until)


def named(zone: ZoneInfo, name: str, now: datetime) -> Span:
    """A range by its name, "custom" aside. It ends in a minute: what happens now is in it."""
    today, soon = local_day(zone, now), now + MINUTE
    if name == "30m":
        return Span(now - HALF_HOUR, soon)
    if name == "yesterday":
        return day_span(zone, today - DAY)
    first = {
        "today": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
    }[name]
    return Span(day_begins(zone, first), soon)


def typed(zone: ZoneInfo, text: str, *, end: bool) -> datetime | None:
    """A day, or a day and minute, as the shop's clocks show it; an end takes its day or minute in.

    A minute that comes twice begins with the first and ends with the second.
    """
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        return None
    try:
        day = date.fromisoformat(match[1])
        minute = time.fromisoformat(match[2]) if match[2] else None
    except ValueError:
        return None
    if not EARLIEST <= day <= LATEST:
        return None
    if minute is None:
        return day_begins(zone, day + DAY if end else day)
    local = datetime.combine(day, minute, zone).replace(fold=int(end))
    return local.astimezone(UTC) + (MINUTE if end else timedelta())


def offset_text(zone: ZoneInfo, at: datetime) -> str:
    """ "UTC+08:00"."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    sign, minutes = ("-" if offset < timedelta() else "+"), abs(offset) // MINUTE
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"
