"""The list of bills: by month and day, with what its reader put on them."""

from datetime import date, datetime

import msgspec

from backend.bills import Bill, Label, MonthSum
from backend.services import Services
from backend.texts import ZONE
from web.bill_filter import Asked

PAGE_SIZE = 20


class Day(msgspec.Struct, frozen=True):
    day: date
    bills: tuple[Bill, ...]


class Month(msgspec.Struct, frozen=True):
    """goes_on: its head was drawn on the page before. sums: of the whole month, or of those of its
    bills that a filter lets through; None where these are too many to look at."""

    name: str  # "2026-11"
    first: date
    sums: MonthSum | None
    days: tuple[Day, ...]
    goes_on: bool


class Listing(msgspec.Struct, frozen=True):
    """last_month: the month of the last row, so that the next page doesn't draw its head again.
    looked_to: how far back a search has come that found too little so far."""

    months: tuple[Month, ...]
    labels: dict[str, Label]
    next_cursor: str
    last_month: str
    looked_to: datetime | None


async def listing(services: Services, asked: Asked, cursor: str, after: str) -> Listing:
    found = await services.bills.search(asked.wanted, cursor, PAGE_SIZE)
    person_id = asked.wanted.person_id
    labels = await services.bills.labels(person_id, tuple(bill.bill_id for bill in found.bills))
    by_month: dict[str, dict[date, list[Bill]]] = {}
    for bill in found.bills:
        day = local_day(bill.event_at)
        by_month.setdefault(f"{day:%Y-%m}", {}).setdefault(day, []).append(bill)
    names = tuple(by_month)
    sums = await (
        services.bills.sums(asked.wanted, names)
        if asked.narrows
        else services.bills.months(person_id, names)
    )
    of_month = {one.month: one for one in sums}
    months = tuple(_month(name, days, of_month, after) for name, days in by_month.items())
    return Listing(
        months=months,
        labels={label.bill_id: label for label in labels},
        next_cursor=found.next_cursor,
        last_month=months[-1].name if months else after,
        looked_to=found.looked_to,
    )


def _month(name: str, days: dict[date, list[Bill]], sums: dict[str, MonthSum], after: str) -> Month:
    return Month(
        name=name,
        first=date.fromisoformat(f"{name}-01"),
        sums=sums.get(name),
        days=tuple(Day(day, tuple(bills)) for day, bills in days.items()),
        goes_on=name == after,
    )


def local_day(at: datetime) -> date:
    """The day on Chinese calendars."""
    return at.astimezone(ZONE).date()
