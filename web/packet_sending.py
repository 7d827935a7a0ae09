"""Putting money into a red packet: the form. Paying what it stored: web/packet_paying.py."""

import unicodedata
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, URLEncodedBody

from backend import ids
from backend.errors import DomainError, IdReused, NotFound
from backend.friends import Friend, Group
from backend.identity import Person
from backend.money import yuan
from backend.plain import is_plain
from backend.redpacket import (
    CATALOGUE,
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
from web.amounts import read_amount
from web.forms import Form
from web.http import WebRequest
from web.i18n import msg, texts
from web.packet_paying import onward, refused, stored, under_way
from web.problems import status_of
from web.receive import refuse
from web.render import page
from web.session import Visit

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
    again: FromQuery[str] = "",
) -> Response[str]:
    """kind, to (a friend) and group: what other pages have chosen already. again: a packet of the
    person's own, paid or not, to send another like it."""
    if again:
        form = _like(await stored(services, person, again))
    else:
        chosen = kind if kind in KINDS else "exclusive" if to else "lucky"
        form = Form({"kind": chosen, "to_person": to, "to_group": group, "cover": COVERS[0]})
    return await _form(request, services, person, form)


def _like(packet: Packet) -> Form:
    """As it was typed, but for the passcode, which is not kept."""
    each = packet.total_fen // packet.count if packet.kind == "equal" else packet.total_fen
    return Form(
        {
            "kind": packet.kind,
            "to_person": packet.to_person,
            "to_group": packet.to_group,
            "count": str(packet.count) if packet.kind != "exclusive" else "",
            "amount": yuan(each).replace(",", ""),
            "greeting": packet.greeting,
            "cover": packet.cover,
        }
    )


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
            return onward(request, await services.redpackets.send(command))
        except DomainError as refusal:
            kept = await _kept(services, person, command, refusal)
            if kept is not None:
                return refused(request, kept, refusal)
            status_code = _refuse(form, visit, refusal)
            form.values |= _fresh_ids()
    return await _form(request, services, person, form, status_code)


async def _kept(
    services: Services, person: Person, command: SendPacket, refusal: DomainError
) -> Packet | None:
    """The packet as it is stored: what is wrong is its payment, and that may still arrive. None
    where nothing is stored, or not this: then nothing of this form was paid."""
    try:
        packet = await services.redpackets.sent(person.person_id, command.packet_id)
    except NotFound:
        return None
    other = isinstance(refusal, IdReused) and packet.status == "created"
    return None if other and not await under_way(services, packet) else packet


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
        covers=CATALOGUE,
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
    passcode = form.text("passcode", Passcode, msg("A passcode has 2 to 20 characters.")) or ""
    if not is_plain(passcode):
        form.refuse("passcode", msg("A passcode is one line, with nothing hidden in it."))
    return passcode


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


handlers = [new, send]
