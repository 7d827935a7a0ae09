"""Rows of packets, shares and batches; the only statements that change a packet's status.

Whoever changes a packet or its shares locks the packet's row first: there openings, postings and
endings of one packet meet, whatever process they come from.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from backend.db import TX
from backend.intent import Intent
from backend.redpacket import Packet, Share

ENDED = frozenset({"empty", "expired", "returned"})


class PacketRow(msgspec.Struct, frozen=True, kw_only=True):
    """opened, opened_fen: of shares that stand; posted_fen: of those in the books. sent_at: when
    its money was in, from when on it can be opened."""

    packet_id: str
    payment_id: str
    order_id: str
    sender_id: str
    sender_name: str
    kind: str
    total_fen: int
    count: int
    greeting: str
    cover: str
    to_group: str
    to_person: str
    passcode_hash: bytes
    seed: bytes
    seed_hash: bytes
    status: str
    refusal_code: str
    opened: int
    opened_fen: int
    posted_fen: int
    returned_fen: int
    return_id: str
    return_intent: bytes | None
    created_at: datetime
    lapses_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    sent_at: datetime | None = None

    def over(self, now: datetime) -> bool:
        return self.status in ENDED or now >= self.expires_at

    def leaving(self) -> Intent:
        """The intent under which the rest goes back."""
        assert self.return_intent is not None, "its return was not begun"
        return msgspec.msgpack.decode(self.return_intent, type=Intent)


class ShareRow(Share, frozen=True, kw_only=True):
    posting_id: str


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that go into the books with one posting."""

    posting_id: str
    packet_id: str
    intent: bytes
    status: str
    created_at: datetime
    due_at: datetime

    def asked(self) -> Intent:
        return msgspec.msgpack.decode(self.intent, type=Intent)


PACKET = ", ".join(PacketRow.__struct_fields__)
SHARE = ", ".join(ShareRow.__struct_fields__)
_BATCH = ", ".join(BatchRow.__struct_fields__)


def seen(row: PacketRow, now: datetime) -> Packet:
    """Without what stays inside; expired at its moment, not when the sweeper comes by."""
    status = "expired" if row.status == "open" and now >= row.expires_at else row.status
    return Packet(
        packet_id=row.packet_id,
        payment_id=row.payment_id,
        sender_id=row.sender_id,
        sender_name=row.sender_name,
        kind=row.kind,
        total_fen=row.total_fen,
        count=row.count,
        greeting=row.greeting,
        cover=row.cover,
        to_group=row.to_group,
        to_person=row.to_person,
        status=status,
        refusal_code=row.refusal_code,
        opened=row.opened,
        opened_fen=row.opened_fen,
        returned_fen=row.returned_fen,
        seed_hash=row.seed_hash.hex(),
        # By the row's own status: until the sweeper has closed it, nothing is told.
        seed=row.seed.hex() if row.status in ENDED else "",
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )


def share_seen(row: ShareRow) -> Share:
    return Share(**{name: getattr(row, name) for name in Share.__struct_fields__})


async def find_packet(packet_id: str) -> PacketRow | None:
    return await TX.one(
        PacketRow,
        f"select {PACKET} from redpacket.packet where packet_id = $1",  # noqa: S608
        packet_id,
    )


async def lock_packet(packet_id: str) -> PacketRow:
    row = await TX.one(
        PacketRow,
        f"select {PACKET} from redpacket.packet where packet_id = $1"  # noqa: S608
        " for no key update",
        packet_id,
    )
    assert row is not None, "packets are never deleted"
    return row


async def lock_packets(packet_ids: Sequence[str]) -> dict[str, PacketRow]:
    """In the order of ids, so that two who lock several do not wait for each other."""
    rows = await TX.query_as(
        PacketRow,
        f"select {PACKET} from redpacket.packet where packet_id = any($1)"  # noqa: S608
        " order by packet_id for no key update",
        list(packet_ids),
    )
    return {row.packet_id: row for row in rows}


async def insert_packet(row: PacketRow) -> None:
    """Nothing where the id is taken."""
    names = [name for name in PacketRow.__struct_fields__ if name not in _GROWS]
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await TX.query(
        f"insert into redpacket.packet ({', '.join(names)}) values ({places})"  # noqa: S608
        " on conflict do nothing",
        *(getattr(row, name) for name in names),
    )


_GROWS = frozenset(
    {
        *("status", "refusal_code", "opened", "opened_fen", "posted_fen", "returned_fen"),
        *("return_id", "return_intent", "ended_at", "sent_at"),
    }
)


