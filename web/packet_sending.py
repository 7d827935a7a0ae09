"""Putting money into a red packet, and sharing its address."""

import unicodedata
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody

from backend import ids
from backend.errors import REFUSALS, DomainError, IdReused, NotFound
from backend.friends import Friend, Group
from backend.identity import Person
from backend.payments import Confirm
from backend.redpacket import (
    COVERS,
    GREETING,
    KINDS,
    MAX_GREETING,
    MAX_SHARE_FEN,
    MAX_SHARES,
    MIN_SHARE_FEN,
    Greeting,
    Packet,
    Passcode,
    SendPacket,
)
from backend.services import Services
from backend.settings import Settings
from backend.texts import RefusalText
from web.amounts import read_amount
from web.codes import path_of, printed_address
from web.forms import Form
from web.http import WebRequest, redirect
from web.i18n import msg, texts
from web.problems import status_of
from web.receive import refuse
from web.render import page, unchanged
from web.session import Visit

SENT = frozenset({"open", "empty", "expired", "returned"})

SHARE_MAX = msg("At most ¥200 in each packet.")
SHARE_MIN = msg("At least ¥0.01 in each packet.")
COUNT_MAX = msg("At most 100 packets at once.")
COUNT_MEMBERS = msg("There can't be more packets than the group has members.")
# Which field a refusal is about; the others are about the whole.
FIELDS = {
    "too_many_shares": "count",
    "share_too_small": "amount",
    "share_too_large": "amount",
    "packet_limit": "amount",
    "greeting_refused": "greeting",
}


class Payees(msgspec.Struct, frozen=True):
    """To whom a packet may go."""

    friends: tuple[Friend, ...]
    groups: tuple[Group, ...]


@get("/packets/new")
async def new(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    kind: FromQuery[str] = "",
    to: FromQuery[str] = "",
    group: FromQuery[str] = "",
) -> Response[str]:
    """kind, to (a friend) and group: what other pages have chosen already."""
    chosen = kind if kind in KINDS else "exclusive" if to else "lucky"
    form = Form({"kind": chosen, "to_person": to, "to_group": group, "cover": COVERS[0]})
    return await _form(request, services, person, form)


@post("/packets", status_code=200)
async def send(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
) -> Response[Any]:
    form, status_code = Form(data), 422
    command = _command(form, visit, person)
    if command is not None:
        try:
            started = await services.redpackets.send(command)
        except DomainError as refusal:
            status_code = _refuse(form, visit, refusal)
            if not refusal.retryable:
                form.values |= _fresh_ids()
        else:
            asked = started.requirement
            if asked is not None and asked.ceremony is not None:
                return page(
                    request, "packets/passkey.html", packet=started.packet, requirement=asked
                )
            return redirect(request, _share_path(started.packet))
    return await _form(request, services, person, form, status_code)


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
    payment_id = form["payment_id"]
    if not (ids.is_id(packet_id, "red") and ids.is_id(payment_id, "pay")):
        raise NotFound()
    try:
        packet = await services.redpackets.confirm(
            Confirm(
                payment_id=payment_id,
                payer_id=person.person_id,
                device_secret=visit.device_secret,
                ceremony_id=form["ceremony_id"],
                response_json=form["response_json"].encode(),
            )
        )
    except DomainError as refusal:
        said = texts(visit.language).refusal(refusal)
        return _refused(request, packet_id, refusal, said, status_of(refusal))
    return redirect(request, _share_path(packet))


@get("/packets/{packet_id:str}/share")
async def share(  # noqa: PLR0913 — what a handler needs arrives by name
    request: WebRequest,
    visit: NamedDependency[Visit],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
    payment: FromQuery[str] = "",
) -> Response[Any]:
    """payment: for a packet whose payment is still on its way, which nobody else sees yet."""
    if not ids.is_id(packet_id, "red"):
        raise NotFound()
    try:
        packet = (await services.redpackets.detail(person.person_id, packet_id)).packet
    except NotFound:
        return await _unpaid(request, visit, services, packet_id, payment)
    if packet.sender_id != person.person_id:
        raise NotFound()
    return page(
        request,
        "packets/share.html",
        packet=packet,
        to=await name_of_payee(services, person, packet),
        address=f"{settings.public_origin}{path_of(packet_id)}",
        printed=printed_address(settings, packet_id),
    )


async def _unpaid(
    request: WebRequest, visit: Visit, services: Services, packet_id: str, payment_id: str
) -> Response[Any]:
    """Being filled, or refused. Refuses: NotFound."""
    if visit.person is None or not ids.is_id(payment_id, "pay"):
        raise NotFound()
    payment = await services.payments.payment(visit.person.person_id, payment_id)
    if payment.status == "refused":
        refusal = REFUSALS.get(payment.refusal_code, DomainError)()
        said = texts(visit.language).refusal_code(payment.refusal_code)
        return _refused(request, packet_id, refusal, said)
    if request.is_partial and not request.swaps_page:
        return unchanged()
    here = f"/packets/{packet_id}/share?payment={payment_id}"
    return page(request, "packets/filling.html", here=here)


