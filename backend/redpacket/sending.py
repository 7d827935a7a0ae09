"""Sending: the packet's terms and seed are fixed, its order is paid, those it is for are told."""

import secrets
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from backend import ids
from backend.apart import apart
from backend.clock import to_ms
from backend.db import TX
from backend.errors import DomainError, IdReused, NotFound
from backend.events import News
from backend.intent import PotTerms
from backend.payments import ORDER_LIFE, Confirm, OpenOrder, OrderExpired, StartPayment
from backend.redpacket import (
    GREETING,
    MAX_SENT_DAY_FEN,
    PACKET_LIFE,
    Packet,
    PacketLimit,
    PacketStarted,
    PayPacket,
    SendPacket,
    TooManyShares,
)
from backend.redpacket.parts import Parts, packet_account
from backend.redpacket.rows import PacketRow, find_packet, insert_packet, move_packet, seen
from backend.redpacket.rules import check_form, day_start, passcode_hash
from backend.redpacket.shares import SEED_BYTES, commitment

PAYEE_NAME = "红包"
MAX_SWEPT = 200
LAPSE_AFTER = ORDER_LIFE + timedelta(minutes=1)  # a payment claimed at the last moment may end

_log = structlog.get_logger(__name__)


class Sending:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock

    async def send(self, send: SendPacket) -> PacketStarted:
        check_form(send)
        row = await find_packet(send.packet_id)
        if row is None:
            row = await self._new(send)
        if not _same(row, send):
            raise IdReused()
        return await self._pay(row, send.device_secret, send.address)

    async def pay(self, pay: PayPacket) -> PacketStarted:
        row = await self.own(pay.sender_id, pay.packet_id)
        return await self._pay(row, pay.device_secret, pay.address)

    async def own(self, sender_id: str, packet_id: str) -> PacketRow:
        """Refuses: NotFound."""
        row = await find_packet(packet_id)
        if row is None or row.sender_id != sender_id:
            raise NotFound()
        return await self.settle(row)

    async def confirm(self, confirm: Confirm) -> Packet:
        found = await TX.query(
            "select packet_id from redpacket.packet where payment_id = $1 and sender_id = $2",
            confirm.payment_id,
            confirm.payer_id,
        )
        row = await find_packet(found[0]["packet_id"]) if found else None
        if row is None:
            raise NotFound()
        try:
            await self._parts.payments.confirm(confirm)
        finally:
            row = await self.settle(row)
        return seen(row, self._clock.now())

    async def settle(self, row: PacketRow) -> PacketRow:
        """What became of its order: created → open, refused, lapsed; or it stays."""
        if row.status != "created":
            return row
        try:
            order = await self._parts.payments.order(row.order_id)
        except NotFound:
            return row if self._clock.now() < row.lapses_at else await self._lapse(row)
        if order.status == "paid":
            return await self._open(row)
        with suppress(NotFound):
            payment = await self._parts.payments.payment(row.sender_id, row.payment_id)
            if payment.status == "refused":
                return await self._refuse(row, payment.refusal_code)
        if order.status in ("expired", "cancelled") or self._clock.now() >= row.lapses_at:
            return await self._lapse(row)
        return row

    async def sweep(self) -> int:
        """Packets whose payment stopped half-way; how many came on."""
        due = await TX.query_as(
            PacketRow,
            f"select {', '.join(PacketRow.__struct_fields__)} from redpacket.packet"  # noqa: S608
            " where status = 'created' order by lapses_at, packet_id limit $1",
            MAX_SWEPT,
        )
        touched = 0
        for row in due:
            settled = await apart(self.settle(row), row, "packet", row.packet_id)
            touched += settled.status != "created"
        return touched

    async def _pay(self, row: PacketRow, device_secret: str, address: str) -> PacketStarted:
        if row.status != "created":
            return PacketStarted(packet=seen(row, self._clock.now()), requirement=None)
        await self._check_blocked(row.sender_id, row.to_person)
        await self._check_limit(row)
        try:
            await self._parts.payments.open_pot(packet_account(row.packet_id))
            await self._parts.payments.open_order(_order(row))
            started = await self._parts.payments.start(
                StartPayment(
                    payment_id=row.payment_id,
                    order_id=row.order_id,
                    payer_id=row.sender_id,
                    amount_fen=row.total_fen,
                    device_secret=device_secret,
                    address=address,
                )
            )
        except DomainError:
            await self.settle(row)
            raise
        if started.requirement is not None:
            packet = seen(row, self._clock.now())
            return PacketStarted(packet=packet, requirement=started.requirement)
        row = await self.settle(row)
        return PacketStarted(packet=seen(row, self._clock.now()), requirement=None)

    async def _new(self, send: SendPacket) -> PacketRow:
        await self._check_people(send)
        now = self._clock.now()
        sender = await self._parts.identity.person(send.sender_id)
        seed = secrets.token_bytes(SEED_BYTES)
        row = PacketRow(
            packet_id=send.packet_id,
            payment_id=send.payment_id,
            order_id=ids.new("ord"),
            sender_id=send.sender_id,
            sender_name=sender.display_name,
            kind=send.kind,
            total_fen=send.total_fen,
            count=send.count,
            greeting=send.greeting.strip() or GREETING,
            cover=send.cover,
            to_group=send.to_group,
            to_person=send.to_person,
            passcode_hash=passcode_hash(send.packet_id, send.passcode) if send.passcode else b"",
            seed=seed,
            seed_hash=commitment(seed, send.packet_id),
            status="created",
            refusal_code="",
            opened=0,
            opened_fen=0,
            posted_fen=0,
            returned_fen=0,
            return_id="",
            return_intent=None,
            created_at=now,
            lapses_at=now + LAPSE_AFTER,
            expires_at=now + PACKET_LIFE,
            ended_at=None,
        )
        await self._check_limit(row)
        await insert_packet(row)
        stored = await find_packet(send.packet_id)
        if stored is None:  # the payment's id is another packet's
            raise IdReused()
        return stored

    async def _check_people(self, send: SendPacket) -> None:
        """Refuses: NotFound, TooManyShares."""
        friends = self._parts.friends
        if send.to_person and not await friends.are_friends(send.sender_id, send.to_person):
            raise NotFound()
        await self._check_blocked(send.sender_id, send.to_person)
        if send.to_group:
            group = await friends.group(send.sender_id, send.to_group)
            if send.count > group.members:
                raise TooManyShares(limit=group.members)

    async def _check_blocked(self, sender_id: str, to_person: str) -> None:
        """Of an exclusive one; as for strangers. Refuses: NotFound."""
        if to_person and await self._parts.friends.blocked_between(sender_id, to_person):
            raise NotFound()

    async def _check_limit(self, row: PacketRow) -> None:
        """Of the day, as a hint before the security system's own. Refuses: PacketLimit."""
        [sent] = await TX.query(
            "select coalesce(sum(total_fen), 0)::bigint as fen from redpacket.packet"
            " where sender_id = $1 and created_at >= $2"
            " and status not in ('created', 'refused', 'lapsed')",
            row.sender_id,
            day_start(self._clock.now()),
        )
        left = max(MAX_SENT_DAY_FEN - sent["fen"], 0)
        if row.total_fen > left:
            raise PacketLimit(left_fen=left)

    async def _open(self, row: PacketRow) -> PacketRow:
        told, sent_at = await self._told(row), await self._sent_at(row)
        news = [News(f"person:{person}", "packet_received", row.packet_id) for person in told]
        news.append(News(f"person:{row.sender_id}", "packet_sent", row.packet_id))
        async with TX.transaction():
            moved = await move_packet(row.packet_id, "created", "open", sent_at=sent_at)
            if moved is not None:
                await _fill_inboxes(moved, told)
                await self._parts.events.record_all(tuple(news))
        return moved or await _current(row)

    async def _sent_at(self, row: PacketRow) -> datetime:
        """When the money was in. The end stays what was consented to: 24 hours from when the packet
        was made, so with a passkey up to `ORDER_LIFE` less from here. It can't move with it: the
        hash that was signed, and the security system's pot, hold that very moment."""
        payment = await self._parts.payments.payment(row.sender_id, row.payment_id)
        return payment.posted_at or self._clock.now()

    async def _told(self, row: PacketRow) -> list[str]:
        """Those whom it is for, but nobody who has blocked the sender, or is blocked."""
        people = [row.to_person] if row.to_person else []
        if row.to_group:
            with suppress(NotFound):  # the sender has left since
                members = await self._parts.friends.members(row.sender_id, row.to_group)
                people = [one.person_id for one in members if one.person_id != row.sender_id]
        blocked = await self._parts.friends.blocked_among(row.sender_id, tuple(people))
        return [person_id for person_id in people if person_id not in blocked]

    async def _refuse(self, row: PacketRow, code: str) -> PacketRow:
        now = self._clock.now()
        moved = await move_packet(
            row.packet_id, "created", "refused", refusal_code=code, ended_at=now
        )
        return moved or await _current(row)

    async def _lapse(self, row: PacketRow) -> PacketRow:
        now, code = self._clock.now(), OrderExpired.code
        moved = await move_packet(
            row.packet_id, "created", "lapsed", refusal_code=code, ended_at=now
        )
        return moved or await _current(row)


