"""Finding sales: a walk down one index, in the order of the list, over a bounded number of rows."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from backend import cursor
from backend.db import TX
from backend.errors import BadRequest
from backend.ids import ID_PATTERN
from backend.sales import Sale, SaleFilter, SalePage, SaleSum

MAX_PAGE = 100
MAX_TEXT = 64
MAX_SELECTED = 500
LOOKED_AT = 8_000  # rows that one page looks at, at most
COUNTED = 2_000  # rows that a total counts, at most
MIN_NUMBER_END = 6  # characters

KINDS = ("order", "refund")
STATUSES = ("open", "paid", "expired", "cancelled", "refunded", "pending", "succeeded", "refused")
COLUMNS = ", ".join(Sale.__struct_fields__)

_NUMBER = re.compile(ID_PATTERN)
_NUMBER_END = re.compile(r"[0-9a-z]{6,25}")
_PARAMETER = re.compile(r"\$(\d+)")
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = SaleFilter(shop_id="", since=_BEGINNING, until=_BEGINNING)

Place = tuple[datetime, str]


class Walk(NamedTuple):
    """rows: the SQL of the rows to look at, in order. rest: what of them is wanted; "" = all."""

    rows: str
    rest: str
    args: list[Any]
    order: str


async def page(wanted: SaleFilter, text: str, limit: int) -> SalePage:
    if not 1 <= limit <= MAX_PAGE:
        raise BadRequest()
    of = _list_of(wanted)
    start = cursor.decode(of, text) if text else (wanted.until, "")
    found, end = await chunk(wanted, start, limit, newest_first=True)
    return SalePage(sales=found, next_cursor=cursor.encode(of, *end) if end else "")


async def chunk(
    wanted: SaleFilter, start: Place, limit: int, *, newest_first: bool
) -> tuple[tuple[Sale, ...], Place | None]:
    """Sales after start, and where to go on; None at the end."""
    walk = _walk(wanted, start, LOOKED_AT, newest_first)
    found = await TX.query_as(
        Sale,
        f"select {COLUMNS} from ({walk.rows}) as s {_where(walk.rest)}"  # noqa: S608
        f" {walk.order} limit {limit + 1}",
        *walk.args,
    )
    if len(found) > limit:
        last = found[limit - 1]
        return tuple(found[:limit]), (last.created_at, last.sale_id)
    return tuple(found), await _looked_until(walk) if walk.rest else None


async def _looked_until(walk: Walk) -> Place | None:
    """The last row that was looked at, if there may be more behind it."""
    sql = f"select created_at, sale_id from ({walk.rows}) as s {walk.order} offset {LOOKED_AT - 1}"  # noqa: S608
    used = max(int(number) for number in _PARAMETER.findall(walk.rows))
    rows = await TX.query(sql, *walk.args[:used])
    return (rows[0]["created_at"], rows[0]["sale_id"]) if rows else None


async def total(wanted: SaleFilter) -> SaleSum:
    """Refuses: BadRequest (more than COUNTED rows to look at)."""
    walk = _walk(wanted, (wanted.until, ""), COUNTED + 1, newest_first=True)
    paid, given = "kind = 'order' and status = 'paid'", "kind = 'refund' and status = 'succeeded'"
    rest = walk.rest or "true"
    [row] = await TX.query(
        f"select count(*) as looked_at, count(*) filter (where {rest}) as rows,"  # noqa: S608
        + ",".join(
            f"coalesce({what} filter (where {rest} and {which}), 0)::bigint as {name}"
            for name, what, which in (
                ("amount_fen", "sum(amount_fen)", paid),
                ("count", "count(*)", paid),
                ("fee_fen", "sum(fee_fen)", paid),
                ("refund_fen", "sum(amount_fen)", given),
                ("refunds", "count(*)", given),
                ("returned_fee_fen", "sum(fee_fen)", given),
                ("refused", "sum(tries)", "true"),
            )
        )
        + f" from ({walk.rows}) as s",
        *walk.args,
    )
    if row["looked_at"] > COUNTED:
        raise BadRequest()
    sums = {name: value for name, value in row.items() if name != "looked_at"}
    return msgspec.convert(sums | {"at": wanted.since}, SaleSum)


def _walk(wanted: SaleFilter, start: Place, limit: int, newest_first: bool) -> Walk:
    _check(wanted)
    args: list[Any] = [wanted.shop_id, wanted.since, wanted.until, *start]
    key, rest = _conditions(wanted, args)
    sign, way = ("<", "desc") if newest_first else (">", "asc")
    order = f"order by created_at {way}, sale_id {way}"
    rows = (
        "select * from sales.sale where shop_id = $1 and created_at >= $2 and created_at < $3"  # noqa: S608
        f" and (created_at, sale_id) {sign} ($4, $5) {key} {order} limit {limit}"
    )
    return Walk(rows, " and ".join(rest), args, order)


def _conditions(wanted: SaleFilter, args: list[Any]) -> tuple[str, list[str]]:
    """The one condition that has an index, with "and"; and the others."""
    found = [*_exact(wanted, args), *_states(wanted), *_places(wanted, args)]
    # The first has the fewest rows behind it. Only that one may narrow the walk: with two, the
    # planner might take neither's index, and look at every row there is.
    key, *rest = found or [""]
    return f"and {key}" if key else "", rest + _parts(wanted, args)


def _exact(wanted: SaleFilter, args: list[Any]) -> list[str]:
    found = []
    if wanted.sale_ids:
        found.append(f"sale_id = any({_arg(args, list(wanted.sale_ids))}::text[])")
    if _NUMBER.fullmatch(wanted.text):
        number = _arg(args, wanted.text)
        found.append(
            f"(sale_id = {number} or (order_id = {number} and kind = 'refund')"
            f" or (payment_id = {number} and payment_id <> ''))"
        )
    return found


def _states(wanted: SaleFilter) -> list[str]:
    """As literals: the planner then sees that a partial index will do."""
    found = []
    if wanted.status == "refunded":
        found.append("refunded_fen > 0")
    elif wanted.status not in ("", "paid"):
        found.append(f"status = '{wanted.status}' and status <> 'paid'")
    if wanted.kind == "refund":
        found.append("kind = 'refund'")
    return found


def _places(wanted: SaleFilter, args: list[Any]) -> list[str]:
    return [
        f"{name} = {_arg(args, value)} and {name} <> ''"
        for name in ("actor_id", "terminal_id", "store_id")
        if (value := getattr(wanted, name))
    ]


def _parts(wanted: SaleFilter, args: list[Any]) -> list[str]:
    """What only looking at a row tells."""
    found = []
    if wanted.status == "paid":
        found.append("status = 'paid'")
    if wanted.kind == "order":
        found.append("kind = 'order'")
    if wanted.min_fen is not None:
        found.append(f"amount_fen >= {_arg(args, wanted.min_fen)}")
    if wanted.max_fen is not None:
        found.append(f"amount_fen <= {_arg(args, wanted.max_fen)}")
    if wanted.text and not _NUMBER.fullmatch(wanted.text):
        found.append(_text(wanted.text.lower(), args))
    return found


def _text(text: str, args: list[Any]) -> str:
    part = _arg(args, text)
    said = f"strpos(lower(note), {part}) > 0 or strpos(lower(payer_name), {part}) > 0"
    if _NUMBER_END.fullmatch(text):
        return f"({said} or right(order_id, {len(text)}) = {part})"
    return f"({said})"


def _arg(args: list[Any], value: object) -> str:
    args.append(value)
    return f"${len(args)}"


def _where(condition: str) -> str:
    return f"where {condition}" if condition else ""


def _check(wanted: SaleFilter) -> None:
    known = wanted.kind in ("", *KINDS) and wanted.status in ("", *STATUSES)
    if not known or len(wanted.text) > MAX_TEXT or len(wanted.sale_ids) > MAX_SELECTED:
        raise BadRequest()
    if "\x00" in wanted.text:
        raise BadRequest()


def _list_of(wanted: SaleFilter) -> str:
    """What a cursor is good for: the shop and the filter. The range may move with the clock."""
    plain = msgspec.structs.replace(wanted, since=_PLAIN.since, until=_PLAIN.until)
    return f"sales\n{wanted.shop_id}\n{msgspec.json.encode(plain).decode()}"
