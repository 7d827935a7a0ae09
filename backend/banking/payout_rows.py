"""Payouts in the database: one row each, and the one statement that moves its state."""

from datetime import datetime

import msgspec

from backend.banking import TRANSIT_LIFE, CardNotBound, CardNotProven, Payout, StartPayout
from backend.banking.rows import CLAIM, PATIENCE, RETRY
from backend.bankleave import Order
from backend.db import TX
from backend.errors import NotFound

_COLUMNS = (
    "payout_id, shop_id, owner_id, p.card_id, amount_fen, p.status, refusal_code, nonce, word, "
    "disputed, p.created_at, deadline_at, ended_at, token, bank_name, last4"
)
_SELECT = f"select {_COLUMNS} from banking.payout p join banking.card c using (card_id)"  # noqa: S608


class PayoutRow(msgspec.Struct, frozen=True, kw_only=True):
    """A payout with its card's token and names. word: of a "posted" one, what is to be booked."""

    payout_id: str
    shop_id: str
    owner_id: str
    card_id: str
    amount_fen: int
    status: str
    refusal_code: str
    nonce: bytes
    word: bytes | None
    disputed: str
    created_at: datetime
    deadline_at: datetime
    ended_at: datetime | None
    token: str
    bank_name: str
    last4: str

    @property
    def order(self) -> Order:
        return Order(self.payout_id, self.token, self.shop_id, self.amount_fen)

    @property
    def hand_over_at(self) -> datetime:
        return self.created_at


async def find(payout_id: str) -> PayoutRow | None:
    return await TX.one(PayoutRow, f"{_SELECT} where payout_id = $1", payout_id)


async def check_card(person_id: str, card_id: str) -> None:
    """It may be paid to. Refuses: NotFound (not the person's), CardNotBound, CardNotProven."""
    rows = await TX.query(
        "select status, proven from banking.card where card_id = $1 and person_id = $2",
        card_id,
        person_id,
    )
    if not rows:
        raise NotFound()
    if rows[0]["status"] != "bound":
        raise CardNotBound()
    if not rows[0]["proven"]:
        raise CardNotProven()


async def insert(start: StartPayout, nonce: bytes, now: datetime) -> bool:
    """False if the id is there already."""
    made = await TX.query(
        "insert into banking.payout (payout_id, shop_id, owner_id, card_id, amount_fen, nonce, "
        "created_at, deadline_at, next_try_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "on conflict (payout_id) do nothing returning payout_id",
        start.payout_id,
        start.shop_id,
        start.owner_id,
        start.card_id,
        start.amount_fen,
        nonce,
        now,
        now + TRANSIT_LIFE,
        now + PATIENCE,
    )
    return bool(made)


async def move(row: PayoutRow, to: str, now: datetime, refusal_code: str = "") -> bool:
    """The only way a payout changes its state; False if it is no longer as the caller saw it."""
    moved = await TX.query(
        "update banking.payout set status = $3, refusal_code = $4, next_try_at = $5, "
        "ended_at = case when $3 = 'posted' then null else $6::timestamptz end "
        "where payout_id = $1 and status = $2 returning payout_id",
        row.payout_id,
        row.status,
        to,
        refusal_code,
        now + PATIENCE,
        now,
    )
    return bool(moved)


async def locked(payout_id: str) -> PayoutRow | None:
    """Inside a transaction: the row, which nobody else changes until its end."""
    await TX.query("select 1 from banking.payout where payout_id = $1 for no key update", payout_id)
    return await find(payout_id)


async def note_word(payout_id: str, word: bytes, now: datetime) -> None:
    """What the bank has decided; the books follow."""
    await TX.query(
        "update banking.payout set word = $2, next_try_at = $3 "
        "where payout_id = $1 and status = 'posted' and word is null",
        payout_id,
        word,
        now + PATIENCE,
    )


async def dispute(payout_id: str, was: str, to: str, now: datetime) -> bool:
    """Of a returned payout that the bank has paid all the same. False if it has moved on."""
    moved = await TX.query(
        "update banking.payout set disputed = $3, next_try_at = $4 "
        "where payout_id = $1 and disputed = $2 returning payout_id",
        payout_id,
        was,
        to,
        now + PATIENCE,
    )
    return bool(moved)


async def claim(now: datetime) -> list[PayoutRow]:
    """What is to be driven on now; the same rows come again after RETRY."""
    claimed = await TX.query(
        "update banking.payout set next_try_at = $2 where payout_id in ("
        "select payout_id from banking.payout where next_try_at <= $1 "
        "and (status in ('created', 'posted') or disputed = 'due') "
        "order by next_try_at limit $3 for no key update skip locked) returning payout_id",
        now,
        now + RETRY,
        CLAIM,
    )
    ids = [record["payout_id"] for record in claimed]
    return await TX.query_as(PayoutRow, f"{_SELECT} where payout_id = any($1)", ids)


def shown(row: PayoutRow) -> Payout:
    return Payout(
        payout_id=row.payout_id,
        shop_id=row.shop_id,
        card_id=row.card_id,
        last4=row.last4,
        amount_fen=row.amount_fen,
        status=row.status,
        refusal_code=row.refusal_code,
        created_at=row.created_at,
        deadline_at=row.deadline_at,
        ended_at=row.ended_at,
    )
