"""Posting: decided shares go into the books, all of a batch with one posting.

A share that was decided stands. Where the security system or the ledger is away, the sweeper posts
the batch later, under the same id. Where one of them refuses it for good (the sender was frozen
since, or the verdict ended on its way), the batch is dropped and its shares wait: when nothing can
post that batch any more, the sweeper makes another of them, again and again, until a while after
the packet's end. What could not be posted by then is void and goes back to the sender with the
rest, and its owner is told.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import structlog

from backend import ids
from backend.bills import Bill
from backend.db import TX
from backend.errors import DomainError, OutcomeUnknown, Unavailable
from backend.events import News
from backend.ledger import Post, Posted
from backend.payments import RiskUnavailable
from backend.redpacket.deciding import batch_of
from backend.redpacket.parts import SETTLED_AFTER, Parts, risk_at_hand
from backend.redpacket.rows import (
    BatchRow,
    PacketRow,
    ShareRow,
    find_packet,
    insert_batches,
    lock_packet,
    lock_packets,
    shares_in,
)
from backend.risk import AuthorizeShares, Opener
from backend.together import Together

MAX_BATCHES = 32  # noted as posted in one transaction
AT_ONCE = timedelta(0)

_log = structlog.get_logger(__name__)


class _Booked(msgspec.Struct, frozen=True):
    """A batch that the ledger has posted."""

    packet: PacketRow
    posting_id: str
    shares: tuple[ShareRow, ...]
    posted: Posted


class Poster:
    def __init__(self, parts: Parts) -> None:
        self._parts, self._clock = parts, parts.clock
        self._together = Together(self._finish, MAX_BATCHES)

    async def post(
        self,
        packet: PacketRow,
        batch: BatchRow,
        shares: Sequence[ShareRow],
        openers: tuple[Opener, ...],
    ) -> bool:
        """Whether the shares are in the books now; safe to repeat. `shares` are the batch's."""
        intent = batch.asked()
        try:
            with risk_at_hand():
                verdict = await self._parts.risk.authorize_shares(AuthorizeShares(intent, openers))
        except RiskUnavailable:
            return False
        except DomainError as refusal:
            # Another's verdict for it may still be on its way to the ledger.
            await self._drop(batch, refusal.code, SETTLED_AFTER)
            return False
        try:
            posted = await self._parts.ledger.post(Post(intent.posting, verdict))
        except (Unavailable, OutcomeUnknown):
            return False
        except DomainError as refusal:
            await self._drop(batch, refusal.code, AT_ONCE)
            return False
        await self.finish(packet, batch, shares, posted)
        return True

    async def drive_on(self, batch: BatchRow) -> bool:
        """For what stopped half-way: ask first, then post it again. Refuses: Unavailable,
        OutcomeUnknown."""
        packet, shares = await find_packet(batch.packet_id), await shares_in(batch)
        assert packet is not None, "packets are never deleted"
        outcome = await self._parts.ledger.outcome(batch.posting_id)
        if outcome is not None and outcome.posted is not None:
            await self.finish(packet, batch, shares, outcome.posted)
            return True
        if outcome is not None:
            await self._drop(batch, outcome.refusal_code, AT_ONCE)
            return True
        openers = tuple(Opener(share.person_id, "") for share in shares)
        return await self.post(packet, batch, shares, openers)

    async def finish(
        self, packet: PacketRow, batch: BatchRow, shares: Sequence[ShareRow], posted: Posted
    ) -> None:
        """In the books: the shares say so, with bills and news, in one transaction."""
        await self._together.do(_Booked(packet, batch.posting_id, tuple(shares), posted))

    async def _finish(self, all_: Sequence[_Booked]) -> list[None]:
        async with TX.transaction(by_key=True):
            await lock_packets([one.packet.packet_id for one in all_])
            rows = await TX.query(
                "update redpacket.batch b set status = 'posted',"
                " posted_at = given.posted_at, journal_seq = given.journal_seq"
                " from unnest($1::text[], $2::timestamptz[], $3::bigint[])"
                " as given(posting_id, posted_at, journal_seq)"
                " where b.posting_id = given.posting_id and b.status <> 'posted'"
                " returning b.posting_id",
                [one.posting_id for one in all_],
                [one.posted.posted_at for one in all_],
                [one.posted.journal_seq for one in all_],
            )
            fresh = {row["posting_id"] for row in rows}
            told = [one for one in all_ if one.posting_id in fresh]
            if told:
                bills = [_bill(one.packet, s, one.posted) for one in told for s in one.shares]
                await self._parts.bills.record(tuple(bills))
                met = [(s.person_id, one.packet.sender_id) for one in told for s in one.shares]
                await self._parts.friends.met(tuple(met))
                news = [item for one in told for item in _news(one.packet, one.shares)]
                await self._parts.events.record_all(tuple(news))
        return [None] * len(all_)

    async def cleared(self, batch: BatchRow) -> bool:
        """Whether nothing can post a dropped batch any more; what risk had counted for it is given
        back then. Refuses: Unavailable, OutcomeUnknown."""
        outcome = await self._parts.ledger.outcome(batch.posting_id)
        if outcome is not None and outcome.posted is not None:
            packet, shares = await find_packet(batch.packet_id), await shares_in(batch)
            assert packet is not None, "packets are never deleted"
            await self.finish(packet, batch, shares, outcome.posted)
            return False
        if self._clock.now() < batch.due_at:
            return False
        await self._parts.risk.release(batch.posting_id)
        return True

    async def again(self, batch: BatchRow) -> bool:
        """A new batch for the shares of a dropped one; whether it could be posted. Refuses:
        Unavailable, OutcomeUnknown."""
        if not await self.cleared(batch):
            return False
        packet = await find_packet(batch.packet_id)
        assert packet is not None, "packets are never deleted"
        fresh, shares = await self._regroup(packet, batch)
        if fresh is None:
            return False
        openers = tuple(Opener(share.person_id, "") for share in shares)
        return await self.post(packet, fresh, shares, openers)

    async def _regroup(
        self, packet: PacketRow, batch: BatchRow
    ) -> tuple[BatchRow | None, list[ShareRow]]:
        async with TX.transaction():
            await lock_packet(packet.packet_id)
            waiting = await shares_in(batch)
            shares = [share for share in waiting if share.status == "decided"]
            if not shares:
                return None, []
            fresh = batch_of(packet, ids.new("shr"), shares, self._clock.now())
            await insert_batches([fresh])
            await TX.query(
                "update redpacket.share set posting_id = $3"
                " where packet_id = $1 and posting_id = $2 and not void",
                packet.packet_id,
                batch.posting_id,
                fresh.posting_id,
            )
        return fresh, shares

    async def _drop(self, batch: BatchRow, code: str, wait: timedelta) -> None:
        await TX.query(
            "update redpacket.batch set status = 'dropped', due_at = $2"
            " where posting_id = $1 and status = 'decided'",
            batch.posting_id,
            self._clock.now() + wait,
        )
        _log.warning("shares_dropped", posting_id=batch.posting_id, code=code)


def _bill(packet: PacketRow, share: ShareRow, posted: Posted) -> Bill:
    return Bill(
        person_id=share.person_id,
        bill_id=packet.packet_id,
        kind="packet_in",
        direction="in",
        counterparty=packet.sender_name,
        amount_fen=share.amount_fen,
        status="succeeded",
        method="balance",
        note=packet.greeting,
        order_id=packet.order_id,
        event_at=share.opened_at,
        settled_at=posted.posted_at,
    )


def _news(packet: PacketRow, shares: Sequence[ShareRow]) -> tuple[News, ...]:
    """Who opened knows; the sender and everybody who looks at the packet learn it."""
    id_ = packet.packet_id
    news = [
        News(f"packet:{id_}", "packet_opened", id_),
        News(f"person:{packet.sender_id}", "packet_opened", id_),
    ]
    if shares[-1].position == packet.count - 1:
        news.append(News(f"packet:{id_}", "packet_ended", id_))
        news.append(News(f"person:{packet.sender_id}", "packet_ended", id_))
    return tuple(news)
