"""Orders and refunds as a file for spreadsheets, sent while it is being made."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from backend.clock import Clock
from backend.errors import BadRequest, DomainError, NotFound
from backend.identity import Person
from backend.merchant import Seat
from backend.sales import Sale, SaleFilter
from backend.services import Services
from backend.shop_roles import Permission
from backend.spreadsheet import BOM, line
from web.http import WebRequest
from web.i18n import Texts, msg, texts
from web.session import visit_of
from web.shop_filter import asked
from web.shop_orders import Names, names_of
from web.shop_seat import seat_with

MAX_SELECTED = 500
EVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MAX_FOLLOWED = 64  # exports whose progress is remembered
MAX_EXPORT_ID = 64

HEADS = (
    msg("Opened at"),
    msg("Ended at"),
    msg("Kind"),
    msg("Status"),
    msg("Order number"),
    msg("Payment number"),
    msg("Refund number"),
    msg("Amount (yuan)"),
    msg("Amount (fen)"),
    msg("Fee (fen)"),
    msg("Net (fen)"),
    msg("Refunded (fen)"),
    msg("Balance after (fen)"),
    msg("Payer"),
    msg("Note"),
    msg("Code"),
    msg("Store"),
    msg("Terminal"),
    msg("Staff member"),
)


class Progress(msgspec.Struct):
    """percent: by the time that the rows have come to, in the range asked for. broken: it ended
    before the last row."""

    owner_id: str
    rows: int = 0
    percent: int = 0
    done: bool = False
    broken: bool = False


class Exports:
    """The exports of this process, the newest ones; their owners ask how far they are."""

    def __init__(self) -> None:
        self._known: dict[str, Progress] = {}

    def begin(self, export_id: str, owner_id: str) -> Progress:
        progress = Progress(owner_id)
        if export_id and len(export_id) <= MAX_EXPORT_ID and export_id not in self._known:
            if len(self._known) >= MAX_FOLLOWED:
                self._known.pop(next(iter(self._known)))
            self._known[export_id] = progress
        return progress

    def of(self, export_id: str, owner_id: str) -> Progress:
        """Refuses: NotFound."""
        found = self._known.get(export_id)
        if found is None or found.owner_id != owner_id:
            raise NotFound()
        return found


@get("/shop/orders.csv")
async def everything(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    export: FromQuery[str] = "",
) -> Stream:
    """All that the address asks for."""
    seat = await seat_with(services, person, Permission.ORDERS)
    wanted = asked(request.query_params.dict(), seat, clock.now()).wanted
    await services.merchant.record(seat, "orders_exported", f"{wanted.since:%Y-%m-%d}")
    return _file(request, services, seat, wanted, export)


@post("/shop/orders.csv", status_code=200)
async def selection(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Stream:
    """The rows that somebody has ticked, wherever in time they are."""
    seat = await seat_with(services, person, Permission.ORDERS)
    chosen = tuple(str(value) for value in (await request.form()).getall("id", []))
    if not 0 < len(chosen) <= MAX_SELECTED:
        raise BadRequest()
    wanted = SaleFilter(shop_id=seat.shop_id, since=EVER[0], until=EVER[1], sale_ids=chosen)
    await services.merchant.record(seat, "orders_exported", str(len(chosen)))
    return _file(request, services, seat, wanted, "")


@get("/shop/exports/{export_id:str}")
async def progress(
    request: WebRequest, person: NamedDependency[Person], export_id: FromPath[str]
) -> dict[str, int]:
    """rows, percent; done and broken: 0 or 1."""
    exports = request.app.state.exports
    assert isinstance(exports, Exports)
    found = exports.of(export_id, person.person_id)
    return {
        "rows": found.rows,
        "percent": found.percent,
        "done": int(found.done),
        "broken": int(found.broken),
    }


def _file(
    request: WebRequest, services: Services, seat: Seat, wanted: SaleFilter, export_id: str
) -> Stream:
    exports = request.app.state.exports
    assert isinstance(exports, Exports)
    followed = exports.begin(export_id, seat.person_id)
    language = texts(visit_of(request).language)
    name = f"orders-{wanted.since.astimezone(ZoneInfo(seat.zone)):%Y%m%d}"
    if wanted.sale_ids:
        name = "orders-selection"
    return Stream(
        lines(services, seat, wanted, language, followed),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def lines(
    services: Services, seat: Seat, wanted: SaleFilter, words: Texts, followed: Progress
) -> AsyncIterator[str]:
    zone, length = ZoneInfo(seat.zone), wanted.until - wanted.since
    names = await names_of(services, seat)
    yield BOM + line([words.gettext(head) for head in HEADS])
    followed.broken = True  # until the last row is out: a lost connection ends it anywhere
    try:
        async for sales in services.sales.stream(wanted):
            after = await _after(services, seat, sales)
            followed.rows += len(sales)
            followed.percent = (sales[-1].created_at - wanted.since) * 100 // length
            yield "".join(line(_cells(sale, after, names, words, zone)) for sale in sales)
        followed.percent, followed.broken = 100, False
    finally:
        followed.done = True


async def _after(services: Services, seat: Seat, sales: tuple[Sale, ...]) -> dict[int, int]:
    """Nothing while the ledger is away: a file without balances beats one that breaks off."""
    seqs = tuple(sale.journal_seq for sale in sales if sale.journal_seq)
    try:
        return dict(await services.ledger.balances_after(f"shop:{seat.shop_id}", seqs))
    except DomainError as refusal:
        if not refusal.retryable:
            raise
        return {}


def _cells(
    sale: Sale, after: dict[int, int], names: Names, words: Texts, zone: ZoneInfo
) -> list[str]:
    """Amounts have no sign: a refund is told by its kind."""
    moved = sale.status in ("paid", "succeeded")
    balance = after.get(sale.journal_seq)
    return [
        _when(sale.created_at, zone),
        _when(sale.ended_at, zone),
        words.word("sale_kind", sale.kind),
        words.word("sale_status", sale.status),
        sale.order_id,
        sale.payment_id,
        sale.sale_id if sale.kind == "refund" else "",
        f"{sale.amount_fen // 100}.{sale.amount_fen % 100:02d}",
        str(sale.amount_fen),
        str(sale.fee_fen),
        str(sale.amount_fen - sale.fee_fen) if moved else "0",
        str(sale.refunded_fen),
        "" if balance is None else str(balance),
        sale.payer_name,
        sale.note,
        words.word("sale_code", sale.code),
        names.stores.get(sale.store_id, sale.store_id),
        names.terminals.get(sale.terminal_id, sale.terminal_id),
        names.staff.get(sale.actor_id, sale.actor_id),
    ]


def _when(at: datetime | None, zone: ZoneInfo) -> str:
    """RFC 3339, in the shop's zone."""
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""


handlers = [everything, selection, progress]
