"""The dashboard that stays open all day: today beside yesterday and last week, and what to do."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from backend.clock import Clock
from backend.errors import DomainError
from backend.identity import Person
from backend.ledger import Balance
from backend.merchant import NoShop, RefundRequest, Seat, Shop, WaitingInvitation
from backend.sales import Sale, SaleFilter, SaleSum
from backend.services import Services
from backend.settlement import Next
from backend.shop_roles import Permission
from backend.shop_time import (
    DAY,
    HOUR,
    MINUTE,
    WEEK,
    Hour,
    day_begins,
    hours_of,
    local_day,
    offset_text,
    same_time,
)
from web.charts import Chart, bars, change, mean, share
from web.http import WebRequest, redirect
from web.render import fragment, page
from web.shop_seat import seat_with

LAST = 7  # payments in the live list
SOON = timedelta(hours=6)  # an invitation that ends so soon is worth a reminder
DAYS = 30  # of the series
BOARD = "#board"
SHOWN = "shown"  # a payment code that the till has read

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Figure(msgspec.Struct, frozen=True):
    """kind: "money", "count" or "rate" (tenths of a percent); value None: of nothing.
    yesterday, last_week: tenths of a percent more or less; of a rate, the difference."""

    name: str
    kind: str
    value: int | None
    yesterday: int | None
    last_week: int | None


class HourRow(msgspec.Struct, frozen=True):
    hour: Hour
    today: SaleSum
    yesterday_fen: int


class Today(msgspec.Struct, frozen=True):
    figures: tuple[Figure, ...]
    hours: tuple[HourRow, ...]
    chart: Chart
    now_at: int  # the hour that runs


class DayRow(msgspec.Struct, frozen=True):
    day: date
    sums: SaleSum
    success: int | None
    refund_rate: int | None


class Duties(msgspec.Struct, frozen=True):
    """What waits for somebody."""

    shop: Shop
    requests: tuple[RefundRequest, ...]
    invitations: tuple[WaitingInvitation, ...]  # about to expire
    closed_terminals: int
    pending_refunds: int
    kept: tuple[str, ...]  # orders whose payment should have gone back by itself


class Money(msgspec.Struct, frozen=True):
    balance: Balance | None
    coming: Next


@get("/shop")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    seen: FromQuery[str] = "",
) -> Response[str] | Response[None]:
    """seen: the newest payment that the page shows already; what is newer is heard."""
    try:
        seat = await services.merchant.seat(person.person_id)
    except NoShop:
        return redirect(request, "/shop/new")
    if Permission.ORDERS not in seat.permissions:
        return redirect(request, "/cashier")
    now, zone = clock.now(), ZoneInfo(seat.zone)
    if request.headers.get("hx-target", "").endswith(BOARD):
        today, (last, back) = await asyncio.gather(
            _today(services, seat, now), _last(services, seat)
        )
        return fragment(
            request,
            "shops/_board.html",
            today=today,
            last=last,
            back=back,
            zone=zone,
            moment=moment,
            newest=newest(last),
            heard=int(seen) if seen.isascii() and seen.isdigit() else newest(last),
        )
    today, (last, back), duties, days, money = await asyncio.gather(
        _today(services, seat, now),
        _last(services, seat),
        _duties(services, seat, now),
        _days(services, seat, now),
        _money(services, seat),
    )
    return page(
        request,
        "shops/page.html",
        seat=seat,
        today=today,
        last=last,
        back=back,
        moment=moment,
        newest=newest(last),
        heard=newest(last),
        duties=duties,
        days=days,
        money=money,
        zone=zone,
        offset=offset_text(zone, now),
        width="full",
    )


@get("/shop/series.json")
async def series(
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
) -> dict[str, list[int]]:
    """Hour by hour for the interactive chart; `at`: Unix seconds, `fen`, `count`."""
    seat = await seat_with(services, person, Permission.ORDERS)
    now, zone = clock.now(), ZoneInfo(seat.zone)
    since = day_begins(zone, local_day(zone, now) - timedelta(days=DAYS - 1))
    found = {s.at: s for s in await services.sales.hours(seat.shop_id, since, now)}
    moments = [since + HOUR * n for n in range((now - since) // HOUR + 1)]
    empty = SaleSum(at=since)
    sums = [found.get(at, empty) for at in moments]
    return {
        "at": [int(at.timestamp()) for at in moments],
        "fen": [s.amount_fen for s in sums],
        "count": [s.count for s in sums],
    }


async def _last(services: Services, seat: Seat) -> tuple[tuple[Sale, ...], frozenset[str]]:
    """The newest payments, and which of them go back: those are not to be heard as received."""
    last = await services.sales.latest(seat.shop_id, LAST)
    shown = tuple(sale.payment_id for sale in last if sale.code == SHOWN)
    return last, await services.payments.going_back(shown)


async def _today(services: Services, seat: Seat, now: datetime) -> Today:
    zone, shop_id = ZoneInfo(seat.zone), seat.shop_id
    today = local_day(zone, now)
    days = [day_begins(zone, today - timedelta(days=n)) for n in (0, 1, 7)]
    until = [same_time(zone, now, n) for n in (0, 1, 7)]
    sums, by_hour = await asyncio.gather(
        asyncio.gather(
            *(services.sales.between(shop_id, *ends) for ends in zip(days, until, strict=True))
        ),
        services.sales.hours(shop_id, days[1], now + MINUTE),
    )
    rows = _hours(zone, today, {s.at: s for s in by_hour})
    return Today(
        figures=_figures(*sums),
        hours=rows,
        chart=bars(tuple(r.today.amount_fen for r in rows), tuple(r.yesterday_fen for r in rows)),
        now_at=next((n for n, row in enumerate(rows) if now < row.hour.until), len(rows) - 1),
    )


def _hours(zone: ZoneInfo, today: date, sums: dict[datetime, SaleSum]) -> tuple[HourRow, ...]:
    """By the wall's clock; an hour that yesterday had twice counts both."""
    before: dict[str, int] = {}
    for hour in hours_of(zone, today - DAY):
        fen = sums[hour.since].amount_fen if hour.since in sums else 0
        before[f"{hour.local:%H}"] = before.get(f"{hour.local:%H}", 0) + fen
    return tuple(
        HourRow(
            hour,
            sums.get(hour.since) or SaleSum(at=hour.since),
            0 if hour.local.fold else before.get(f"{hour.local:%H}", 0),
        )
        for hour in hours_of(zone, today)
    )


