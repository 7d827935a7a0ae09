"""The inbox of red packets: what waits, what was received and sent by year, and a file of it."""

from collections.abc import AsyncIterator
from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.redpacket import InboxItem, YearSum
from backend.services import Services
from web.http import WebRequest
from web.i18n import ZONE, Texts, msg, texts
from web.render import page
from web.session import Visit
from web.shop_csv import BOM, line

BOXES = ("waiting", "received", "sent")
YEARLY = ("received", "sent")

HEADS = (
    msg("Time"),
    msg("Kind"),
    msg("From"),
    msg("Greeting"),
    msg("Amount"),
    msg("Luckiest"),
    msg("Opened"),
    msg("Number"),
    msg("Returned"),
    msg("Status"),
    msg("Packet number"),
)


@get("/packets")
async def show(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    box: FromQuery[str] = "waiting",
    year: FromQuery[int] = 0,
    cursor: FromQuery[str] = "",
) -> Response[str]:
    if box not in BOXES:
        raise BadRequest()
    years = await services.redpackets.years(person.person_id, box) if box in YEARLY else ()
    chosen = year or _this_year(clock.now())
    listing = await services.redpackets.inbox(person.person_id, box, chosen, cursor)
    return page(
        request,
        "packets/inbox.html",
        width="wide",
        box=box,
        boxes=BOXES,
        year=chosen,
        years=_with(years, chosen),
        total=next((one for one in years if one.year == chosen), None),
        listing=listing,
        unread=await services.redpackets.unread(person.person_id),
    )


@get("/packets.csv")
async def file(  # noqa: PLR0913 — what a handler needs arrives by name
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    clock: NamedDependency[Clock],
    box: FromQuery[str] = "received",
    year: FromQuery[int] = 0,
) -> Stream:
    """A year of received or sent ones."""
    if box not in YEARLY:
        raise BadRequest()
    chosen = year or _this_year(clock.now())
    # What is wrong with the year is said before the file begins.
    await services.redpackets.inbox(person.person_id, box, chosen, "")
    name = f"yipay-packets-{box}-{chosen}.csv"
    return Stream(
        _lines(services, person.person_id, box, chosen, texts(visit.language)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _lines(
    services: Services, person_id: str, box: str, year: int, words: Texts
) -> AsyncIterator[str]:
    yield BOM + line([words.gettext(head) for head in HEADS])
    cursor = ""
    while True:
        found = await services.redpackets.inbox(person_id, box, year, cursor)
        yield "".join(line(_cells(item, box, words)) for item in found.items)
        cursor = found.next_cursor
        if not cursor:
            return


def _cells(item: InboxItem, box: str, words: Texts) -> list[str]:
    packet, mine = item.packet, item.mine
    received = box == "received" and mine is not None
    at = mine.opened_at if received and mine else packet.created_at
    amount = mine.amount_fen if received and mine else packet.total_fen
    return [
        at.astimezone(ZONE).isoformat(timespec="seconds"),
        words.word("packet_kind", packet.kind),
        packet.sender_name,
        packet.greeting,
        _yuan(amount),
        words.gettext("Yes") if received and mine and mine.luckiest else "",
        str(packet.opened),
        str(packet.count),
        _yuan(packet.returned_fen),
        words.word("packet_status", packet.status),
        packet.packet_id,
    ]


def _yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def _with(years: tuple[YearSum, ...], chosen: int) -> tuple[int, ...]:
    """Newest first; the one that is shown is among them."""
    return tuple(sorted({one.year for one in years} | {chosen}, reverse=True))


def _this_year(now: datetime) -> int:
    return now.astimezone(ZONE).year


handlers = [show, file]
