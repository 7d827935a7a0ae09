"""The week of history: who bought what and when. Made from one moment, so it can be redone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from backend.demo.people import CONSUMER, CUSTOMERS, TILLS, DemoPerson, fixed_id

MENU = (
    ("桂花乌龙", 18_00),
    ("龙井拿铁", 22_00),
    ("茶点双拼", 26_00),
    ("茉莉奶绿", 16_00),
    ("抹茶千层", 38_00),
    ("白桃冷泡", 19_00),
    ("凤凰单丛", 32_00),
    ("外带两杯", 36_00),
)
# Days ago. The consumer buys less: all count as of today, and something must be left to try.
CONSUMER_DAYS = (6, 4, 3, 1, 0)
GUEST_DAYS = (6, 5, 4, 4, 3, 2, 1, 0)

FUNDED = timedelta(days=7, hours=3)  # ago
OPENS_AT, OPEN_HOURS = 9, 12

_SHANGHAI = ZoneInfo("Asia/Shanghai")


class Sale(msgspec.Struct, frozen=True):
    """code: "dynamic", "static", or "shown" for the customer's payment code, which is read now: so
    it is of the last minutes. till: where."""

    customer: DemoPerson
    order_id: str
    payment_id: str
    amount_fen: int
    note: str
    event_at: datetime
    code: str
    till: tuple[int, str]


def refunded(sales: list[Sale]) -> list[tuple[Sale, int, str]]:
    """A few of the guests' purchases that go back, whole or in part, and why."""
    old = [sale for sale in sales if sale.customer is not CONSUMER and sale.code != "shown"]
    whole, part = old[3], old[-4]
    return [(whole, whole.amount_fen, "商品缺货"), (part, part.amount_fen // 2, "多收金额")]


def asked_back(sales: list[Sale]) -> tuple[Sale, str]:
    """The purchase whose customer asks for a refund, and how."""
    old = [sale for sale in sales if sale.customer is not CONSUMER and sale.code != "shown"]
    return old[7], "奶茶少放了一份珍珠，能退一部分吗？"


def week(until: datetime) -> list[Sale]:
    """All sales of the seven days before `until`, oldest first."""
    sales = [
        _sale(customer, place, nth, days, until)
        for place, customer in enumerate(CUSTOMERS)
        for nth, days in enumerate(CONSUMER_DAYS if customer is CONSUMER else GUEST_DAYS)
    ]
    return sorted(sales, key=lambda sale: sale.event_at)


def _sale(customer: DemoPerson, place: int, nth: int, days: int, until: datetime) -> Sale:
    note, amount_fen = MENU[(3 * place + 5 * nth) % len(MENU)]
    name = f"{customer.name}/{nth}"
    return Sale(
        customer=customer,
        order_id=fixed_id("ord", name),
        payment_id=fixed_id("pay", name),
        amount_fen=amount_fen,
        note=note,
        event_at=_when(place, nth, days, until),
        code=_code(customer, place, nth, days),
        till=TILLS[(place + nth) % len(TILLS)],
    )


def _code(customer: DemoPerson, place: int, nth: int, days: int) -> str:
    if days == 0 and customer is not CONSUMER and place % 2:
        return "shown"
    return ("dynamic", "static", "static")[(place + nth) % 3]


def _when(place: int, nth: int, days: int, until: datetime) -> datetime:
    today = until.astimezone(_SHANGHAI)
    if days == 0:  # the shop's day may be minutes old
        midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
        return max(until - timedelta(minutes=9 + 13 * place), midnight)
    hour = OPENS_AT + (4 * place + 3 * nth) % OPEN_HOURS
    minute = (17 * place + 23 * nth) % 60
    day = today - timedelta(days=days)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0)
