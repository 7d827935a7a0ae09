"""What an address of the bills asks for, and the address of what is asked for."""

from collections.abc import Mapping
from datetime import date
from urllib.parse import urlencode

import msgspec

from backend.bills import CATEGORIES, DIRECTIONS, KINDS, MAX_TEXT, STATUSES, BillFilter
from backend.money import parse_yuan
from backend.wallet.days import begins, ends, is_askable
from web.i18n import msg

NAMES = ("q", "kind", "direction", "status", "category", "from", "to", "min", "max")
CHOICES = {"kind": KINDS, "direction": DIRECTIONS, "status": STATUSES, "category": CATEGORIES}

BAD_AMOUNT = msg("Enter an amount such as 23 or 23.50.")
BAD_DAY = msg("Choose a day.")
BAD_SPAN = msg("The end is before the beginning.")
BAD_AMOUNTS = msg("The larger amount comes second.")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """values: of the form, unknown ones left out."""

    values: dict[str, str]
    wanted: BillFilter
    errors: dict[str, str]

    @property
    def narrows(self) -> bool:
        return self.wanted.narrows

    @property
    def more(self) -> bool:
        """Whether the folded part of the form says something."""
        return bool(self.values.keys() - {"q"} or self.errors)

    @property
    def query(self) -> str:
        """ "?" and what is asked; "" where that is everything."""
        return f"?{urlencode(self.values)}" if self.values else ""

    def address(self, path: str = "/bills", **more: str) -> str:
        pairs = self.values | {name: value for name, value in more.items() if value}
        return f"{path}?{urlencode(pairs)}" if pairs else path


def asked(params: Mapping[str, str], person_id: str) -> Asked:
    """What is wrong is told and left out."""
    values = {name: params[name].strip()[:MAX_TEXT] for name in NAMES if params.get(name)}
    values = {name: value for name, value in values.items() if value and _known(name, value)}
    errors: dict[str, str] = {}
    since, until = _day(values, "from", errors), _day(values, "to", errors)
    least, most = _amount(values, "min", errors), _amount(values, "max", errors)
    if since and until and until < since:
        errors["to"] = BAD_SPAN
    if least and most and most < least:
        errors["max"] = BAD_AMOUNTS
    wanted = BillFilter(
        person_id=person_id,
        since=begins(since) if since else None,
        until=ends(until) if until else None,
        kind=values.get("kind", ""),
        direction=values.get("direction", ""),
        status=values.get("status", ""),
        category=values.get("category", ""),
        min_fen=least,
        max_fen=most,
        text=values.get("q", ""),
    )
    return Asked(values=values, wanted=wanted, errors=errors)


def _known(name: str, value: str) -> bool:
    return (name not in CHOICES or value in CHOICES[name]) and "\x00" not in value


def _day(values: dict[str, str], name: str, errors: dict[str, str]) -> date | None:
    if name not in values:
        return None
    try:
        day = date.fromisoformat(values[name])
    except ValueError:
        errors[name] = BAD_DAY
        return None
    if not is_askable(day):
        errors[name] = BAD_DAY
        return None
    return day


def _amount(values: dict[str, str], name: str, errors: dict[str, str]) -> int | None:
    if name not in values:
        return None
    found = parse_yuan(values[name])
    if found is None:
        errors[name] = BAD_AMOUNT
    return found