async def move_packet(packet_id: str, leaves: str, enters: str, **changes: Any) -> PacketRow | None:
    """The packet in its new state; None if it was not in `leaves` any more."""
    assert changes.keys() <= _GROWS, "these never change"
    names = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, 4))
    return await TX.one(
        PacketRow,
        f"update redpacket.packet set status = $3{', ' if names else ''}{names}"  # noqa: S608
        f" where packet_id = $1 and status = $2 returning {PACKET}",
        packet_id,
        leaves,
        enters,
        *changes.values(),
    )


async def find_share(packet_id: str, person_id: str) -> ShareRow | None:
    return await TX.one(
        ShareRow,
        f"select {SHARE} from redpacket.share_now where packet_id = $1 and person_id = $2",  # noqa: S608
        packet_id,
        person_id,
    )


async def shares_of(packet_id: str) -> list[ShareRow]:
    """In the order of opening."""
    return await TX.query_as(
        ShareRow,
        f"select {SHARE} from redpacket.share_now where packet_id = $1 order by position",  # noqa: S608
        packet_id,
    )


async def shares_in(batch: BatchRow) -> list[ShareRow]:
    """In the order of opening."""
    return await TX.query_as(
        ShareRow,
        f"select {SHARE} from redpacket.share_now where packet_id = $1 and posting_id = $2"  # noqa: S608
        " order by position",
        batch.packet_id,
        batch.posting_id,
    )


async def shares_among(pairs: Sequence[tuple[str, str]]) -> dict[str, dict[str, ShareRow]]:
    """Of (packet, person), by both."""
    found: dict[str, dict[str, ShareRow]] = {packet_id: {} for packet_id, _ in pairs}
    rows = await TX.query_as(
        ShareRow,
        # Each is one look-up by key: the planner knows nothing of how many are asked for.
        f"select {SHARE} from unnest($1::text[], $2::text[]) as q (of_packet, of_person)"  # noqa: S608
        " cross join lateral (select * from redpacket.share_now"
        " where packet_id = of_packet and person_id = of_person limit 1) s",
        [packet_id for packet_id, _ in pairs],
        [person_id for _, person_id in pairs],
    )
    for row in rows:
        found[row.packet_id][row.person_id] = row
    return found


async def openers_of(packet_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """By packet; those of void shares too."""
    rows = await TX.query(
        "select q.packet_id, s.people from unnest($1::text[]) as q (packet_id) cross join lateral"
        " (select array_agg(person_id) as people from redpacket.share"
        " where packet_id = q.packet_id) s",
        list(packet_ids),
    )
    return {row["packet_id"]: frozenset(row["people"] or ()) for row in rows}


async def insert_batches(batches: Sequence[BatchRow]) -> None:
    columns = zip(*map(msgspec.structs.astuple, batches), strict=True)
    await TX.query(
        f"insert into redpacket.batch ({_BATCH}) select * from unnest($1::text[], $2::text[],"  # noqa: S608
        " $3::bytea[], $4::text[], $5::timestamptz[], $6::timestamptz[])",
        *(list(column) for column in columns),
    )


async def find_batch(posting_id: str) -> BatchRow | None:
    return await TX.one(
        BatchRow,
        f"select {_BATCH} from redpacket.batch where posting_id = $1",  # noqa: S608
        posting_id,
    )


async def insert_shares(shares: Sequence[ShareRow]) -> None:
    """The packets' sums follow by a trigger, which also ends those whose last share this is."""
    await TX.query(
        "insert into redpacket.share (packet_id, posting_id, opened_at, position, person_id,"
        " amount_fen, name) select * from unnest($1::text[], $2::text[], $3::timestamptz[],"
        " $4::integer[], $5::text[], $6::bigint[], $7::text[])",
        [share.packet_id for share in shares],
        [share.posting_id for share in shares],
        [share.opened_at for share in shares],
        [share.position for share in shares],
        [share.person_id for share in shares],
        [share.amount_fen for share in shares],
        [share.name for share in shares],
    )


async def crown(packet_ids: Sequence[str]) -> None:
    """The largest share that is not void is the luckiest, and of equal ones the first."""
    await TX.query(
        "with best as (select distinct on (packet_id) packet_id, position from redpacket.share"
        " where packet_id = any($1) and not void"
        " order by packet_id, amount_fen desc, position)"
        " update redpacket.share s set luckiest = not s.luckiest where s.packet_id = any($1)"
        " and s.luckiest <> exists (select from best"
        " where s.packet_id = best.packet_id and s.position = best.position)",
        list(packet_ids),
    )
