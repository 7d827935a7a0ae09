"""Notices: the bell, the list, what a notice leads to, and which kinds are wanted."""

from datetime import date
from itertools import groupby

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend.errors import BadRequest
from backend.identity import Person
from backend.notices import AREAS, Notice
from backend.services import Services
from backend.wallet.telling import Said, said
from web.bill_list import local_day
from web.http import WebRequest, redirect
from web.i18n import texts
from web.render import fragment, page
from web.session import Visit

PAGE_SIZE = 20
ON, OFF = "on", "off"

_BILLS = (
    "payment_received",
    "payment_refunded",
    "payment_kept",
    "refund_declined",
    "topup",
    "withdrawal",
)
# Where a kind leads; {} is the thing's id.
_PATHS = dict.fromkeys(_BILLS, "/bills/{}") | {
    "transfer": "/transfers/{}",
    "request": "/requests/{}",
    "request_answered": "/requests/{}",
    "friend_asked": "/friends",
    "friend_accepted": "/friends/{}",
    "group_joined": "/groups/{}",
    "packet_ended": "/packets/{}",
    "packet_share_void": "/packets/{}",
    "refund_asked": "/shop/refunds",
    "payout_returned": "/shop/settlement",
}
_PACKET = "packet_received"
_ELSEWHERE = "/security"


class Day(msgspec.Struct, frozen=True):
    day: date
    notices: tuple[tuple[Notice, Said], ...]


@get("/notices")
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    cursor: FromQuery[str] = "",
) -> Response[str]:
    found = await services.notices.page(person.person_id, cursor, PAGE_SIZE)
    words = texts(visit.language)
    days = groupby(found.notices, lambda notice: local_day(notice.at))
    return page(
        request,
        "notices/page.html",
        days=tuple(
            Day(day, tuple((notice, said(words, notice)) for notice in notices))
            for day, notices in days
        ),
        newest=found.notices[0].notice_id if found.notices else "",
        unread=await services.notices.unread(person.person_id),
        cursor=cursor,
        next_cursor=found.next_cursor,
    )


@get("/notices/bell")
async def bell(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    unread = await services.notices.unread(person.person_id)
    return fragment(request, "notices/_bell.html", unread=unread)


@post("/notices/read", status_code=200)
async def read(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[None]:
    """All that the reader has seen; what came since stays unread."""
    await services.notices.read(person.person_id, data.get("up_to", ""))
    return redirect(request, "/notices")


@get("/notices/switches")
async def switches(
    request: WebRequest, person: NamedDependency[Person], services: NamedDependency[Services]
) -> Response[str]:
    found = await services.notices.switches(person.person_id)
    areas = {area: [one for one in found if one.area == area] for area in AREAS}
    return page(request, "notices/switches.html", areas=areas)


@post("/notices/switches/{kind:str}", status_code=200)
async def switch(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    kind: FromPath[str],
) -> Response[str] | Response[None]:
    if data.get("to") not in (ON, OFF):
        raise BadRequest()
    switched = await services.notices.switch(person.person_id, kind, data["to"] == ON)
    if request.is_htmx:
        return fragment(request, "notices/_switch.html", switch=switched)
    return redirect(request, "/notices/switches")


@get("/notices/{notice_id:str}")
async def follow(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    notice_id: FromPath[str],
) -> Response[None]:
    """To its thing; it is read by that."""
    return redirect(request, path_of(await services.notices.look(person.person_id, notice_id)))


def path_of(notice: Notice) -> str:
    """What is not opened yet is opened where it lies; what is over is told in full."""
    if notice.kind == _PACKET:
        packet = notice.ref.partition("_")[2]
        return f"/r/{packet}" if notice.state != "mine" else f"/packets/{notice.ref}"
    return _PATHS.get(notice.kind, _ELSEWHERE).format(notice.ref)


handlers = [show, bell, read, switches, switch, follow]
