"""Rows of transfers, and the one function that changes a status."""

from datetime import datetime, timedelta

import msgspec

from backend.db import TX
from backend.transfers import Transfer

MOVES = frozenset(
    {
        ("created", "arrived"),
        ("created", "waiting"),
        ("created", "refused"),
        ("created", "lapsed"),
        ("waiting", "arrived"),
        ("waiting", "recalled"),
    }
)
RETRY = timedelta(seconds=20)  # until what was tried is tried again
MAX_SWEPT = 200


class TransferRow(Transfer, frozen=True, kw_only=True):
    """asked_id: how the payer named the payee, by a number's id too. nonce: of the intents that end
    a delayed one; recalls, arrivals: how many of either were refused by the books for good, whose
    ids are spent. end_intent: msgpack, of the recall or arrival that is under way."""

    order_id: str
    asked_id: str
    next_try_at: datetime
    nonce: bytes
    recalls: int = 0
    arrivals: int = 0
    end_intent: bytes | None = None

    def shown(self) -> Transfer:
        """Without what stays inside."""
        return Transfer(**{name: getattr(self, name) for name in Transfer.__struct_fields__})


COLUMNS = ", ".join(TransferRow.__struct_fields__)
_NEW = (
    "transfer_id",
    "payment_id",
    "order_id",
    "payer_id",
    "payee_id",
    "asked_id",
    "payer_name",
    "payee_name",
    "amount_fen",
    "note",
    "request_id",
    "created_at",
    "arrives_at",
    "next_try_at",
    "nonce",
)


async def insert(row: TransferRow) -> bool:
    """Whether it is new; False too if its payment's id was used."""
    places = ", ".join(f"${n}" for n in range(1, len(_NEW) + 1))
    made = await TX.query(
        f"insert into transfers.transfer ({', '.join(_NEW)}) values ({places})"  # noqa: S608
        " on conflict do nothing returning transfer_id",
        *(getattr(row, name) for name in _NEW),
    )
    return bool(made)


async def find(transfer_id: str) -> TransferRow | None:
    return await TX.one(
        TransferRow,
        f"select {COLUMNS} from transfers.transfer where transfer_id = $1",  # noqa: S608
        transfer_id,
    )


async def by_payment(payment_id: str) -> TransferRow | None:
    return await TX.one(
        TransferRow,
        f"select {COLUMNS} from transfers.transfer where payment_id = $1",  # noqa: S608
        payment_id,
    )


async def waiting(person_id: str) -> list[TransferRow]:
    """On their way, those that arrive first first."""
    return await TX.query_as(
        TransferRow,
        f"select {COLUMNS} from transfers.transfer"  # noqa: S608
        " where status = 'waiting' and (payer_id = $1 or payee_id = $1)"
        " order by arrives_at, transfer_id limit 100",
        person_id,
    )


async def move(row: TransferRow, to: str, at: datetime, refusal_code: str = "") -> bool:
    """False if it was not in `row.status` any more."""
    assert (row.status, to) in MOVES, f"no way {row.status} to {to}"
    moved = await TX.query(
        "update transfers.transfer set status = $3, refusal_code = $4, end_intent = null,"
        " ended_at = case $3 when 'waiting' then null else $5::timestamptz end,"
        " next_try_at = case $3 when 'waiting' then arrives_at else next_try_at end"
        " where transfer_id = $1 and status = $2 returning transfer_id",
        row.transfer_id,
        row.status,
        to,
        refusal_code,
        at,
    )
    return bool(moved)


async def begin_end(row: TransferRow, intent: bytes, next_try_at: datetime) -> TransferRow | None:
    """Note the recall or the arrival that is tried now: one at a time. None if it is another's
    turn, or it has ended."""
    return await TX.one(
        TransferRow,
        "update transfers.transfer set end_intent = $2, next_try_at = $3"  # noqa: S608
        " where transfer_id = $1 and status = 'waiting' and end_intent is null"
        f" returning {COLUMNS}",
        row.transfer_id,
        intent,
        next_try_at,
    )


async def drop_end(row: TransferRow, *, spent: str, next_try_at: datetime) -> None:
    """It came to nothing. spent: "recalls" or "arrivals" whose id the books have refused, or ""."""
    assert spent in ("", "recalls", "arrivals")
    await TX.query(
        "update transfers.transfer set end_intent = null, next_try_at = $3,"
        " recalls = recalls + ($4 = 'recalls')::int, arrivals = arrivals + ($4 = 'arrivals')::int"
        " where transfer_id = $1 and status = 'waiting' and end_intent = $2",
        row.transfer_id,
        row.end_intent,
        next_try_at,
        spent,
    )


async def claim_due(now: datetime) -> list[TransferRow]:
    """What is to be looked at now; the same rows come again after RETRY."""
    return await TX.query_as(
        TransferRow,
        "update transfers.transfer set next_try_at = $2 where transfer_id in ("  # noqa: S608
        " select transfer_id from transfers.transfer"
        " where next_try_at <= $1 and status in ('created', 'waiting')"
        " order by next_try_at limit $3 for no key update skip locked)"
        f" returning {COLUMNS}",
        now,
        now + RETRY,
        MAX_SWEPT,
    )


class Pair(msgspec.Struct, frozen=True):
    """What passed between two people."""

    sent: bool  # from the first to the second
    got: bool


async def between(person_id: str, other_id: str) -> Pair:
    kept = "('waiting', 'arrived', 'recalled')"
    found = await TX.one(
        Pair,
        "select exists (select from transfers.transfer where payer_id = $1 and payee_id = $2"  # noqa: S608
        f" and status in {kept}) as sent,"
        " exists (select from transfers.transfer where payer_id = $2 and payee_id = $1"
        f" and status in {kept}) as got",
        person_id,
        other_id,
    )
    assert found is not None, "a query without from has one row"
    return found
