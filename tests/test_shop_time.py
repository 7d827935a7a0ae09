"""Days and hours of shops anywhere, where clocks jump too."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.shop_time import (
    DAY,
    day_begins,
    day_span,
    hours_of,
    local_day,
    named,
    offset_text,
    same_time,
    typed,
)

ZONES = (
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("zone", "day", "hours", "begins"),
    [
        ("Asia/Shanghai", date(2026, 3, 29), 24, utc(2026, 3, 28, 16)),
        ("Europe/Berlin", date(2026, 3, 29), 23, utc(2026, 3, 28, 23)),
        ("Europe/Berlin", date(2026, 10, 25), 25, utc(2026, 10, 24, 22)),
        ("America/New_York", date(2026, 3, 8), 23, utc(2026, 3, 8, 5)),
        ("America/New_York", date(2026, 11, 1), 25, utc(2026, 11, 1, 4)),
        ("Asia/Kolkata", date(2026, 3, 29), 24, utc(2026, 3, 28, 18, 30)),
        ("Asia/Kathmandu", date(2026, 3, 29), 24, utc(2026, 3, 28, 18, 15)),
        # Midnight itself is skipped here: the day begins at one.
        ("America/Santiago", date(2026, 9, 6), 23, utc(2026, 9, 6, 4)),
    ],
)
def test_a_day_has_the_hours_that_pass_in_it(
    zone: str, day: date, hours: int, begins: datetime
) -> None:
    place = ZoneInfo(zone)
    span = day_span(place, day)
    assert span.since == begins
    assert span.until - span.since == timedelta(hours=hours)
    assert len(hours_of(place, day)) == hours


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    berlin = [h.local for h in hours_of(ZoneInfo("Europe/Berlin"), date(2026, 10, 25))]
    assert [(f"{h:%H:%M}", h.fold, h.tzname()) for h in berlin[1:5]] == [
        ("01:00", 0, "CEST"),
        ("02:00", 0, "CEST"),
        ("02:00", 1, "CET"),
        ("03:00", 0, "CET"),
    ]
    spring = [f"{h.local:%H}" for h in hours_of(ZoneInfo("America/New_York"), date(2026, 3, 8))]
    assert spring[:4] == ["00", "01", "03", "04"]


@given(st.sampled_from(ZONES), st.dates(date(1990, 1, 1), date(2037, 12, 30)))
def test_days_follow_each_other_without_gap_and_hours_fill_them(zone: str, day: date) -> None:
    place = ZoneInfo(zone)
    span = day_span(place, day)
    assert span.until == day_begins(place, day + DAY)
    hours = hours_of(place, day)
    if span.since == span.until:  # Apia had no 30 December 2011
        assert hours == ()
        return
    assert hours[0].since == span.since
    assert hours[-1].until == span.until
    assert all(a.until == b.since for a, b in pairwise(hours))
    assert all(local_day(place, hour.since) == day for hour in hours)
    # The sums are kept by the quarter of an hour.
    assert span.since.timestamp() % 900 == 0


@given(
    st.sampled_from(ZONES),
    st.integers(1_325_376_000, 2_114_380_800).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.sampled_from([1, 7]),
)
def test_the_same_time_of_another_day_lies_in_that_day(zone: str, at: datetime, days: int) -> None:
    place = ZoneInfo(zone)
    found = same_time(place, at, days)
    span = day_span(place, local_day(place, at) - timedelta(days=days))
    assert span.since <= found <= span.until


def test_the_same_time_is_what_the_wall_showed() -> None:
    berlin, noon = ZoneInfo("Europe/Berlin"), utc(2026, 3, 29, 10)
    assert same_time(berlin, noon, 0) == noon
    assert same_time(berlin, noon, 1) == utc(2026, 3, 28, 11)  # 12:00 in winter time


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("30m", utc(2026, 3, 29, 9, 30), utc(2026, 3, 29, 10, 1)),
        ("today", utc(2026, 3, 28, 23), utc(2026, 3, 29, 10, 1)),
        ("yesterday", utc(2026, 3, 27, 23), utc(2026, 3, 28, 23)),
        ("week", utc(2026, 3, 22, 23), utc(2026, 3, 29, 10, 1)),
        ("month", utc(2026, 2, 28, 23), utc(2026, 3, 29, 10, 1)),
    ],
)
def test_ranges_by_name(name: str, since: datetime, until: datetime) -> None:
    span = named(ZoneInfo("Europe/Berlin"), name, utc(2026, 3, 29, 10))
    assert (span.since, span.until) == (since, until)


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("2026-10-25", False, utc(2026, 10, 24, 22)),
        ("2026-10-25", True, utc(2026, 10, 25, 23)),
        ("2026-10-25T02:30", False, utc(2026, 10, 25, 0, 30)),  # the first of the two
        ("2026-10-25T02:30", True, utc(2026, 10, 25, 1, 31)),  # the second, its minute included
        ("2026-06-01 08:00", False, utc(2026, 6, 1, 6)),
        ("2026-02-30", False, None),
        ("2026-13-01", False, None),
        ("0001-01-01", False, None),
        ("9999-12-31", True, None),
        ("2026-10-25T25:00", False, None),
        ("yesterday", False, None),
        ("２０２６-10-25", False, None),
    ],
)
def test_typed_moments(text: str, end: bool, moment: datetime | None) -> None:
    assert typed(ZoneInfo("Europe/Berlin"), text, end=end) == moment


def test_the_offset_is_told() -> None:
    assert offset_text(ZoneInfo("Asia/Kolkata"), utc(2026, 1, 1)) == "UTC+05:30"
    assert offset_text(ZoneInfo("America/New_York"), utc(2026, 7, 1)) == "UTC-04:00"
    assert offset_text(ZoneInfo("Europe/Berlin"), utc(2026, 1, 1)) == "UTC+01:00"
