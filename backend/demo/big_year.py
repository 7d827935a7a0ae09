"""A big shop's year, made from the number of orders and one moment: always the same year.

Nothing is rolled: what an order is follows from the SHA-256 of its place in the year.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import msgspec

from backend.demo.history import MENU
from backend.demo.people import fixed_id

DAYS = 365
TOGETHER = 500  # orders in one batch
UNPAID_EVERY, REFUND_EVERY = 41, 37  # of so many orders one
TILLS = 6
PAYERS = 200
CODES = ("dynamic", "shown", "shown", "static", "static")

OPENS_AT = 8
# What part of a day's orders comes in each hour from the opening on, in hundredths.
HOURS = (4, 6, 7, 8, 14, 13, 7, 6, 6, 8, 9, 6, 4, 2)
WEEKDAYS = (90, 88, 92, 96, 112, 130, 124)  # Monday first; in hundredths of a mean day
SETTLING = timedelta(hours=22, minutes=5)  # after midnight: the day's refunds are made

_SHANGHAI = ZoneInfo("Asia/Shanghai")


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """payer, till: by their number. refund_fen: what goes back in the evening, 0 for nothing."""

    order_id: str
    payment_id: str
    refund_id: str
    payer: int
    till: int
    code: str
    note: str
    amount_fen: int
    refund_fen: int
    paid: bool
    event_at: datetime


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one day by their places in the year; the last of a day brings its refunds.

    orders: of the whole year.
    """

    orders: int
    first: int
    end: int
    day: int
    day_first: int
    day_end: int


def batches(orders: int, until: datetime) -> list[Batch]:
    """All of the year that ends on the day before `until`, in the order of time."""
    found: list[Batch] = []
    for day, (first, end) in enumerate(pairwise(_bounds(orders, until))):
        starts = range(first, end, TOGETHER)
        whole = Batch(orders=orders, first=first, end=end, day=day, day_first=first, day_end=end)
        found += [
            msgspec.structs.replace(whole, first=start, end=min(start + TOGETHER, end))
            for start in starts
        ]
    return found


def sold(batch: Batch, until: datetime) -> Iterator[Bought]:
    midnight = _midnight(until) - timedelta(days=DAYS - batch.day)
    for place in range(batch.first, batch.end):
        share = (place - batch.day_first) / (batch.day_end - batch.day_first)
        yield _bought(place, batch.orders, midnight + _time(share))


def returned(batch: Batch, until: datetime) -> list[tuple[Bought, datetime]]:
    """The orders that are refunded at the end of this batch's day, each with its moment."""
    if batch.end != batch.day_end:
        return []
    whole = msgspec.structs.replace(batch, first=batch.day_first)
    evening = _midnight(until) - timedelta(days=DAYS - batch.day) + SETTLING
    orders = [order for order in sold(whole, until) if order.refund_fen]
    return [(order, evening + timedelta(seconds=7 * n)) for n, order in enumerate(orders)]


def _bounds(orders: int, until: datetime) -> list[int]:
    """Where each day begins among the orders, and where the last one ends."""
    first = _midnight(until) - timedelta(days=DAYS)
    # A shop that grows: the last day is half as busy again as the first.
    weights = [
        WEEKDAYS[(first + timedelta(days=day)).weekday()] * (2 * DAYS + day) for day in range(DAYS)
    ]
    total = sum(weights)
    return [0, *(orders * so_far // total for so_far in accumulate(weights))]


def _bought(place: int, orders: int, event_at: datetime) -> Bought:
    name = f"big-{orders}/{place}"
    dice = sha256(name.encode()).digest()
    note, unit_fen = MENU[dice[0] % len(MENU)]
    amount_fen = unit_fen * (1 + dice[1] % 3) - (dice[2] % 4) * 50
    paid = place % UNPAID_EVERY != UNPAID_EVERY - 1
    back = paid and place % REFUND_EVERY == REFUND_EVERY - 1
    return Bought(
        order_id=fixed_id("ord", name),
        payment_id=fixed_id("pay", name),
        refund_id=fixed_id("rfd", name) if back else "",
        payer=int.from_bytes(dice[3:5], "big") % PAYERS,
        till=dice[5] % TILLS,
        code=CODES[dice[6] % len(CODES)],
        note=note,
        amount_fen=amount_fen,
        refund_fen=(amount_fen if dice[7] % 2 else amount_fen // 2) if back else 0,
        paid=paid,
        event_at=event_at,
    )


def _time(share: float) -> timedelta:
    """When in the day the order at this place of it comes: 0 is the first, 1 the last."""
    left = share * sum(HOURS)
    for hour, part in enumerate(HOURS, OPENS_AT):
        if left < part:
            return timedelta(hours=hour, milliseconds=int(left / part * 3_600_000))
        left -= part
    return timedelta(hours=OPENS_AT + len(HOURS))


def _midnight(at: datetime) -> datetime:
    return at.astimezone(_SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
