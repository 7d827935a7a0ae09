"""Withdrawals in the database: one row each, and the one statement that moves its state."""

from datetime import datetime

import msgspec

from backend.banking import StartWithdrawal, Withdrawal
from backend.banking.rows import CLAIM, PATIENCE, RETRY
from backend.banking.withdrawal_rules import FeeLine, Times
from backend.bankleave import Order
from backend.db import TX

_COLUMNS = (
    "withdrawal_id, w.person_id, w.card_id, amount_fen, fee_fen, speed, w.status, refusal_code, "
    "nonce, verdict, word, disputed, release, w.created_at, confirm_by, hand_over_at, deadline_at, "
    "posted_at, ended_at, token, bank_name, last4"
)
_SELECT = f"select {_COLUMNS} from banking.withdrawal w join banking.card c using (card_id)"  # noqa: S608


class WithdrawalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A withdrawal with its card's token and names."""

    withdrawal_id: str
    person_id: str
    card_id: str
    amount_fen: int
    fee_fen: int
    speed: str
    status: str
    refusal_code: str
    nonce: bytes
    verdict: bytes | None
    word: bytes | None
    disputed: str
    release: str
    created_at: datetime
    confirm_by: datetime
    hand_over_at: datetime
    deadline_at: datetime
    posted_at: datetime | None
    ended_at: datetime | None
    token: str
    bank_name: str
    last4: str

    @property
    def on_card_fen(self) -> int:
        return self.amount_fen - self.fee_fen

    @property
    def order(self) -> Order:
        return Order(self.withdrawal_id, self.token, self.person_id, self.on_card_fen)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What changes with the state."""

    to: str
    refusal_code: str = ""
    verdict: bytes | None = None
    posted_at: datetime | None = None
    ended_at: datetime | None = None
    next_try_at: datetime | None = None


async def find(withdrawal_id: str) -> WithdrawalRow | None:
    return await TX.one(WithdrawalRow, f"{_SELECT} where withdrawal_id = $1", withdrawal_id)


async def newest(person_id: str, before: tuple[datetime, str], limit: int) -> list[WithdrawalRow]:
    """Those that their person has agreed to."""
    return await TX.query_as(
        WithdrawalRow,
        f"{_SELECT} where w.person_id = $1 and verdict is not null "
        "and (w.created_at, withdrawal_id) < ($2, $3) "
        "order by w.created_at desc, withdrawal_id desc limit $4",
        person_id,
        *before,
        limit,
    )


async def unconfirmed(person_id: str, now: datetime) -> int:
    [row] = await TX.query(
        "select count(*) as waiting from banking.withdrawal "
        "where person_id = $1 and status = 'created' and confirm_by > $2",
        person_id,
        now,
    )
    return int(row["waiting"])


async def fee_line(speed: str, now: datetime) -> FeeLine:
    line = await TX.one(
        FeeLine,
        "select bps, min_fen, max_fen from banking.withdrawal_fee "
        "where speed = $1 and since <= $2 order by since desc limit 1",
        speed,
        now,
    )
    return line or FeeLine(0, 0, None)


async def insert(
    start: StartWithdrawal, fee_fen: int, nonce: bytes, at: Times, now: datetime
) -> None:
    """Nothing if the id is there already."""
    await TX.query(
        "insert into banking.withdrawal (withdrawal_id, person_id, card_id, amount_fen, fee_fen, "
        "speed, nonce, created_at, confirm_by, hand_over_at, deadline_at, next_try_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $9) "
        "on conflict (withdrawal_id) do nothing",
        start.withdrawal_id,
        start.person_id,
        start.card_id,
        start.amount_fen,
        fee_fen,
        start.speed,
        nonce,
        now,
        at.confirm_by,
        at.hand_over_at,
        at.deadline_at,
    )


async def move(row: WithdrawalRow, change: Move, now: datetime) -> bool:
    """The only way its state changes; False if it is no longer as the caller saw it."""
    moved = await TX.query(
        "update banking.withdrawal set status = $3, refusal_code = $4, "
        "verdict = coalesce($5, verdict), posted_at = coalesce($6, posted_at), ended_at = $7, "
        "next_try_at = $8, release = case when $3 = 'refused' then 'due' else release end "
        "where withdrawal_id = $1 and status = $2 returning withdrawal_id",
        row.withdrawal_id,
        row.status,
        change.to,
        change.refusal_code,
        change.verdict,
        change.posted_at,
        change.ended_at,
        change.next_try_at or now + PATIENCE,
    )
    return bool(moved)


async def released(withdrawal_id: str) -> None:
    await TX.query(
        "update banking.withdrawal set release = 'done' "
        "where withdrawal_id = $1 and release = 'due'",
        withdrawal_id,
    )


async def locked(withdrawal_id: str) -> WithdrawalRow | None:
    """Inside a transaction: the row, which nobody else changes until its end."""
    await TX.query(
        "select 1 from banking.withdrawal where withdrawal_id = $1 for no key update",
        withdrawal_id,
    )
    return await find(withdrawal_id)


async def note_word(withdrawal_id: str, word: bytes, now: datetime) -> None:
    """What the bank has decided; the books follow."""
    await TX.query(
        "update banking.withdrawal set word = $2, next_try_at = $3 "
        "where withdrawal_id = $1 and status = 'posted' and word is null",
        withdrawal_id,
        word,
        now + PATIENCE,
    )


async def dispute(withdrawal_id: str, was: str, to: str, now: datetime) -> bool:
    """Of a returned one that the bank has paid all the same. False if it has moved on."""
    moved = await TX.query(
        "update banking.withdrawal set disputed = $3, next_try_at = $4 "
        "where withdrawal_id = $1 and disputed = $2 returning withdrawal_id",
        withdrawal_id,
        was,
        to,
        now + PATIENCE,
    )
    return bool(moved)


async def put_off(withdrawal_id: str, deadline_at: datetime) -> None:
    """Of one that waits for its hand-over."""
    await TX.query(
        "update banking.withdrawal set deadline_at = greatest(deadline_at, $2) "
        "where withdrawal_id = $1 and status = 'posted' and word is null",
        withdrawal_id,
        deadline_at,
    )


async def claim(now: datetime) -> list[WithdrawalRow]:
    """What is to be driven on now; the same rows come again after RETRY."""
    claimed = await TX.query(
        "update banking.withdrawal set next_try_at = $2 where withdrawal_id in ("
        "select withdrawal_id from banking.withdrawal where next_try_at <= $1 and (status in "
        "('created', 'authorized', 'posted') or disputed = 'due' or release = 'due') "
        "order by next_try_at limit $3 for no key update skip locked) returning withdrawal_id",
        now,
        now + RETRY,
        CLAIM,
    )
    ids = [record["withdrawal_id"] for record in claimed]
    return await TX.query_as(WithdrawalRow, f"{_SELECT} where withdrawal_id = any($1)", ids)


def shown(row: WithdrawalRow) -> Withdrawal:
    return Withdrawal(**{name: getattr(row, name) for name in Withdrawal.__struct_fields__})
