"""Deciding: who gets which share of one packet, for all who asked together, in one transaction."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend import ids
from backend.clock import Clock, to_ms
from backend.db import TX
from backend.errors import DomainError
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.redpacket import PacketEmpty, PacketExpired
from backend.redpacket.parts import packet_account, person_account
from backend.redpacket.rows import (
    BatchRow,
    PacketRow,
    ShareRow,
    crown,
    insert_batch,
    insert_shares,
    lock_packet,
    shares_among,
)
from backend.redpacket.shares import is_lucky, lucky_share

REASON = "share"
# After which the sweeper posts what was decided, if whoever decided it has not.
DUE_AFTER = timedelta(seconds=10)
INTENT_LIFE = timedelta(hours=48)  # the terms' end is the end; this only has to be later


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asked for a share; refusal: what the security system said, None if nothing."""

    person_id: str
    name: str
    refusal: DomainError | None


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """By person: the share, older ones too, or why there is none. batch: what is to be posted."""

    packet: PacketRow
    shares: dict[str, ShareRow]
    refused: dict[str, DomainError]
    batch: BatchRow | None
    ended: bool


async def decide(packet_id: str, askers: Sequence[Asker], clock: Clock) -> Decided:
    """Each share is durable when this returns; asked again, it is the same."""
    async with TX.transaction():
        packet = await lock_packet(packet_id)
        now = clock.now()  # with the lock in hand: the packet's end is exact
        mine = await shares_among(packet_id, [asker.person_id for asker in askers])
        fresh = [asker for asker in askers if asker.person_id not in mine]
        refused = {a.person_id: a.refusal for a in fresh if a.refusal is not None}
        may = [asker for asker in fresh if asker.refusal is None]
        left = 0 if packet.over(now) else packet.count - packet.opened
        lucky, late = may[:left], may[left:]
        why = PacketEmpty if _emptied(packet, now) else PacketExpired
        refused |= {asker.person_id: why() for asker in late}
        batch, shares = _share_out(packet, lucky, now)
        if batch is not None:
            await _store(packet, batch, shares)
    return Decided(
        packet=packet,
        shares=mine | {share.person_id: share for share in shares},
        refused=refused,
        batch=batch,
        ended=packet.over(now) or len(lucky) == left,
    )


def _emptied(packet: PacketRow, now: datetime) -> bool:
    return packet.opened == packet.count or not packet.over(now)


def _share_out(
    packet: PacketRow, askers: Sequence[Asker], now: datetime
) -> tuple[BatchRow | None, list[ShareRow]]:
    if not askers:
        return None, []
    posting_id = ids.new("shr")
    shares: list[ShareRow] = []
    rest = packet.total_fen - packet.opened_fen
    for position, asker in enumerate(askers, packet.opened):
        left = packet.count - position
        if is_lucky(packet.kind):
            amount = lucky_share(packet.seed, packet.packet_id, position, rest, left)
        else:
            amount = packet.total_fen // packet.count
        rest -= amount
        shares.append(
            ShareRow(
                packet_id=packet.packet_id,
                position=position,
                person_id=asker.person_id,
                name=asker.name,
                amount_fen=amount,
                status="decided",
                opened_at=now,
                luckiest=False,
                thanks="",
                posting_id=posting_id,
            )
        )
    return batch_of(packet, posting_id, shares, now), shares


def batch_of(
    packet: PacketRow, posting_id: str, shares: Sequence[ShareRow], now: datetime
) -> BatchRow:
    """One posting for these shares, in their order."""
    source = packet_account(packet.packet_id)
    intent = Intent(
        intent_id=posting_id,
        kind="share",
        payer_id=packet.packet_id,
        payee_id=shares[0].person_id if len(shares) == 1 else "",
        payee_name="",
        amount_fen=sum(share.amount_fen for share in shares),
        fee_fen=0,
        source=source,
        code="none",
        posting=Posting(
            posting_id=posting_id,
            reason=REASON,
            transfers=tuple(
                Transfer(source, person_account(share.person_id), share.amount_fen)
                for share in shares
            ),
        ),
        expires_at_ms=to_ms(packet.expires_at + INTENT_LIFE),
        nonce=secrets.token_bytes(32),
    )
    return BatchRow(
        posting_id=posting_id,
        packet_id=packet.packet_id,
        intent=msgspec.msgpack.encode(intent),
        status="decided",
        created_at=now,
        due_at=now + DUE_AFTER,
    )


async def _store(packet: PacketRow, batch: BatchRow, shares: Sequence[ShareRow]) -> None:
    await insert_batch(batch)
    await insert_shares(shares)
    emptied = packet.opened + len(shares) == packet.count
    if emptied and is_lucky(packet.kind) and packet.count > 1:
        await crown(packet.packet_id)
    if packet.to_group or packet.to_person:
        await TX.query(
            "update redpacket.inbox set state = case when person_id = any($2) then 'opened'"
            " else 'over' end where packet_id = $1 and state = 'waiting'"
            " and ($3 or person_id = any($2))",
            packet.packet_id,
            [share.person_id for share in shares],
            emptied,
        )
