"""A red packet as its address shows it: closed, opened, over; and what everybody got."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.errors import DomainError, NotFound
from backend.identity import Person
from backend.redpacket import (
    FORMULA,
    Glance,
    Greeting,
    OpenPacket,
    PacketEmpty,
    PacketExpired,
    PacketNotForYou,
    PasscodeSpent,
    PasscodeWrong,
    SenderFrozen,
)
from backend.services import Services
from web.codes import id_at, path_of
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.packet_paying import name_of_payee
from web.problems import status_of
from web.render import page
from web.session import Visit

OVER = frozenset({"empty", "expired", "returned"})
# What a glance says instead of an envelope that can be opened.
WHY: dict[str, type[DomainError]] = {
    "empty": PacketEmpty,
    "expired": PacketExpired,
    "not_for_you": PacketNotForYou,
    "spent": PasscodeSpent,
    "sender_frozen": SenderFrozen,
}


@get(["/r/{code:str}", "/R/{code:str}"])
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[Any]:
    packet_id = _packet_id(code)
    if visit.person is None:
        packet = await services.redpackets.packet(packet_id)
        return page(request, "packets/visitor.html", packet=packet, here=path_of(packet_id))
    person_id = visit.person.person_id
    glance = await services.redpackets.grab(person_id, packet_id)
    own = glance.packet.sender_id == person_id
    if own and (glance.packet.to_person or glance.state in WHY):
        return redirect(request, f"/packets/{packet_id}")
    await services.redpackets.look(person_id, packet_id)
    return await _closed(request, visit, glance)


@post("/r/{code:str}", status_code=200)
async def open_it(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    code: FromPath[str],
) -> Response[Any]:
    """The server decides: what a script sends along changes nothing."""
    packet_id, form = _packet_id(code), Form(data)
    asked = OpenPacket(
        packet_id=packet_id,
        person_id=person.person_id,
        device_secret=visit.device_secret,
        passcode=form["passcode"].strip(),
    )
    try:
        await services.redpackets.open(asked)
    except DomainError as refusal:
        glance = await services.redpackets.grab(person.person_id, packet_id)
        return await _closed(request, visit, glance, refusal)
    if request.is_partial:
        return await _detail(request, services, person, packet_id, fresh=True)
    return redirect(request, f"/packets/{packet_id}?opened=1")


@get("/packets/{packet_id:str}")
async def detail(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
    opened: FromQuery[str] = "",
) -> Response[str]:
    """opened: the page turns, for who comes from opening it without htmx."""
    if not ids.is_id(packet_id, "red"):
        raise NotFound()
    await services.redpackets.look(person.person_id, packet_id)
    return await _detail(request, services, person, packet_id, fresh=opened == "1")


@post("/packets/{packet_id:str}/thanks", status_code=200)
async def thank(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> Response[Any]:
    form = Form(data)
    if not ids.is_id(packet_id, "red"):
        raise NotFound()
    words = form.text("thanks", Greeting, msg("A reply has at most 25 characters."))
    if not words:
        form.refuse("thanks", msg("Write a few words."))
    else:
        try:
            await services.redpackets.thank(person.person_id, packet_id, words)
            return redirect(request, f"/packets/{packet_id}")
        except NotFound:
            raise
        except DomainError as refusal:
            said = texts(visit.language).refusal(refusal)
            form.refuse("thanks", f"{said.what} {said.todo}")
    return await _detail(request, services, person, packet_id, form=form)


async def _closed(
    request: WebRequest,
    visit: Visit,
    glance: Glance,
    refusal: DomainError | None = None,
) -> Response[str]:
    """The envelope: to be opened, or saying why it can't be."""
    if refusal is None and glance.state in WHY:
        refusal = WHY[glance.state]()
    again = refusal is None or isinstance(refusal, PasscodeWrong) or refusal.retryable
    openable = glance.state in ("open", "passcode") and again
    return page(
        request,
        "packets/closed.html",
        status_code=200 if refusal is None else status_of(refusal),
        packet=glance.packet,
        glance=glance,
        openable=openable,
        code=refusal.code if refusal else "",
        text=texts(visit.language).refusal(refusal) if refusal else None,
        listed=glance.listed,
        here=path_of(glance.packet.packet_id),
    )


async def _detail(  # noqa: PLR0913 — as it is, just opened, or with the errors of a reply
    request: WebRequest,
    services: Services,
    person: Person,
    packet_id: str,
    fresh: bool = False,
    form: Form | None = None,
) -> Response[str]:
    found = await services.redpackets.detail(person.person_id, packet_id)
    own = found.packet.sender_id == person.person_id
    return page(
        request,
        "packets/page.html",
        status_code=200 if form is None else 422,
        headers={"HX-Push-Url": f"/packets/{packet_id}"} if fresh else {},
        detail=found,
        packet=found.packet,
        mine=found.mine,
        own=own,
        to=await name_of_payee(services, person, found.packet) if own else "",
        fresh=fresh and found.mine is not None,
        over=found.packet.status in OVER,
        formula=FORMULA,
        proof=await services.redpackets.verify(packet_id) if found.packet.seed else None,
        form=form or Form(),
        here=path_of(packet_id),
    )


def _packet_id(code: str) -> str:
    packet_id = id_at("r", code)
    if packet_id is None:
        raise NotFound()
    return packet_id


handlers = [show, open_it, detail, thank]
