"""The end: at its time a packet takes no more openings, and what is left goes back, once.

What stopped half-way before comes to its end first: a share that was decided is posted, or void
when the books can't have it any more. All of it is the sweeper's work and may be repeated.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec
import structlog

from backend import ids
from backend.apart import apart
from backend.bills import Bill
from backend.clock import to_ms
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.events import News
from backend.intent import Intent
from backend.ledger import Post, Posted
from backend.posting import Posting, Transfer
from backend.redpacket.deciding import INTENT_LIFE
from backend.redpacket.parts import Parts, packet_account, person_account
from backend.redpacket.posting import Poster
from backend.redpacket.rows import (
    PacketRow,
    crown,
    find_batch,
    find_packet,
    lock_packet,
    move_packet,
    shares_of,
)
from backend.redpacket.shares import is_lucky
from backend.risk import EndPot

RETURN = "pot_return"
MAX_SWEPT = 200
GIVEN_UP_AFTER = timedelta(minutes=10)  # after the end: decided shares that are refused

_START = (datetime.min.replace(tzinfo=UTC), "")
_BATCHES = (
    "select posting_id as id, due_at as at from redpacket.batch"
    " where status = 'decided' and due_at <= $1 and (due_at, posting_id) > ($3, $4)"
    " order by due_at, posting_id limit $2"
)
_WAITING = (
    "select b.posting_id as id, b.due_at as at from redpacket.batch b"
    " where b.status = 'dropped' and b.due_at <= $1 and (b.due_at, b.posting_id) > ($3, $4)"
    " and exists (select 1 from redpacket.share s"
    " where s.packet_id = b.packet_id and s.posting_id = b.posting_id and not s.void)"
    " order by b.due_at, b.posting_id limit $2"
)
_PACKETS = (
    "select packet_id as id, expires_at as at from redpacket.packet"
    " where (status in ('open', 'expired') or (status = 'empty' and posted_fen < total_fen))"
    " and expires_at <= $1 and (expires_at, packet_id) > ($3, $4)"
    " order by expires_at, packet_id limit $2"
)

_log = structlog.get_logger(__name__)


class Ending:
    def __init__(self, parts: Parts, poster: Poster) -> None:
        self._parts, self._clock, self._poster = parts, parts.clock, poster
        # Rounds take turns: what can't be ended does not come first again.
        self._swept_to = dict.fromkeys((_BATCHES, _WAITING, _PACKETS), _START)

    async def sweep(self) -> int:
        """How many came on."""
        touched = await self._each(_BATCHES, self._post)
        touched += await self._each(_WAITING, self._post_again)
        return touched + await self._each(_PACKETS, self._end)

    async def _each(self, sql: str, work: Callable[[str], Awaitable[bool]]) -> int:
        due = await TX.query(sql, self._clock.now(), MAX_SWEPT, *self._swept_to[sql])
        full = len(due) == MAX_SWEPT
        self._swept_to[sql] = (due[-1]["at"], due[-1]["id"]) if full else _START
        return sum([await apart(work(row["id"]), False, "packet", row["id"]) for row in due])

    async def _post(self, posting_id: str) -> bool:
        batch = await find_batch(posting_id)
        assert batch is not None, "batches are never deleted"
        return batch.status == "decided" and await self._poster.drive_on(batch)

    async def _post_again(self, posting_id: str) -> bool:
        batch = await find_batch(posting_id)
        assert batch is not None, "batches are never deleted"
        packet = await find_packet(batch.packet_id)
        assert packet is not None, "packets are never deleted"
        # Another batch would put off for ever what `_end` gives up.
        return not self._given_up(packet) and await self._poster.again(batch)

    async def _end(self, packet_id: str) -> bool:
        packet = await self._close(packet_id)
        if packet.status not in ("expired", "empty") or not await self._settled(packet):
            return False
        return await self._give_back(packet)

    async def _close(self, packet_id: str) -> PacketRow:
        """open → expired: no more openings, and the seed may be told."""
        async with TX.transaction():
            packet = await lock_packet(packet_id)
            if packet.status != "open" or self._clock.now() < packet.expires_at:
                return packet
            moved = await move_packet(packet_id, "open", "expired", ended_at=packet.expires_at)
            assert moved is not None, "its row is locked"
            if is_lucky(packet.kind) and packet.count > 1:
                await crown([packet_id])
            await TX.query(
                "update redpacket.inbox set state = 'over'"
                " where packet_id = $1 and state = 'waiting'",
                packet_id,
            )
            await self._parts.events.record_all(_ended(packet))
        return moved

    async def _settled(self, packet: PacketRow) -> bool:
        """Whether each share is in the books or void. Refuses: Unavailable, OutcomeUnknown."""
        open_ids = {
            s.posting_id for s in await shares_of(packet.packet_id) if s.status == "decided"
        }
        settled = True
        for posting_id in sorted(open_ids):
            batch = await find_batch(posting_id)
            assert batch is not None, "batches are never deleted"
            if batch.status == "decided":
                await self._poster.drive_on(batch)
                batch = await find_batch(posting_id) or batch
            over = self._given_up(packet) and batch.status == "dropped"
            if over and await self._poster.cleared(batch):
                await self._void(packet, posting_id)
            else:
                settled = settled and batch.status == "posted"
        return settled

    def _given_up(self, packet: PacketRow) -> bool:
        return self._clock.now() >= packet.expires_at + GIVEN_UP_AFTER

    async def _void(self, packet: PacketRow, posting_id: str) -> None:
        """Shares of a dropped batch that nothing can post any more."""
        async with TX.transaction():
            await lock_packet(packet.packet_id)
            rows = await TX.query(
                "update redpacket.share set void = true where packet_id = $1"
                " and posting_id = $2 and not void returning person_id",
                packet.packet_id,
                posting_id,
            )
            if is_lucky(packet.kind) and packet.count > 1:
                await crown([packet.packet_id])
            await self._parts.events.record_all(
                tuple(
                    News(f"person:{row['person_id']}", "packet_share_void", packet.packet_id)
                    for row in rows
                )
            )
        _log.warning("shares_void", packet_id=packet.packet_id, posting_id=posting_id)

    async def _give_back(self, packet: PacketRow) -> bool:
        packet = await self._begin_return(packet.packet_id)
        if packet.status not in ("expired", "empty") or not packet.return_id:
            return False
        outcome = await self._parts.ledger.outcome(packet.return_id)
        if outcome is not None and outcome.posted is not None:
            return await self._finish(packet, outcome.posted)
        if outcome is not None:
            await self._another_return(packet, outcome.refusal_code)
            return False
        intent = packet.leaving()
        verdict = await self._parts.risk.authorize_pot_end(EndPot(intent))
        try:
            posted = await self._parts.ledger.post(Post(intent.posting, verdict))
        except (Unavailable, OutcomeUnknown):
            raise
        except DomainError as refusal:
            await self._another_return(packet, refusal.code)
            return False
        return await self._finish(packet, posted)

    async def _begin_return(self, packet_id: str) -> PacketRow:
        """The posting's id is kept before it is used, so that it is one posting."""
        async with TX.transaction():
            packet = await lock_packet(packet_id)
            if packet.return_id or packet.posted_fen != packet.opened_fen:
                return packet
            return_id = ids.new("ret")
            intent = _return_of(packet, return_id)
            moved = await move_packet(
                packet_id,
                packet.status,
                packet.status,
                return_id=return_id,
                return_intent=msgspec.msgpack.encode(intent),
            )
        assert moved is not None, "its row was locked"
        return moved

    async def _another_return(self, packet: PacketRow, code: str) -> None:
        """The ledger refused the posting for good; nothing has moved. The next round tries with a
        new one, for as long as it takes."""
        await self._parts.risk.release(packet.return_id)
        await TX.query(
            "update redpacket.packet set return_id = '', return_intent = null"
            " where packet_id = $1 and return_id = $2 and status <> 'returned'",
            packet.packet_id,
            packet.return_id,
        )
        _log.warning("return_refused", packet_id=packet.packet_id, code=code)

    async def _finish(self, packet: PacketRow, posted: Posted) -> bool:
        rest = packet.total_fen - packet.posted_fen
        async with TX.transaction():
            await lock_packet(packet.packet_id)
            moved = await move_packet(
                packet.packet_id, packet.status, "returned", returned_fen=rest
            )
            if moved is not None:
                await self._parts.bills.record((_bill(moved, posted),))
                await self._parts.events.record_all(_returned(moved))
        return moved is not None