def _figures(today: SaleSum, yesterday: SaleSum, last_week: SaleSum) -> tuple[Figure, ...]:
    def compared(name: str, kind: str, values: tuple[int, int, int]) -> Figure:
        now, *before = values
        return Figure(name, kind, now, *(change(now, value) for value in before))

    every = (today, yesterday, last_week)

    def of(field: str) -> tuple[int, int, int]:
        now, day, week = (getattr(sums, field) for sums in every)
        return now, day, week

    means = tuple(mean(sums.amount_fen, sums.count) for sums in every)
    return (
        compared("amount", "money", of("amount_fen")),
        compared("count", "count", of("count")),
        compared("mean", "money", (means[0], means[1], means[2])),
        compared("refunds", "money", of("refund_fen")),
        _rate("success", [success(sums) for sums in every]),
        _rate("refund_rate", [share(sums.refund_fen, sums.amount_fen) for sums in every]),
    )


def _rate(name: str, rates: list[int | None]) -> Figure:
    now, *before = rates
    moved = (None if now is None or rate is None else now - rate for rate in before)
    return Figure(name, "rate", now, *moved)


def newest(last: tuple[Sale, ...]) -> int:
    """The moment of the last payment in microseconds, 0 without one."""
    return moment(last[0]) if last else 0


def moment(sale: Sale) -> int:
    """Of being paid."""
    return ((sale.ended_at or sale.created_at) - _EPOCH) // timedelta(microseconds=1)


def success(sums: SaleSum) -> int | None:
    """Of the tries of payers, those that paid."""
    return share(sums.count, sums.count + sums.refused)


async def _days(services: Services, seat: Seat, now: datetime) -> tuple[DayRow, ...]:
    """Newest first."""
    zone = ZoneInfo(seat.zone)
    today = local_day(zone, now)
    since = day_begins(zone, today - timedelta(days=DAYS - 1))
    sums = await services.sales.days(seat.shop_id, since, now, seat.zone)
    by_day = {local_day(zone, day.at): day for day in sums}
    days = (today - timedelta(days=n) for n in range(DAYS))
    return tuple(_day(day, by_day.get(day) or SaleSum(at=since)) for day in days)


def _day(day: date, sums: SaleSum) -> DayRow:
    return DayRow(day, sums, success(sums), share(sums.refund_fen, sums.amount_fen))


async def _duties(services: Services, seat: Seat, now: datetime) -> Duties:
    pending = SaleFilter(shop_id=seat.shop_id, since=now - WEEK, until=now, status="pending")
    shop, requests, invitations, terminals, waiting, kept = await asyncio.gather(
        services.merchant.shop(seat.shop_id),
        services.merchant.refund_requests(seat),
        _ending(services, seat, now),
        services.merchant.terminals(seat),
        services.sales.page(pending, "", LAST),
        services.payments.kept(seat.shop_id),
    )
    return Duties(
        shop=shop,
        requests=requests,
        invitations=invitations,
        closed_terminals=sum(terminal.closed for terminal in terminals),
        pending_refunds=len(waiting.sales),
        kept=kept,
    )


async def _ending(services: Services, seat: Seat, now: datetime) -> tuple[WaitingInvitation, ...]:
    if Permission.STAFF not in seat.permissions:
        return ()
    waiting = await services.merchant.waiting_invitations(seat)
    return tuple(invitation for invitation in waiting if invitation.expires_at <= now + SOON)


async def _money(services: Services, seat: Seat) -> Money | None:
    """None for who may not see it."""
    if Permission.MONEY not in seat.permissions:
        return None
    coming, balance = await asyncio.gather(
        services.settlement.next(seat.shop_id), _balance(services, f"shop:{seat.shop_id}")
    )
    return Money(balance, coming)


async def _balance(services: Services, account_id: str) -> Balance | None:
    """None while the ledger is away."""
    try:
        found = await services.ledger.balances((account_id,))
    except DomainError as refusal:
        if not refusal.retryable:
            raise
        return None
    return found[0] if found else Balance(account_id, 0, 0, 0, False)


handlers = [show, series]
