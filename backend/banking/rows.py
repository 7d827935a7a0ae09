"""Top-ups in the database: one row each, and the one statement that moves its state."""

from datetime import datetime, timedelta

import msgspec

from backend.banking import TRANSIT_LIFE, StartTopUp, TopUp
from backend.banking.rules import Used, day_start
from backend.db import TX

PATIENCE = timedelta(seconds=12)  # how long whoever moved a top-up is left alone to go on with it
RETRY = timedelta(seconds=12)  # then it is tried again, so often
CLAIM = 100  # rows that one round of the sweeper takes

_COLUMNS = (
    "topup_id, t.person_id, t.card_id, amount_fen, t.status, refusal_code, nonce, word, tries, "
    "reversal, event_at, t.created_at, deadline_at, posted_at, token, bank_name, last4"
)
_SELECT = f"select {_COLUMNS} from banking.topup t join banking.card c using (card_id)"  # noqa: S608


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A top-up with its card's token and names. tries: of asking the bank about it."""

    topup_id: str
    person_id: str
    card_id: str
    amount_fen: int
    status: str
    refusal_code: str
    nonce: bytes
    word: bytes | None
    tries: int
    reversal: str
    event_at: datetime
    created_at: datetime
    deadline_at: datetime
    posted_at: datetime | None
    token: str
    bank_name: str
    last4: str


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What changes with the state. tries: only if it is still the asker's own."""

    to: str
    refusal_code: str = ""
    reversal: str = ""
    word: bytes | None = None
    posted_at: datetime | None = None
    journal_seq: int | None = None
    tries: int | None = None


async def find(topup_id: str) -> Row | None:
    return await TX.one(Row, f"{_SELECT} where topup_id = $1", topup_id)


async def insert(start: StartTopUp, nonce: bytes, now: datetime) -> bool:
    """False if the id is there already."""
    made = await TX.query(
        "insert into banking.topup (topup_id, person_id, card_id, amount_fen, nonce, event_at, "
        "created_at, deadline_at, next_try_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "on conflict (topup_id) do nothing returning topup_id",
        start.topup_id,
        start.person_id,
        start.card_id,
        start.amount_fen,
        nonce,
        start.event_at or now,
        now,
        now + TRANSIT_LIFE,
        now + PATIENCE,
    )
    return bool(made)


async def lock_cards(person_id: str, card_id: str) -> str | None:
    """Lock all cards of a person; the status of that one, None if it is not the person's."""
    cards = await TX.query(
        "select card_id, status from banking.card where person_id = $1 "
        "order by card_id for no key update",
        person_id,
    )
    return next((str(card["status"]) for card in cards if card["card_id"] == card_id), None)


async def used(person_id: str, now: datetime) -> Used:
    """Of one person; the caller holds the person's cards locked."""
    found = await TX.one(
        Used,
        "select coalesce(sum(amount_fen) filter (where created_at >= $2), 0)::bigint as day_fen, "
        "count(*) filter (where status in ('created', 'pending', 'paid')) as in_transit "
        "from banking.topup where person_id = $1 and status <> 'refused' "
        "and (created_at >= $2 or status in ('created', 'pending', 'paid'))",
        person_id,
        day_start(now),
    )
    assert found is not None
    return found


async def move(row: Row, change: Move, now: datetime) -> bool:
    """The only way a top-up changes its state; False if it is no longer as the caller saw it."""
    moved = await TX.query(
        "update banking.topup set status = $3, refusal_code = $4, word = coalesce($5, word), "
        "posted_at = $6, journal_seq = $7, reversal = $8, next_try_at = $9, "
        "tries = tries + (case when $3 = 'pending' then 1 else 0 end) "
        "where topup_id = $1 and status = $2 and tries = coalesce($10, tries) "
        "returning topup_id",
        row.topup_id,
        row.status,
        change.to,
        change.refusal_code,
        change.word,
        change.posted_at,
        change.journal_seq,
        change.reversal,
        now + PATIENCE,
        change.tries,
    )
    return bool(moved)


async def locked(topup_id: str) -> Row | None:
    """Inside a transaction: the row, which nobody else changes until its end."""
    await TX.query("select 1 from banking.topup where topup_id = $1 for no key update", topup_id)
    return await find(topup_id)


async def owe_back(row: Row, word: bytes, now: datetime) -> None:
    """The bank took the money of a refused top-up."""
    await TX.query(
        "update banking.topup set reversal = 'due', word = $2, next_try_at = $3 "
        "where topup_id = $1 and status = 'refused' and reversal = ''",
        row.topup_id,
        word,
        now + PATIENCE,
    )


async def given_back(topup_id: str) -> bool:
    """False if that was known."""
    moved = await TX.query(
        "update banking.topup set reversal = 'returned' "
        "where topup_id = $1 and reversal = 'due' returning topup_id",
        topup_id,
    )
    return bool(moved)


async def claim(now: datetime) -> list[Row]:
    """What is to be driven on now; the same rows come again after RETRY."""
    claimed = await TX.query(
        "update banking.topup set next_try_at = $2, tries = tries + 1 where topup_id in ("
        "select topup_id from banking.topup where next_try_at <= $1 "
        "and (status in ('created', 'pending', 'paid') or reversal = 'due') "
        "order by next_try_at limit $3 for no key update skip locked) returning topup_id",
        now,
        now + RETRY,
        CLAIM,
    )
    ids = [record["topup_id"] for record in claimed]
    return await TX.query_as(Row, f"{_SELECT} where topup_id = any($1)", ids)


def shown(row: Row) -> TopUp:
    return TopUp(
        topup_id=row.topup_id,
        person_id=row.person_id,
        card_id=row.card_id,
        amount_fen=row.amount_fen,
        status=row.status,
        refusal_code=row.refusal_code,
        created_at=row.created_at,
        deadline_at=row.deadline_at,
        posted_at=row.posted_at,
        reversal=row.reversal,
    )
