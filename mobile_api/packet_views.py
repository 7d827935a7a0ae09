"""Red packets as the JSON face shows them."""

import msgspec

from backend.codes.addresses import path_of
from backend.redpacket import Glance, Packet, PacketDetail, PacketStarted, Share, Verified
from backend.settings import Settings
from mobile_api.caller import Caller
from mobile_api.consent import RequirementView, requirement_view
from mobile_api.shapes import Amount, amount_of, timestamp, timestamp_or_none


class PacketView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (not paid), "open", "empty", "expired" (its rest goes back), "returned",
    "refused", "lapsed". Amounts, group and person are null to
    who may only open it. seed: once it has ended."""

    object: str = "red_packet"
    id: str
    url: str
    sender_name: str
    mine: bool
    kind: str
    greeting: str
    cover: str
    status: str
    refusal: str | None
    group: str | None
    person: str | None
    count: int
    opened: int
    amount: Amount | None
    opened_amount: Amount | None
    returned_amount: Amount | None
    seed_hash: str
    seed: str | None
    created: str
    expires: str
    ended: str | None
    requirement: RequirementView | None = None


class ShareView(msgspec.Struct, frozen=True, kw_only=True):
    """status: "decided" (the amount stands; the books follow within seconds), "posted", "void" (its
    money went back). luckiest: known once the packet has ended."""

    object: str = "red_packet_share"
    packet: str
    position: int
    name: str
    mine: bool
    amount: Amount
    status: str
    luckiest: bool
    thanks: str
    created: str


class GlanceView(msgspec.Struct, frozen=True, kw_only=True):
    """Grabbing reserves nothing. state: "open", "mine" (opened already), "empty", "expired",
    "not_for_you", "sender_frozen", "passcode" (one is asked), "spent" (no more tries)."""

    object: str = "red_packet_glance"
    state: str
    packet: PacketView
    share: ShareView | None


class DetailView(msgspec.Struct, frozen=True, kw_only=True):
    """seconds: from sending to the last opening, once it is empty."""

    object: str = "red_packet_detail"
    packet: PacketView
    share: ShareView | None
    shares: tuple[ShareView, ...]
    seconds: int | None


class ProofView(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody needs to recompute the shares. amounts: of those that were opened, in that
    order; expected: as they must be, all of them; wrong: positions that differ."""

    object: str = "red_packet_proof"
    packet: str
    kind: str
    amount: Amount
    count: int
    seed_hash: str
    seed: str
    amounts: tuple[int, ...]
    expected: tuple[int, ...]
    wrong: tuple[int, ...]
    seed_fits: bool
    fair: bool


def packet_view(
    settings: Settings, caller: Caller, found: Packet, *, concerned: bool
) -> PacketView:
    """concerned: who may see what is in it, and for whom."""
    return PacketView(
        id=found.packet_id,
        url=f"{settings.public_origin}{path_of(found.packet_id)}",
        sender_name=found.sender_name,
        mine=found.sender_id == caller.person.person_id,
        kind=found.kind,
        greeting=found.greeting,
        cover=found.cover,
        status=found.status,
        refusal=found.refusal_code or None,
        group=(found.to_group or None) if concerned else None,
        person=(found.to_person or None) if concerned else None,
        count=found.count,
        opened=found.opened,
        amount=amount_of(found.total_fen) if concerned else None,
        opened_amount=amount_of(found.opened_fen) if concerned else None,
        returned_amount=amount_of(found.returned_fen) if concerned else None,
        seed_hash=found.seed_hash,
        seed=found.seed or None,
        created=timestamp(found.created_at),
        expires=timestamp(found.expires_at),
        ended=timestamp_or_none(found.ended_at),
    )


def share_view(caller: Caller, found: Share) -> ShareView:
    return ShareView(
        packet=found.packet_id,
        position=found.position,
        name=found.name,
        mine=found.person_id == caller.person.person_id,
        amount=amount_of(found.amount_fen),
        status=found.status,
        luckiest=found.luckiest,
        thanks=found.thanks,
        created=timestamp(found.opened_at),
    )


def started_view(settings: Settings, caller: Caller, started: PacketStarted) -> PacketView:
    view = packet_view(settings, caller, started.packet, concerned=True)
    return msgspec.structs.replace(view, requirement=requirement_view(started.requirement))


def glance_view(settings: Settings, caller: Caller, found: Glance) -> GlanceView:
    own = found.packet.sender_id == caller.person.person_id
    return GlanceView(
        state=found.state,
        packet=packet_view(settings, caller, found.packet, concerned=own or found.mine is not None),
        share=share_view(caller, found.mine) if found.mine else None,
    )


def detail_view(settings: Settings, caller: Caller, found: PacketDetail) -> DetailView:
    return DetailView(
        packet=packet_view(settings, caller, found.packet, concerned=True),
        share=share_view(caller, found.mine) if found.mine else None,
        shares=tuple(share_view(caller, share) for share in found.shares),
        seconds=found.seconds,
    )


def proof_view(found: Verified) -> ProofView:
    proof = found.proof
    return ProofView(
        packet=proof.packet_id,
        kind=proof.kind,
        amount=amount_of(proof.total_fen),
        count=proof.count,
        seed_hash=proof.seed_hash,
        seed=proof.seed,
        amounts=proof.amounts,
        expected=found.shares,
        wrong=found.wrong,
        seed_fits=found.seed_fits,
        fair=found.fair,
    )
