"""What an address of the list of orders asks for, and the address of what is asked for."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from backend.merchant import Seat
from backend.money import parse_yuan
from backend.sales import SaleFilter
from backend.shop_time import MINUTE, RANGES, Span, named, typed
from web.i18n import msg

PATH = "/shop/orders"
KINDS = ("order", "refund")
STATUSES = ("paid", "refunded", "open", "expired", "cancelled", "succeeded", "pending", "refused")
COLUMNS = (
    "store",
    "terminal",
    "staff",
    "code",
    "payer",
    "note",
    "fee",
    "net",
    "refunded",
    "number",
)
SHOWN = ("store", "code", "payer", "note", "fee")  # where nobody has chosen
MAX_TEXT, MAX_VALUE = 64, 64
NAMES = ("range", "from", "to", "kind", "status", "store", "terminal", "staff", "min", "max", "q")
DEFAULT_RANGE = "today"

BAD_AMOUNT = msg("Enter an amount such as 23 or 23.50.")
BAD_TIME = msg("Choose a day, or a day and a time.")
BAD_SPAN = msg("The end is before the beginning.")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """values: of the form, unknown ones left out. columns: what the table shows, in order."""

    values: dict[str, str]
    columns: tuple[str, ...]
    span: Span
    wanted: SaleFilter
    errors: dict[str, str]

    @property
    def last_minute(self) -> datetime:
        """The last that is in the span, as a form takes it."""
        return self.span.until - MINUTE

    @property
    def chips(self) -> bool:
        """Whether more than the range narrows the list."""
        return bool(self.values.keys() - {"range", "from", "to"})

    @property
    def more(self) -> bool:
        """Whether the folded part of the form says something."""
        return bool(self.values.keys() - {"range", "from", "to", "q"} or self.errors)

    def query(self, **changes: str) -> str:
        """The address without its path; what is not said is left out of it."""
        values = {**self.values, **changes}
        pairs = [(name, values[name]) for name in NAMES if values.get(name)]
        if self.columns != SHOWN:
            pairs += [("col", column) for column in self.columns]
        pairs += [(name, value) for name, value in changes.items() if name not in NAMES]
        return urlencode(pairs)

    def address(self, **changes: str) -> str:
        query = self.query(**changes)
        return f"{PATH}?{query}" if query else PATH


def asked(params: Mapping[str, list[str]], seat: Seat, now: datetime) -> Asked:
    """params: of the address, each name with its values. What is wrong is told and left out."""
    values = {name: params[name][0][:MAX_VALUE].strip() for name in NAMES if params.get(name)}
    values = {name: value for name, value in values.items() if value and _known(name, value)}
    values.setdefault("range", "custom" if values.keys() & {"from", "to"} else DEFAULT_RANGE)
    errors: dict[str, str] = {}
    span = _span(values, ZoneInfo(seat.zone), now, errors)
    wanted = SaleFilter(
        shop_id=seat.shop_id,
        since=span.since,
        until=span.until,
        kind=values.get("kind", ""),
        status=values.get("status", ""),
        store_id=seat.store_id or values.get("store", ""),
        terminal_id=values.get("terminal", ""),
        actor_id=values.get("staff", ""),
        min_fen=_amount(values, "min", errors),
        max_fen=_amount(values, "max", errors),
        text=values.get("q", "")[:MAX_TEXT],
    )
    chosen = [c for c in COLUMNS if c in params.get("col", [])]
    return Asked(
        values=values,
        columns=tuple(chosen) if "col" in params else SHOWN,
        span=span,
        wanted=wanted,
        errors=errors,
    )


def _known(name: str, value: str) -> bool:
    known = {"range": RANGES, "kind": KINDS, "status": STATUSES}.get(name)
    return (known is None or value in known) and "\x00" not in value


def _span(values: dict[str, str], zone: ZoneInfo, now: datetime, errors: dict[str, str]) -> Span:
    if values["range"] != "custom":
        for name in ("from", "to"):
            values.pop(name, None)
        return named(zone, values["range"], now)
    today = named(zone, "today", now)
    since = _moment(values, "from", zone, errors) or today.since
    until = _moment(values, "to", zone, errors) or today.until
    if until <= since:
        errors["to"] = BAD_SPAN
    return Span(since, until)


def _moment(
    values: dict[str, str], name: str, zone: ZoneInfo, errors: dict[str, str]
) -> datetime | None:
    if name not in values:
        return None
    found = typed(zone, values[name], end=name == "to")
    if found is None:
        errors[name] = BAD_TIME
    return found


def _amount(values: dict[str, str], name: str, errors: dict[str, str]) -> int | None:
    if not values.get(name):
        return None
    amount = parse_yuan(values[name])
    if amount is None:
        errors[name] = BAD_AMOUNT
    return amount
