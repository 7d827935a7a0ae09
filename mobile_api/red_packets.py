"""Red packets: putting money in, grabbing, opening, who got what, thanks, the public proof."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.ids import Id
from backend.payments import Confirm
from backend.redpacket import OpenPacket, Passcode, PayPacket, SendPacket
from backend.services import Services
from backend.settings import Settings
from mobile_api.caller import Caller, Once
from mobile_api.consent import Confirmation, until_done
from mobile_api.idempotent import FRESH, repeatable_but
from mobile_api.listing import checked
from mobile_api.packet_views import (
    DetailView,
    GlanceView,
    PacketView,
    ProofView,
    ShareView,
    detail_view,
    glance_view,
    packet_view,
    proof_view,
    share_view,
    started_view,
)
from mobile_api.shapes import Money

MAX_TEXT = 200  # characters of a greeting as they are sent; as people count them they are 25

Kind = Literal["equal", "lucky", "exclusive", "passcode"]
Cover = Literal["classic", "lantern", "peony", "carp", "snow", "moon"]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]


class NewPacket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """amount: all of it, which the sender pays; of an equal one a multiple of count. group: only
    its members may open; person: of an exclusive one. Neither: whoever has the link. An empty
    greeting is the usual one."""

    kind: Kind
    amount: Money
    count: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] = 1
    greeting: Text = ""
    cover: Cover = "classic"
    group: Id | None = None
    person: Id | None = None
    passcode: Passcode | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    passcode: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""


class Thanks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    thanks: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


@post("/v1/red-packets", status_code=201)
async def create_red_packet(
    data: JSONBody[NewPacket],
    caller: NamedDependency[Caller],
    once: NamedDependency[Once],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
) -> PacketView:
    """Put money into a red packet; open to others at once, or `requirement` says what it takes.

    Refuses: bad_request, not_found, share_too_small, share_too_large, too_many_shares,
    greeting_refused, packet_limit, insufficient_balance, limit_exceeded, known_payees_only,
    needs_passkey, payer_frozen, payee_frozen, account_frozen, device_unknown, risk_unavailable,
    ledger_unavailable, payment_pending, payment_abandoned, order_busy, order_expired,
    id_reused."""
    started = await services.redpackets.send(_sending(data, caller, once))
    return until_done(once, started_view(settings, caller, started))


@get("/v1/red-packets/{packet_id:str}")
async def grab_red_packet(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> GlanceView:
    """Whether something is left for the caller; cheap, and reserves nothing.

    Refuses: not_found."""
    person_id = caller.person.person_id
    return glance_view(
        settings, caller, await services.redpackets.grab(person_id, checked(packet_id, "red"))
    )


@get("/v1/red-packets/{packet_id:str}/sent")
async def show_sent_red_packet(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> PacketView:
    """As its sender sees it, also while it is not paid.

    Refuses: not_found."""
    found = await services.redpackets.sent(caller.person.person_id, checked(packet_id, "red"))
    return packet_view(settings, caller, found, concerned=True)


@post("/v1/red-packets/{packet_id:str}/ceremony", status_code=200, opt=FRESH)
async def begin_red_packet(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> PacketView:
    """Pay what is stored: once more, with a fresh ceremony where it takes one.

    Refuses: not_found, packet_limit, insufficient_balance, limit_exceeded, known_payees_only,
    needs_passkey, payer_frozen, payee_frozen, account_frozen, device_unknown, risk_unavailable,
    ledger_unavailable, payment_pending, payment_abandoned, order_busy, order_expired."""
    pay = PayPacket(
        packet_id=checked(packet_id, "red"),
        sender_id=caller.person.person_id,
        device_secret=caller.proof,
        address=caller.address,
    )
    return started_view(settings, caller, await services.redpackets.pay(pay))


@post("/v1/red-packets/{packet_id:str}/confirm", status_code=200)
async def confirm_red_packet(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> PacketView:
    """The passkey's answer.

    Refuses: bad_request, not_found, passkey_refused, ceremony_invalid, intent_expired,
    insufficient_balance, limit_exceeded, known_payees_only, payer_frozen, payee_frozen,
    account_frozen, device_unknown, risk_unavailable, ledger_unavailable, payment_pending,
    payment_abandoned, order_busy, order_expired."""
    person_id = caller.person.person_id
    found = await services.redpackets.sent(person_id, checked(packet_id, "red"))
    answer = Confirm(
        payment_id=found.payment_id,
        payer_id=person_id,
        device_secret=caller.proof,
        ceremony_id=data.ceremony_id,
        response_json=data.response_json,
    )
    return packet_view(settings, caller, await services.redpackets.confirm(answer), concerned=True)


@post("/v1/red-packets/{packet_id:str}/open", status_code=200, opt=repeatable_but("passcode"))
async def open_red_packet(
    data: JSONBody[Opening],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> ShareView:
    """Open it: the amount is decided now, once, and is the same ever after.

    Refuses: not_found, packet_empty, packet_expired, packet_not_for_you, passcode_wrong,
    passcode_spent, sender_frozen, opener_frozen, open_limit, opener_refused, not_for_opener,
    device_unknown, risk_unavailable."""
    asked = OpenPacket(
        packet_id=checked(packet_id, "red"),
        person_id=caller.person.person_id,
        device_secret=caller.proof,
        passcode=data.passcode.strip(),
    )
    return share_view(caller, await services.redpackets.open(asked))


@put("/v1/red-packets/{packet_id:str}/seen", status_code=204)
async def see_red_packet(
    caller: NamedDependency[Caller], services: NamedDependency[Services], packet_id: FromPath[str]
) -> None:
    """It was looked at: it counts as unread no more.

    Refuses: not_found."""
    await services.redpackets.look(caller.person.person_id, checked(packet_id, "red"))


@get("/v1/red-packets/{packet_id:str}/detail")
async def show_red_packet(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    settings: NamedDependency[Settings],
    packet_id: FromPath[str],
) -> DetailView:
    """Who got what, for those concerned.

    Refuses: not_found."""
    person_id = caller.person.person_id
    found = await services.redpackets.detail(person_id, checked(packet_id, "red"))
    return detail_view(settings, caller, found)


@put("/v1/red-packets/{packet_id:str}/thanks", status_code=200)
async def thank_for_red_packet(
    data: JSONBody[Thanks],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    packet_id: FromPath[str],
) -> ShareView:
    """A few words to all who see the packet, from who has opened it.

    Refuses: not_found, greeting_refused."""
    person_id, found_id = caller.person.person_id, checked(packet_id, "red")
    return share_view(caller, await services.redpackets.thank(person_id, found_id, data.thanks))


@get("/v1/red-packets/{packet_id:str}/proof", opt={"open": True})
async def prove_red_packet(
    services: NamedDependency[Services], packet_id: FromPath[str]
) -> ProofView:
    """What anybody needs to recompute the shares of a packet that has ended, and the result.

    Refuses: not_found, packet_not_ended."""
    return proof_view(await services.redpackets.verify(checked(packet_id, "red")))


def _sending(data: NewPacket, caller: Caller, once: Once) -> SendPacket:
    return SendPacket(
        packet_id=once.id("red"),
        payment_id=once.id("pay"),
        sender_id=caller.person.person_id,
        kind=data.kind,
        total_fen=data.amount.amount,
        count=data.count,
        greeting=data.greeting,
        cover=data.cover,
        to_group=data.group or "",
        to_person=data.person or "",
        passcode=data.passcode or "",
        device_secret=caller.proof,
        address=caller.address,
    )


handlers = [
    create_red_packet,
    grab_red_packet,
    show_sent_red_packet,
    begin_red_packet,
    confirm_red_packet,
    open_red_packet,
    see_red_packet,
    show_red_packet,
    thank_for_red_packet,
    prove_red_packet,
]
