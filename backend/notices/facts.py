"""What a notice says beyond its kind: looked up when it is read, so that it says what is true then.

Each thing is looked up as its reader, by the module that it belongs to. What the reader may not see
any more is told in general words.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec

from backend.errors import NotFound
from backend.notices import Notice
from backend.notices.parts import Parts
from backend.transfers import Request, RequestShare

_RETURNED = ("returned", "expired")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    notice_id: str
    kind: str
    area: str
    ref: str
    label: str
    at: datetime
    read: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    state: str = ""
    name: str = ""
    amount_fen: int = 0
    note: str = ""
    done: int = 0
    of: int = 0


NOTHING = Facts()
Look = Callable[[str, str], Awaitable[Facts]]


class Reader:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._looks: dict[str, Look] = {
            "payment_received": self._bill,
            "payment_refunded": self._refunded,
            "payment_kept": self._kept,
            "refund_declined": self._bill,
            "topup": self._bill,
            "withdrawal": self._bill,
            "refund_asked": self._bill,
            "transfer": self._transfer,
            "request": self._request,
            "request_answered": self._answered,
            "friend_asked": self._friend,
            "friend_accepted": self._friend,
            "group_joined": self._group,
            "packet_received": self._received,
            "packet_ended": self._ended,
            "packet_share_void": self._void,
        }

    async def notices(self, person_id: str, rows: Sequence[Row]) -> tuple[Notice, ...]:
        facts = await asyncio.gather(*(self._facts(person_id, row) for row in rows))
        return tuple(_notice(row, found) for row, found in zip(rows, facts, strict=True))

    async def _facts(self, person_id: str, row: Row) -> Facts:
        look = self._looks.get(row.kind)
        if look is None:
            return Facts(name=row.label)
        try:
            return await look(person_id, row.ref)
        except NotFound:
            return NOTHING

    async def _bill(self, person_id: str, ref: str) -> Facts:
        bill = await self._parts.bills.bill(person_id, ref)
        return Facts(
            state=bill.status, name=bill.counterparty, amount_fen=bill.amount_fen, note=bill.note
        )

    async def _refunded(self, person_id: str, ref: str) -> Facts:
        bill = await self._parts.bills.bill(person_id, ref)
        state = "whole" if bill.refunded_fen == bill.amount_fen else "part"
        return Facts(state=state, name=bill.counterparty, amount_fen=bill.refunded_fen)

    async def _kept(self, person_id: str, ref: str) -> Facts:
        bill = await self._parts.bills.bill(person_id, ref)
        state = "settled" if bill.refunded_fen else ""
        return Facts(state=state, name=bill.counterparty, amount_fen=bill.amount_fen)

    async def _transfer(self, person_id: str, ref: str) -> Facts:
        found = await self._parts.transfers.transfer(person_id, ref)
        mine = found.payer_id == person_id
        return Facts(
            state=f"sent_{found.status}" if mine else found.status,
            name=found.payee_name if mine else found.payer_name,
            amount_fen=found.amount_fen,
            note=found.note,
        )

    async def _request(self, person_id: str, ref: str) -> Facts:
        found = await self._parts.transfers.find_request(person_id, ref)
        mine = next((share for share in found.shares if share.person_id == person_id), None)
        if mine is None:
            return NOTHING
        return Facts(
            state=found.status if mine.status == "open" else mine.status,
            name=found.name,
            amount_fen=mine.amount_fen,
            note=found.note,
        )

    async def _answered(self, person_id: str, ref: str) -> Facts:
        found = await self._parts.transfers.find_request(person_id, ref)
        last = _last(found)
        over = found.status == "expired" or last is None
        return Facts(
            state=found.status if over or last is None else last.status,
            name="" if over or last is None else last.name,
            amount_fen=sum(s.amount_fen for s in found.shares if s.status == "paid")
            if over or last is None
            else last.amount_fen,
            note=found.note,
            done=sum(share.status == "paid" for share in found.shares),
            of=len(found.shares),
        )

    async def _friend(self, person_id: str, ref: str) -> Facts:
        try:
            friend = await self._parts.friends.friend(person_id, ref)
        except NotFound:  # taken back, declined, or no friends any more
            names = await self._parts.identity.names((ref,))
            return Facts(name=names.get(ref, ""))
        return Facts(state=friend.state, name=friend.remark or friend.name, note=friend.message)

    async def _group(self, person_id: str, ref: str) -> Facts:
        return Facts(name=(await self._parts.friends.group(person_id, ref)).name)

    async def _received(self, person_id: str, ref: str) -> Facts:
        glance = await self._parts.redpackets.grab(person_id, ref)
        return Facts(
            state=glance.state,
            name=glance.packet.sender_name,
            amount_fen=glance.mine.amount_fen if glance.mine else 0,
            note=glance.packet.greeting,
        )

    async def _ended(self, _person_id: str, ref: str) -> Facts:
        packet = await self._parts.redpackets.packet(ref)
        back = packet.status in _RETURNED
        return Facts(
            state=packet.status,
            amount_fen=packet.total_fen - packet.opened_fen if back else packet.total_fen,
            note=packet.greeting,
            done=packet.opened,
            of=packet.count,
        )

    async def _void(self, person_id: str, ref: str) -> Facts:
        glance = await self._parts.redpackets.grab(person_id, ref)
        return Facts(name=glance.packet.sender_name)


def _last(request: Request) -> RequestShare | None:
    """Who has answered last."""
    answered = [share for share in request.shares if share.at is not None]
    return max(answered, key=lambda share: share.at or request.created_at, default=None)


def _notice(row: Row, facts: Facts) -> Notice:
    return Notice(
        notice_id=row.notice_id,
        kind=row.kind,
        area=row.area,
        ref=row.ref,
        at=row.at,
        read=row.read,
        **msgspec.structs.asdict(facts),
    )
