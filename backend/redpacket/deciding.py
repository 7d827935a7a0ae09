"""Deciding: who gets which share, for all who asked together, in one transaction."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from backend import ids
from backend.clock import Clock, to_ms
from backend.db import TX
from backend.errors import DomainError
from backend.identity import Identity
from backend.intent import Intent
from backend.posting import Posting, Transfer
from backend.redpacket import PacketEmpty, PacketExpired
from backend.redpacket.parts import packet_account, person_account
from backend.redpacket.rows import (
    ENDED,
    BatchRow,
    PacketRow,
    ShareRow,
    crown,
    insert_batches,
    insert_shares,
    lock_packets,
    openers_of,
    shares_among,
)
from backend.redpacket.shares import is_lucky, lucky_share
from backend.together import Together

REASON = "share"
MAX_PACKETS = 32  # decided in one transaction
# After which the sweeper posts what was decided, if whoever decided it has not.
DUE_AFTER = timedelta(seconds=10)
INTENT_LIFE = timedelta(hours=48)  # the terms' end is the end; this only has to be later


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who asked for a share; refusal: what the security system said, None if nothing."""

    person_id: str
    refusal: DomainError | None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """All who asked for a share of one packet."""

    packet_id: str
    askers: tuple[Asker, ...]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """By person: the share, older ones too, or why there is none. batch: what is to be posted, in
    the order of `fresh`. openers: all of them, where the packet has ended."""

    packet: PacketRow
    shares: dict[str, ShareRow]
    refused: dict[str, DomainError]
    batch: BatchRow | None
    fresh: list[ShareRow]
    ended: bool
    openers: frozenset[str] | None = None


class Decider:
    """For all packets of this process: those who come together are decided in one transaction."""

    def __init__(self, identity: Identity, clock: Clock) -> None:
        self._identity, self._clock = identity, clock
        self._together = Together(self._decide, MAX_PACKETS)

    async def decide(self, asked: Asked) -> Decided:
        """One call at a time for a packet. Each share is durable when this returns; asked again, it
        is the same."""
        return await self._together.do(asked)

    async def _decide(self, all_: Sequence[Asked]) -> list[Decided]:
        people = {asker.person_id for asked in all_ for asker in asked.askers}
        names = await self._identity.names(tuple(people))
        ids_ = [asked.packet_id for asked in all_]
        assert len(set(ids_)) == len(ids_), "one call at a time for a packet"
        async with TX.transaction(by_key=True):
            packets = await lock_packets(ids_)
            now = self._clock.now()  # with the locks in hand: a packet's end is exact
            mine = await shares_among(
                [(asked.packet_id, asker.person_id) for asked in all_ for asker in asked.askers]
            )
            found = [
                _decided(packets[asked.packet_id], asked, mine[asked.packet_id], names, now)
                for asked in all_
            ]
            await _store([one for one in found if one.batch is not None])
        ended = [one.packet.packet_id for one in found if one.ended]
        openers = await openers_of(ended) if ended else {}
        return [
            msgspec.structs.replace(one, openers=openers.get(one.packet.packet_id)) for one in found
        ]


def _decided(
    packet: PacketRow,
    asked: Asked,
    mine: dict[str, ShareRow],
    names: dict[str, str],
    now: datetime,
) -> Decided:
    fresh = [asker for asker in asked.askers if asker.person_id not in mine]
    refused = {a.person_id: a.refusal for a in fresh if a.refusal is not None}
    may = [asker.person_id for asker in fresh if asker.refusal is None]
    left = 0 if packet.over(now) else packet.count - packet.opened
    lucky, late = may[:left], may[left:]
    why = PacketEmpty if _emptied(packet, now) else PacketExpired
    batch, shares = _share_out(packet, [(one, names.get(one, "")) for one in lucky], now)
    return Decided(
        packet=packet,
        shares=mine | {share.person_id: share for share in shares},
        refused=refused | {person_id: why() for person_id in late},
        batch=batch,
        fresh=shares,
        # By its row, not by its time: until it is closed, nobody can say who opened it.
        ended=packet.status in ENDED or (packet.status == "open" and 0 < left == len(lucky)),
    )


def _emptied(packet: PacketRow, now: datetime) -> bool:
    return packet.opened == packet.count or not packet.over(now)


def _share_out(
    packet: PacketRow, askers: Sequence[tuple[str, str]], now: datetime
) -> tuple[BatchRow | None, list[ShareRow]]:
    if not askers:
        return None, []
    posting_id = ids.new("shr")
    shares: list[ShareRow] = []
    rest = packet.total_fen - packet.opened_fen
    for position, (person_id, name) in enumerate(askers, packet.opened):
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
                person_id=person_id,
                name=name,
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


async def _store(all_: Sequence[Decided]) -> None:
    if not all_:
        return
    await insert_batches([one.batch for one in all_ if one.batch is not None])
    await insert_shares([share for one in all_ for share in one.fresh])
    crowned = [
        one.packet.packet_id
        for one in all_
        if one.ended and is_lucky(one.packet.kind) and one.packet.count > 1
    ]
    if crowned:
        await crown(crowned)
    for one in all_:
        if one.packet.to_group or one.packet.to_person:
            await _tidy_inboxes(one)


async def _tidy_inboxes(one: Decided) -> None:
    await TX.query(
        "update redpacket.inbox set state = case when person_id = any($2) then 'opened'"
        " else 'over' end where packet_id = $1 and state = 'waiting'"
        " and ($3 or person_id = any($2))",
        one.packet.packet_id,
        [share.person_id for share in one.fresh],
        one.ended,
    )