async def _fill_inboxes(row: PacketRow, told: list[str]) -> None:
    if told:
        await TX.query(
            "insert into redpacket.inbox (person_id, packet_id, expires_at)"
            " select person_id, $2, $3 from unnest($1::text[]) as given(person_id)"
            " order by person_id on conflict do nothing",
            told,
            row.packet_id,
            row.expires_at,
        )


def _order(row: PacketRow) -> OpenOrder:
    return OpenOrder(
        order_id=row.order_id,
        payee_id=row.packet_id,
        owner_id="",
        payee_name=PAYEE_NAME,
        amount_fen=row.total_fen,
        note=row.greeting,
        code="none",
        opened_by=row.sender_id,
        payer_id=row.sender_id,
        terms=PotTerms(
            to=row.to_person or row.to_group,
            shares=row.count,
            until_ms=to_ms(row.expires_at),
            seed_hash=row.seed_hash,
        ),
    )


def _same(row: PacketRow, send: SendPacket) -> bool:
    """The passcode by its hash."""
    code = passcode_hash(send.packet_id, send.passcode) if send.passcode else b""
    names = ("payment_id", "sender_id", "kind", "total_fen", "count", "cover", "to_group")
    return (
        all(getattr(row, name) == getattr(send, name) for name in names)
        and row.to_person == send.to_person
        and row.greeting == (send.greeting.strip() or GREETING)
        and row.passcode_hash == code
    )


async def _current(row: PacketRow) -> PacketRow:
    current = await find_packet(row.packet_id)
    assert current is not None, "packets are never deleted"
    return current