def _refused(
    request: WebRequest,
    packet_id: str,
    refusal: DomainError,
    said: RefusalText,
    status_code: int = 200,
) -> Response[Any]:
    return page(
        request,
        "packets/refused.html",
        status_code=status_code,
        packet_id=packet_id,
        code=refusal.code,
        retryable=refusal.retryable,
        text=said,
    )


def _share_path(packet: Packet) -> str:
    unpaid = f"?payment={packet.payment_id}" if packet.status not in SENT else ""
    return f"/packets/{packet.packet_id}/share{unpaid}"


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


async def _form(
    request: WebRequest,
    services: Services,
    person: Person,
    form: Form,
    status_code: int = 200,
) -> Response[str]:
    form.values = _fresh_ids() | form.values
    found = await services.friends.friends(person.person_id)
    groups = await services.friends.groups(person.person_id)
    return page(
        request,
        "packets/new.html",
        status_code=status_code,
        form=form,
        payees=Payees(tuple(one for one in found if one.state == "friends"), groups),
        kinds=KINDS,
        covers=COVERS,
        greeting=GREETING,
        max_greeting=MAX_GREETING,
    )


def _fresh_ids() -> dict[str, str]:
    return {"packet_id": ids.new("red"), "payment_id": ids.new("pay")}


def _command(form: Form, visit: Visit, person: Person) -> SendPacket | None:
    """None where the form says why not. Fields that its kind doesn't have are left out."""
    packet_id, payment_id = form.id("packet_id", "red"), form.id("payment_id", "pay")
    kind = form.read("kind", lambda text: text if text in KINDS else None, msg("Choose a kind."))
    count = 1 if kind == "exclusive" else form.read("count", _count, _wrong_count(form["count"]))
    amount = read_amount(form)
    greeting = form.text("greeting", Greeting, msg("A greeting has at most 25 characters."))
    passcode = _passcode(form) if kind == "passcode" else ""
    to_person = form["to_person"] if kind == "exclusive" else ""
    if kind == "exclusive" and not ids.is_id(to_person, "usr"):
        form.refuse("to_person", msg("Choose a friend."))
    if not (form and kind and count and amount):
        return None
    if _out_of_bounds(form, kind, count, amount):
        return None
    group = form["to_group"] if kind != "exclusive" else ""
    return SendPacket(
        packet_id=packet_id,
        payment_id=payment_id,
        sender_id=person.person_id,
        kind=kind,
        total_fen=amount * count if kind == "equal" else amount,
        count=count,
        greeting=greeting or "",
        cover=form["cover"] if form["cover"] in COVERS else COVERS[0],
        to_group=group if ids.is_id(group, "grp") else "",
        to_person=to_person,
        passcode=passcode,
        device_secret=visit.device_secret,
        address=visit.address,
    )


def _out_of_bounds(form: Form, kind: str, count: int, amount: int) -> bool:
    """Said before the security system is asked; the module has the last word."""
    total = amount * count if kind == "equal" else amount
    if total < MIN_SHARE_FEN * count:
        form.refuse("amount", SHARE_MIN)
    elif total > MAX_SHARE_FEN * count:
        form.refuse("amount", SHARE_MAX)
    return not form


def _count(text: str) -> int | None:
    plain = unicodedata.normalize("NFKC", text)
    whole = plain.isascii() and plain.isdigit() and len(plain) <= 3
    return int(plain) if whole and 1 <= int(plain) <= MAX_SHARES else None


def _wrong_count(text: str) -> str:
    plain = text.strip()
    if plain.isascii() and plain.isdigit() and int(plain[:9]) > MAX_SHARES:
        return COUNT_MAX
    return msg("Enter how many packets: 1 to 100.")


def _passcode(form: Form) -> str:
    return form.text("passcode", Passcode, msg("A passcode has 2 to 20 characters.")) or ""


def _refuse(form: Form, visit: Visit, refusal: DomainError) -> int:
    """On the field that it is about, in the words of the form where there are any."""
    field = FIELDS.get(refusal.code, "")
    if refusal.code == "too_many_shares":
        by_members = refusal.params.get("limit") != MAX_SHARES
        form.refuse(field, COUNT_MEMBERS if by_members else COUNT_MAX)
    elif field:
        said = texts(visit.language).refusal(refusal)
        form.refuse(field, " ".join(part for part in (said.what, said.detail) if part))
    elif isinstance(refusal, IdReused):
        form.refuse("", msg("This packet was sent already. Look at what you have sent."))
    else:
        return refuse(form, visit, refusal)
    return status_of(refusal)


handlers = [new, send, confirm, share]
