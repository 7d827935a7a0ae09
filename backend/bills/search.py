"""Finding bills: a walk down one index, newest first, over a bounded number of rows."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from backend.bills import (
    CATEGORIES,
    DIRECTIONS,
    KINDS,
    MAX_TEXT,
    STATUSES,
    Bill,
    BillFilter,
    BillPage,
    cursor,
)
from backend.db import TX
from backend.errors import BadRequest
from backend.ids import ID_PATTERN

MAX_PAGE = 100
LOOKED_AT = 8_000  # rows that one page looks at, at most
STREAMED = 500  # rows in one piece of a stream
COLUMNS = ", ".join(Bill.__struct_fields__)

_NUMBER = re.compile(ID_PATTERN)
NEWEST = datetime(9999, 12, 31, tzinfo=UTC), "\x7f"

ORDER = "order by event_at desc, bill_id desc"
_PARAMETER = re.compile(r"\$(\d+)")

Place = tuple[datetime, str]


class Walk(NamedTuple):
    """rows: the SQL of the rows to look at, in order. rest: what of them is wanted; "" = all."""

    rows: str
    rest: str
    args: list[Any]


async def page(wanted: BillFilter, text: str, limit: int) -> BillPage:
    """Refuses: BadRequest (also a foreign cursor)."""
    if not 1 <= limit <= MAX_PAGE:
        raise BadRequest()
    start = cursor.decode(wanted.person_id, text) if text else NEWEST
    found, end = await chunk(wanted, start, limit)
    return BillPage(
        bills=found,
        next_cursor=cursor.encode(wanted.person_id, *end) if end else "",
        looked_to=end[0] if end and len(found) < limit else None,
    )


async def stream(wanted: BillFilter) -> AsyncIterator[tuple[Bill, ...]]:
    place: Place | None = NEWEST
    while place:
        found, place = await chunk(wanted, place, STREAMED)
        if found:
            yield found


async def chunk(
    wanted: BillFilter, start: Place, limit: int
) -> tuple[tuple[Bill, ...], Place | None]:
    """Bills after start, and where to go on; None at the end."""
    walk = walk_of(wanted, start)
    found = await TX.query_as(
        Bill,
        f"select {COLUMNS} from ({walk.rows}) as b where {walk.rest or 'true'} {ORDER}"  # noqa: S608
        f" limit {limit + 1}",
        *walk.args,
    )
    if len(found) > limit:
        last = found[limit - 1]
        return tuple(found[:limit]), (last.event_at, last.bill_id)
    return tuple(found), await _looked_to(walk) if walk.rest else None


async def _looked_to(walk: Walk) -> Place | None:
    """The last row that was looked at, if there may be more behind it."""
    used = max(int(number) for number in _PARAMETER.findall(walk.rows))
    rows = await TX.query(
        f"select event_at, bill_id from ({walk.rows}) as b {ORDER} offset {LOOKED_AT - 1}",  # noqa: S608
        *walk.args[:used],
    )
    return (rows[0]["event_at"], rows[0]["bill_id"]) if rows else None


def walk_of(wanted: BillFilter, start: Place) -> Walk:
    _check(wanted)
    args: list[Any] = [wanted.person_id, *start]
    span = "person_id = $1 and (event_at, bill_id) < ($2, $3)"
    if wanted.since:
        span += f" and event_at >= {_arg(args, wanted.since)}"
    if wanted.until:
        span += f" and event_at < {_arg(args, wanted.until)}"
    if wanted.category:
        span += f" and category = {_arg(args, wanted.category)} and category <> ''"
        rows = (
            f"select b.* from (select * from bills.label where {span}"  # noqa: S608
            f" {ORDER} limit {LOOKED_AT}) l cross join lateral (select * from bills.bill a"
            " where a.person_id = l.person_id and a.bill_id = l.bill_id limit 1) b"
        )
        key, rest = _conditions(wanted, args)
        return Walk(rows, " and ".join([key, *rest] if key else rest) or "true", args)
    key, rest = _conditions(wanted, args)
    also = f"and {key}" if key else ""
    rows = f"select * from bills.bill where {span} {also} {ORDER} limit {LOOKED_AT}"  # noqa: S608
    return Walk(rows, " and ".join(rest), args)


def _conditions(wanted: BillFilter, args: list[Any]) -> tuple[str, list[str]]:
    """The one condition that has an index, and the others. Only one may narrow the walk: with two,
    the planner might take neither's index, and look at every row there is."""
    found = []
    if _NUMBER.fullmatch(wanted.text):
        number = _arg(args, wanted.text)
        found.append(f"(bill_id = {number} or (order_id = {number} and order_id <> ''))")
    if wanted.status == "refunded":
        found.append("refunded_fen > 0")
    elif wanted.status not in ("", "succeeded"):
        # As a literal: the planner then sees that the partial index will do.
        found.append(f"status = '{wanted.status}' and status <> 'succeeded'")
    if wanted.kind:
        found.append(f"kind = {_arg(args, wanted.kind)}")
    key, *rest = found or [""]
    return key, rest + _parts(wanted, args)


def _parts(wanted: BillFilter, args: list[Any]) -> list[str]:
    """What only looking at a row tells."""
    found = []
    if wanted.status == "succeeded":
        found.append("status = 'succeeded'")
    if wanted.direction:
        found.append(f"direction = {_arg(args, wanted.direction)}")
    if wanted.min_fen is not None:
        found.append(f"amount_fen >= {_arg(args, wanted.min_fen)}")
    if wanted.max_fen is not None:
        found.append(f"amount_fen <= {_arg(args, wanted.max_fen)}")
    if wanted.text and not _NUMBER.fullmatch(wanted.text):
        part = _arg(args, wanted.text.lower())
        found.append(
            f"(strpos(lower(counterparty), {part}) > 0 or strpos(lower(note), {part}) > 0"  # noqa: S608
            " or bill_id = any(array(select l.bill_id from bills.label l where l.person_id = $1"
            f" and l.note <> '' and strpos(lower(l.note), {part}) > 0)))"
        )
    return found


def _arg(args: list[Any], value: object) -> str:
    args.append(value)
    return f"${len(args)}"


def _check(wanted: BillFilter) -> None:
    known = (
        wanted.kind in ("", *KINDS)
        and wanted.direction in ("", *DIRECTIONS)
        and wanted.status in ("", *STATUSES)
        and wanted.category in ("", *CATEGORIES)
    )
    if not known or len(wanted.text) > MAX_TEXT or "\x00" in wanted.text:
        raise BadRequest()
