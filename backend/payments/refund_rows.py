"""Rows of refunds, and the one function that changes their status.

Every change of a refund locks its payment first; that is where concurrent refunds meet.
"""

from datetime import datetime

import msgspec

from backend.db import TX
from backend.errors import DomainError, from_wire, to_wire
from backend.errors import Refusal as WireRefusal
from backend.intent import Intent
from backend.payments import Refund
from backend.verdict import SignedVerdict

REFUND_MOVES = frozenset(
    {
        ("created", "created"),  # tried again: only the deadline changes
        ("created", "authorized"),
        ("created", "refused"),
        ("authorized", "authorized"),
        ("authorized", "posted"),
        ("authorized", "refused"),
    }
)


class RefundRow(Refund, frozen=True, kw_only=True):
    """intent, verdict, refusal: msgpack, as they were given or answered."""

    intent: bytes
    verdict: bytes | None
    refusal: bytes | None
    deadline_at: datetime

    def asked(self) -> Intent:
        return msgspec.msgpack.decode(self.intent, type=Intent)

    def leave(self) -> SignedVerdict:
        assert self.verdict is not None, "only a refund that was authorized has a verdict"
        return msgspec.msgpack.decode(self.verdict, type=SignedVerdict)

    def why_refused(self) -> DomainError:
        assert self.refusal is not None, "only a refused refund has a refusal"
        return from_wire(msgspec.msgpack.decode(self.refusal, type=WireRefusal))


_REFUND = ", ".join(RefundRow.__struct_fields__)
_NEW = (
    "refund_id, payment_id, order_id, shop_id, payer_id, actor_id, amount_fen, fee_fen, reason,"
    " reversal, intent, created_at, deadline_at"
)


class RefundMove(msgspec.Struct, frozen=True, kw_only=True):
    """What changes along with a refund's status; None leaves a column as it is."""

    leaves: str
    enters: str
    deadline_at: datetime | None = None
    verdict: SignedVerdict | None = None
    refusal: DomainError | None = None
    posted_at: datetime | None = None
    journal_seq: int | None = None


async def find_refund(refund_id: str) -> RefundRow | None:
    return await TX.one(
        RefundRow,
        f"select {_REFUND} from payments.refund where refund_id = $1",  # noqa: S608
        refund_id,
    )


async def refund_now(row: RefundRow) -> RefundRow:
    current = await find_refund(row.refund_id)
    assert current is not None, "refunds are never deleted"
    return current


async def refunds_of(payment_id: str) -> list[RefundRow]:
    """Oldest first."""
    return await TX.query_as(
        RefundRow,
        f"select {_REFUND} from payments.refund where payment_id = $1"  # noqa: S608
        " order by created_at, refund_id",
        payment_id,
    )


async def under_way(payment_id: str, but: str) -> bool:
    """Whether another refund of the payment has a verdict that is not posted yet."""
    return bool(
        await TX.query(
            "select 1 from payments.refund"
            " where payment_id = $1 and status = 'authorized' and refund_id <> $2",
            payment_id,
            but,
        )
    )


async def insert_refund(row: RefundRow) -> bool:
    """Whether it is new."""
    names = _NEW.split(", ")
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    rows = await TX.query(
        f"insert into payments.refund ({_NEW}) values ({places})"  # noqa: S608
        " on conflict do nothing returning refund_id",
        *(getattr(row, name) for name in names),
    )
    return bool(rows)


async def move_refund(refund_id: str, move: RefundMove) -> RefundRow | None:
    """The refund in its new state; None if it was not in `move.leaves` any more."""
    assert (move.leaves, move.enters) in REFUND_MOVES, f"no way {move.leaves} to {move.enters}"
    pack = msgspec.msgpack.encode
    return await TX.one(
        RefundRow,
        "update payments.refund set status = $3, deadline_at = coalesce($4, deadline_at),"  # noqa: S608
        " verdict = coalesce($5, verdict), refusal_code = coalesce($6, refusal_code),"
        " refusal = coalesce($7, refusal), posted_at = coalesce($8, posted_at),"
        " journal_seq = coalesce($9, journal_seq)"
        f" where refund_id = $1 and status = $2 returning {_REFUND}",
        refund_id,
        move.leaves,
        move.enters,
        move.deadline_at,
        pack(move.verdict) if move.verdict else None,
        move.refusal.code if move.refusal else None,
        pack(to_wire(move.refusal)) if move.refusal else None,
        move.posted_at,
        move.journal_seq,
    )
