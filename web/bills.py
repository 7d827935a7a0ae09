"""Bills: the list by month and day, and one bill in full; side by side where there is room."""

from datetime import date, datetime

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from backend.bills import Bill, MonthSum
from backend.errors import NotFound
from backend.identity import Person
from backend.services import Services
from web.http import WebRequest
from web.i18n import ZONE
from web.render import fragment, page

PAGE_SIZE = 20


class Day(msgspec.Struct, frozen=True):
    day: date
    bills: tuple[Bill, ...]


class Month(msgspec.Struct, frozen=True):
    """goes_on: its head was drawn on the page before."""

    name: str  # "2026-11"
    first: date
    sums: MonthSum
    days: tuple[Day, ...]
    goes_on: bool


class Listing(msgspec.Struct, frozen=True):
    """last_month: the month of the last row, so that the next page doesn't draw its head again."""

    months: tuple[Month, ...]
    next_cursor: str
    last_month: str


@get("/bills")
async def show_all(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    cursor: FromQuery[str] = "",
    after: FromQuery[str] = "",
) -> Response[str]:
    listing = await _listing(services, person.person_id, cursor, after if cursor else "")
    if cursor and request.is_partial:
        return fragment(request, "bills/_rows.html", listing=listing, chosen="")
    return page(request, "bills/page.html", listing=listing, bill=None, width="wide")


@get("/bills/{bill_id:str}")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    bill_id: FromPath[str],
) -> Response[str]:
    bill = await services.bills.bill(person.person_id, bill_id)
    if request.is_partial:
        return fragment(request, "bills/_bill.html", bill=bill)
    listing = await _listing(services, person.person_id, "", "")
    return page(request, "bills/page.html", listing=listing, bill=bill, width="wide")


async def _listing(services: Services, person_id: str, cursor: str, after: str) -> Listing:
    found = await services.bills.page(person_id, cursor, PAGE_SIZE)
    by_month: dict[str, dict[date, list[Bill]]] = {}
    for bill in found.bills:
        day = local_day(bill.event_at)
        by_month.setdefault(f"{day:%Y-%m}", {}).setdefault(day, []).append(bill)
    sums = {s.month: s for s in await services.bills.months(person_id, tuple(by_month))}
    months = tuple(_month(name, days, sums, after) for name, days in by_month.items())
    return Listing(months, found.next_cursor, months[-1].name if months else after)


def _month(name: str, days: dict[date, list[Bill]], sums: dict[str, MonthSum], after: str) -> Month:
    return Month(
        name=name,
        first=date.fromisoformat(f"{name}-01"),
        sums=sums.get(name) or MonthSum(month=name, in_fen=0, out_fen=0),
        days=tuple(Day(day, tuple(bills)) for day, bills in days.items()),
        goes_on=name == after,
    )


def local_day(at: datetime) -> date:
    """The day on Chinese calendars."""
    return at.astimezone(ZONE).date()


async def bill_or_none(services: Services, person_id: str, bill_id: str) -> Bill | None:
    """None where it isn't written yet."""
    try:
        return await services.bills.bill(person_id, bill_id)
    except NotFound:
        return None


handlers = [show_all, show]
