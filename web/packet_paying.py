"""A packet that is stored: paying it, what became of its payment, sharing its address."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend import ids
from backend.errors import REFUSALS, DomainError, NotFound
from backend.identity import Person
from backend.payments import Confirm, OrderExpired
from backend.redpacket import Packet, PacketStarted, PayPacket
from backend.services import Services
from backend.settings import Settings
from web.codes import path_of, printed_address
from web.forms import Form
from web.http import WebRequest, redirect
from web.problems import retry_after, status_of
from web.render import page, unchanged
from web.session import Visit

SENT = frozenset({"open", "empty", "expired", "returned"})


@get("/packets/{packet_id:str}/payment")
async def show(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> Response[Any]:
    """What was typed is kept: nobody has to fill in the form again to pay it."""
    packet = await stored(services, person, packet_id)
    if packet.status in SENT or await under_way(services, packet):
        return redirect(request, share_path(packet_id))
    if packet.status != "created":
        return refused(request, packet, _why(packet), status_code=200)
    to = await name_of_payee(services, person, packet)
    return page(request, "packets/confirm.html", packet=packet, to=to)


@post("/packets/{packet_id:str}/payment", status_code=200)
async def pay(
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> Response[Any]:
    await stored(services, person, packet_id)
    asked = PayPacket(
        packet_id=packet_id,
        sender_id=person.person_id,
        device_secret=visit.device_secret,
        address=visit.address,
    )
    try:
        started = await services.redpackets.pay(asked)
    except DomainError as refusal:
        return refused(request, await stored(services, person, packet_id), refusal)
    return onward(request, started)


@post("/packets/{packet_id:str}/confirmation", status_code=200)
async def confirm(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> Response[Any]:
    form = Form(data)
    packet = await stored(services, person, packet_id)
    try:
        await services.redpackets.confirm(
            Confirm(
                payment_id=packet.payment_id,
                payer_id=person.person_id,
                device_secret=visit.device_secret,
                ceremony_id=form["ceremony_id"],
                response_json=form["response_json"].encode(),
            )
        )
    except DomainError as refusal:
        return refused(request, await stored(services, person, packet_id), refusal)
    return redirect(request, share_path(packet_id))


@get("/packets/{packet_id:str}/share")
async def share(
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> Response[Any]:
    """Its sender's alone, also while its payment is under way and nobody else sees it yet."""
    packet = await stored(services, person, packet_id)
    if packet.status not in SENT:
        return await _unpaid(request, services, packet)
    return page(
        request,
        "packets/share.html",
        packet=packet,
        to=await name_of_payee(services, person, packet),
        address=f"{settings.public_origin}{path_of(packet_id)}",
        printed=printed_address(settings, packet_id),
    )


async def stored(services: Services, person: Person, packet_id: str) -> Packet:
    """The person's own, paid or not. Refuses: NotFound."""
    if not ids.is_id(packet_id, "red"):
        raise NotFound()
    return await services.redpackets.sent(person.person_id, packet_id)


def onward(request: WebRequest, started: PacketStarted) -> Response[Any]:
    """To the passkey where it takes one; else it is paid, or soon."""
    packet, asked = started.packet, started.requirement
    if asked is None or asked.ceremony is None:
        return redirect(request, share_path(packet.packet_id))
    # Loading that page again leads back to the packet, not to a form.
    headers = {"HX-Push-Url": payment_path(packet.packet_id)}
    return page(request, "packets/passkey.html", headers=headers, packet=packet, requirement=asked)


async def under_way(services: Services, packet: Packet) -> bool:
    """Whether its payment has a verdict and waits for the books' answer."""
    try:
        payment = await services.payments.payment(packet.sender_id, packet.payment_id)
    except NotFound:
        return False
    return packet.status == "created" and payment.status in ("authorized", "posted")


async def _unpaid(request: WebRequest, services: Services, packet: Packet) -> Response[Any]:
    """Being filled, or not."""
    if not await under_way(services, packet):
        return redirect(request, payment_path(packet.packet_id))
    if request.is_partial and not request.swaps_page:
        return unchanged()
    return page(request, "packets/filling.html", here=share_path(packet.packet_id))


def refused(
    request: WebRequest, packet: Packet, refusal: DomainError, status_code: int = 0
) -> Response[Any]:
    """Why it came to nothing, whether money moved, and the way on: while this packet may still be
    paid, that leads to it and never to another one."""
    status_code = status_code or status_of(refusal)
    return page(
        request,
        "packets/refused.html",
        status_code=status_code,
        headers={"Retry-After": str(retry_after(refusal))} if status_code == 503 else {},
        packet=packet,
        refusal=refusal,
    )


def _why(packet: Packet) -> DomainError:
    return REFUSALS.get(packet.refusal_code, OrderExpired)()


def share_path(packet_id: str) -> str:
    return f"/packets/{packet_id}/share"


def payment_path(packet_id: str) -> str:
    return f"/packets/{packet_id}/payment"


async def name_of_payee(services: Services, person: Person, packet: Packet) -> str:
    """Of the friend or the group; "" for whoever has the link."""
    try:
        if packet.to_person:
            friend = await services.friends.friend(person.person_id, packet.to_person)
            return friend.remark or friend.name
        if packet.to_group:
            return (await services.friends.group(person.person_id, packet.to_group)).name
    except NotFound:  # a friend or a member no more
        return ""
    return ""


handlers = [show, pay, confirm, share]
