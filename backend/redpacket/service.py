"""The face of red packets, put together."""

from backend.apart import every
from backend.db import TX
from backend.errors import NotFound
from backend.payments import Confirm
from backend.redpacket import (
    INBOX_PAGE,
    Glance,
    InboxPage,
    OpenPacket,
    Packet,
    PacketDetail,
    PacketNotForYou,
    PacketStarted,
    PayPacket,
    SendPacket,
    Share,
    Verified,
    YearSum,
)
from backend.redpacket.ending import Ending
from backend.redpacket.freezes import Freezes
from backend.redpacket.inbox import Inbox
from backend.redpacket.known import SENT, Known
from backend.redpacket.names import Names
from backend.redpacket.opening import Opening, tries_spent
from backend.redpacket.parts import Parts
from backend.redpacket.posting import Poster
from backend.redpacket.proof import proof_of, verified
from backend.redpacket.rows import (
    ENDED,
    PacketRow,
    ShareRow,
    find_packet,
    find_share,
    seen,
    share_seen,
    shares_of,
)
from backend.redpacket.rules import check_greeting
from backend.redpacket.sending import Sending


class RedPacketService:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock
        self._known, poster = Known(), Poster(parts)
        self._sending = Sending(parts)
        self._opening = Opening(parts, poster, self._known)
        self._ending = Ending(parts, poster)
        self._inbox = Inbox(parts.clock)
        self._freezes, self._names = Freezes(parts.risk), Names(parts.friends)

    async def send(self, send: SendPacket) -> PacketStarted:
        return await self._sending.send(send)

    async def pay(self, pay: PayPacket) -> PacketStarted:
        return await self._sending.pay(pay)

    async def confirm(self, confirm: Confirm) -> Packet:
        return await self._sending.confirm(confirm)

    async def packet(self, packet_id: str) -> Packet:
        return await self._names.of_packet("", seen(await _sent(packet_id), self._clock.now()))

    async def sent(self, sender_id: str, packet_id: str) -> Packet:
        return seen(await self._sending.own(sender_id, packet_id), self._clock.now())

    async def grab(self, person_id: str, packet_id: str) -> Glance:
        row = self._known.ended(packet_id, self._clock.now())
        if row is None:
            row = await _sent(packet_id)
            self._known.note_row(row)
        mine = await self._mine(row, person_id)
        state = await self._state(row, mine, person_id)
        reader_id = "" if state == "not_for_you" else person_id  # a link that went astray
        return Glance(
            packet=await self._names.of_packet(reader_id, seen(row, self._clock.now())),
            state=state,
            mine=share_seen(mine) if mine is not None else None,
            listed=_listed(row, person_id, state),
        )

    async def open(self, open_: OpenPacket) -> Share:
        return await self._opening.open(open_)

    async def detail(self, person_id: str, packet_id: str) -> PacketDetail:
        row, shares = await _sent(packet_id), await shares_of(packet_id)
        mine = next((share for share in shares if share.person_id == person_id), None)
        if mine is None and not await self._may_look(row, person_id):
            raise NotFound()
        now = self._clock.now()
        emptied = row.status in ENDED and len(shares) == row.count
        took = None
        if emptied and row.sent_at is not None:
            took = max(int((shares[-1].opened_at - row.sent_at).total_seconds()), 0)
        packet, named = await self._names.of_detail(
            person_id, seen(row, now), [share_seen(share) for share in shares]
        )
        return PacketDetail(
            packet=packet,
            shares=named,
            mine=share_seen(mine) if mine is not None else None,
            seconds=took,
        )

    async def verify(self, packet_id: str) -> Verified:
        return verified(await proof_of(packet_id))

    async def thank(self, person_id: str, packet_id: str, thanks: str) -> Share:
        check_greeting(thanks)
        async with TX.transaction():
            await TX.query(
                "update redpacket.share set thanks = $3 where packet_id = $1 and person_id = $2",
                packet_id,
                person_id,
                thanks.strip(),
            )
            row = await find_share(packet_id, person_id)
            if row is not None:
                await self._parts.events.record(f"packet:{packet_id}", "packet_thanked", packet_id)
        if row is None:
            raise NotFound()
        return share_seen(row)

    async def inbox(
        self, person_id: str, box: str, year: int, cursor: str, limit: int = INBOX_PAGE
    ) -> InboxPage:
        found = await self._inbox.page(person_id, box, year, cursor, limit)
        items = await self._names.of_items(person_id, found.items)
        return InboxPage(items=items, next_cursor=found.next_cursor)

    async def unread(self, person_id: str) -> int:
        return await self._inbox.unread(person_id)

    async def look(self, person_id: str, packet_id: str) -> None:
        await self._inbox.look(person_id, packet_id)

    async def years(self, person_id: str, box: str) -> tuple[YearSum, ...]:
        return await self._inbox.years(person_id, box)

    async def sweep(self) -> int:
        return await every("red packets", self._sending.sweep, self._ending.sweep)

    async def _mine(self, row: PacketRow, person_id: str) -> ShareRow | None:
        """Who opened one that has ended is known, so that nobody who came too late is looked up."""
        if row.status in ENDED:
            openers = self._known.openers_of_ended(row.packet_id)
            if openers is None:
                openers = await self._known.learn_end(row.packet_id)
            if person_id not in openers:
                return None
        return await find_share(row.packet_id, person_id)

    async def _state(self, row: PacketRow, mine: ShareRow | None, person_id: str) -> str:
        """What a glance shows."""
        if mine is not None:
            return "mine"
        try:
            await self._opening.check_for_them(row, person_id)
        except PacketNotForYou:
            return "not_for_you"
        if row.opened == row.count or row.status == "empty":
            return "empty"
        if row.over(self._clock.now()):
            return "expired"
        if await self._freezes.frozen(row.sender_id):
            return "sender_frozen"
        if row.kind != "passcode":
            return "open"
        return "spent" if await tries_spent(row.packet_id, person_id) else "passcode"

    async def _may_look(self, row: PacketRow, person_id: str) -> bool:
        """Also whoever has the link of one that is for anybody, when they can't open it any more:
        that they are too late is to be seen."""
        if person_id == row.sender_id:
            return True
        if row.to_group:
            return await self._parts.friends.is_member(person_id, row.to_group)
        return not row.to_person and row.status in ENDED


def _listed(row: PacketRow, person_id: str, state: str) -> bool:
    """As `_may_look`, where the glance has said already who is in the group."""
    if state == "mine" or person_id == row.sender_id:
        return True
    if row.to_group:
        return state != "not_for_you"
    return not row.to_person and row.status in ENDED


async def _sent(packet_id: str) -> PacketRow:
    """Refuses: NotFound (not paid, too)."""
    row = await find_packet(packet_id)
    if row is None or row.status not in SENT:
        raise NotFound()
    return row