def _return_of(packet: PacketRow, return_id: str) -> Intent:
    source, rest = packet_account(packet.packet_id), packet.total_fen - packet.posted_fen
    back = Transfer(source, person_account(packet.sender_id), rest)
    return Intent(
        intent_id=return_id,
        kind=RETURN,
        payer_id=packet.packet_id,
        payee_id=packet.sender_id,
        payee_name=packet.sender_name,
        amount_fen=rest,
        fee_fen=0,
        source=source,
        code="none",
        posting=Posting(posting_id=return_id, reason=RETURN, transfers=(back,)),
        expires_at_ms=to_ms(packet.expires_at + 10_000 * INTENT_LIFE),
        nonce=secrets.token_bytes(32),
    )


def _bill(packet: PacketRow, posted: Posted) -> Bill:
    return Bill(
        person_id=packet.sender_id,
        bill_id=packet.return_id,
        kind="packet_return",
        direction="in",
        counterparty=packet.sender_name,
        amount_fen=packet.returned_fen,
        status="succeeded",
        method="balance",
        note=packet.greeting,
        order_id=packet.order_id,
        event_at=posted.posted_at,
        settled_at=posted.posted_at,
    )


def _ended(packet: PacketRow) -> tuple[News, ...]:
    id_ = packet.packet_id
    return (
        News(f"packet:{id_}", "packet_ended", id_),
        News(f"person:{packet.sender_id}", "packet_ended", id_),
    )


def _returned(packet: PacketRow) -> tuple[News, ...]:
    id_ = packet.packet_id
    return (
        News(f"packet:{id_}", "packet_returned", id_),
        News(f"person:{packet.sender_id}", "packet_returned", id_),
    )
