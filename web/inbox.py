"""The inbox of red packets: what waits, what was received and sent by year, and a file of it."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from backend.clock import Clock
from backend.errors import BadRequest
from backend.identity import Person
from backend.redpacket import YearSum
from backend.services import Services
from backend.wallet.packet_file import YEARLY, name_of, packet_file, year_of
from web.http import WebRequest
from web.i18n import texts
from web.render import page
from web.session import Visit

BOXES = ("waiting", "received", "sent")


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
    chosen = year or year_of(clock.now())
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
    chosen = year or year_of(clock.now())
    words = texts(visit.language)
    lines = await packet_file(services.redpackets, person.person_id, box, chosen, words)
    name = name_of(box, chosen)
    return Stream(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _with(years: tuple[YearSum, ...], chosen: int) -> tuple[int, ...]:
    """Newest first; the one that is shown is among them."""
    return tuple(sorted({one.year for one in years} | {chosen}, reverse=True))


handlers = [show, file]
