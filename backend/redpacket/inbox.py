"""The inbox: packets that wait for a person, that they opened, that they sent."""

from datetime import UTC, datetime
from typing import Any

from backend import cursor as places
from backend.clock import Clock
from backend.db import TX, as_struct
from backend.errors import BadRequest
from backend.redpacket import INBOX_PAGE, MAX_INBOX_PAGE, SOON, InboxItem, InboxPage, YearSum
from backend.redpacket.rows import PACKET, SHARE, PacketRow, ShareRow, seen, share_seen
from backend.redpacket.rules import year_bounds

BOXES = ("waiting", "received", "sent")

_NEWEST = (datetime(9999, 12, 31, tzinfo=UTC), "\x7f")
_FIRST = (datetime(1970, 1, 1, tzinfo=UTC), "0")  # "0…" has not been looked at, "1…" has
_PAID = "status in ('open', 'empty', 'expired', 'returned')"
_P = ", ".join(f"p.{name}" for name in PacketRow.__struct_fields__)

_WAITING = f"""
select {_P}, i.looked_at is null as unread
from redpacket.inbox i join redpacket.packet p using (packet_id)
where i.person_id = $1 and i.state = 'waiting' and i.expires_at > $2 and p.status = 'open'
    and (i.looked_at is not null, i.expires_at, i.packet_id) > ($3, $4, $5)
order by i.looked_at is not null, i.expires_at, i.packet_id limit $6
"""  # noqa: S608
_RECEIVED = f"""
select {_P}
from redpacket.share s join redpacket.packet p using (packet_id)
where s.person_id = $1 and s.opened_at >= $2 and s.opened_at < $3
    and (s.opened_at, s.packet_id) < ($4, $5)
order by s.opened_at desc, s.packet_id desc limit $6
"""  # noqa: S608
_SENT = f"""
select {PACKET} from redpacket.packet
where sender_id = $1 and created_at >= $2 and created_at < $3 and {_PAID}
    and (created_at, packet_id) < ($4, $5)
order by created_at desc, packet_id desc limit $6
"""  # noqa: S608
_YEARS_RECEIVED = """
select extract(year from opened_at at time zone 'Asia/Shanghai')::integer as year,
    sum(amount_fen)::bigint as sum_fen, count(*)::integer as count,
    count(*) filter (where s.luckiest)::integer as luckiest
from redpacket.share s
where s.person_id = $1 and not s.void group by 1 order by 1 desc
"""
_YEARS_SENT = f"""
select extract(year from created_at at time zone 'Asia/Shanghai')::integer as year,
    sum(total_fen)::bigint as sum_fen, count(*)::integer as count, 0 as luckiest
from redpacket.packet where sender_id = $1 and {_PAID} group by 1 order by 1 desc
"""  # noqa: S608


class Inbox:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def page(
        self, person_id: str, box: str, year: int, cursor: str, limit: int = INBOX_PAGE
    ) -> InboxPage:
        """Refuses: BadRequest (no such box or year, or another list's cursor)."""
        if box not in BOXES:
            raise BadRequest()
        limit = min(max(limit, 1), MAX_INBOX_PAGE)
        if box == "waiting":
            return await self._waiting(person_id, cursor, limit)
        of = f"packets {box} {year}\n{person_id}"
        start, end = year_bounds(year)
        at, id_ = places.decode(of, cursor) if cursor else _NEWEST
        sql = _RECEIVED if box == "received" else _SENT
        rows = await TX.query(sql, person_id, start, end, at, id_, limit + 1)
        mine = await _own_shares(person_id, [row["packet_id"] for row in rows])
        packets = [as_struct(PacketRow, row) for row in _only_packets(rows)]
        items = [self._item(packet, False, mine.get(packet.packet_id)) for packet in packets]
        more = ""
        if len(items) > limit:
            last = packets[limit - 1]
            at = mine[last.packet_id].opened_at if box == "received" else last.created_at
            more = places.encode(of, at, last.packet_id)
        return InboxPage(items=tuple(items[:limit]), next_cursor=more)

    async def unread(self, person_id: str) -> int:
        rows = await TX.query(
            "select count(*) as n from redpacket.inbox where person_id = $1"
            " and state = 'waiting' and looked_at is null and expires_at > $2",
            person_id,
            self._clock.now(),
        )
        return int(rows[0]["n"])

    async def look(self, person_id: str, packet_id: str) -> None:
        await TX.query(
            "update redpacket.inbox set looked_at = $3"
            " where person_id = $1 and packet_id = $2 and looked_at is null",
            person_id,
            packet_id,
            self._clock.now(),
        )

    async def years(self, person_id: str, box: str) -> tuple[YearSum, ...]:
        """Newest first. Refuses: BadRequest."""
        if box not in ("received", "sent"):
            raise BadRequest()
        sql = _YEARS_RECEIVED if box == "received" else _YEARS_SENT
        return tuple(await TX.query_as(YearSum, sql, person_id))

    async def _waiting(self, person_id: str, cursor: str, limit: int) -> InboxPage:
        of = f"packets waiting\n{person_id}"
        at, mark = places.decode(of, cursor) if cursor else _FIRST
        looked, id_ = mark[:1] == "1", mark[1:]
        now = self._clock.now()
        rows = await TX.query(_WAITING, person_id, now, looked, at, id_, limit + 1)
        packets = [as_struct(PacketRow, row) for row in _only_packets(rows)]
        unread = [bool(row["unread"]) for row in rows]
        items = [self._item(p, new, None) for p, new in zip(packets, unread, strict=True)]
        more = ""
        if len(items) > limit:
            last, new = packets[limit - 1], unread[limit - 1]
            more = places.encode(of, last.expires_at, f"{int(not new)}{last.packet_id}")
        return InboxPage(items=tuple(items[:limit]), next_cursor=more)

    def _item(self, packet: PacketRow, unread: bool, mine: ShareRow | None) -> InboxItem:
        now = self._clock.now()
        running = packet.status == "open" and now < packet.expires_at
        return InboxItem(
            packet=seen(packet, now),
            unread=unread,
            mine=share_seen(mine) if mine is not None else None,
            soon=running and packet.expires_at - now <= SOON,
        )


async def _own_shares(person_id: str, packet_ids: list[str]) -> dict[str, ShareRow]:
    rows = await TX.query_as(
        ShareRow,
        f"select {SHARE} from redpacket.share_now"  # noqa: S608
        " where person_id = $1 and packet_id = any($2)",
        person_id,
        packet_ids,
    )
    return {row.packet_id: row for row in rows}


def _only_packets(rows: list[Any]) -> list[Any]:
    return [{name: row[name] for name in PacketRow.__struct_fields__} for row in rows]
