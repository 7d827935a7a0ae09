"""Batches in the database, and where each shop stands."""

from datetime import date, datetime

import msgspec

from backend.db import TX
from backend.sales import SaleSum
from backend.settlement import Batch, rules

_SHOWN = ", ".join(Batch.__struct_fields__)
_BATCH = f"select {_SHOWN} from settlement.batch"  # noqa: S608
_SENT = "batch_id, b.shop_id, s.owner_id, payout_id, b.card_id, sent_fen"


class ShopState(msgspec.Struct, frozen=True):
    shop_id: str
    owner_id: str
    card_id: str
    card_last4: str
    closed_to: date
    filed_to: date


class Sent(msgspec.Struct, frozen=True):
    """A batch on its way."""

    batch_id: str
    shop_id: str
    owner_id: str
    payout_id: str
    card_id: str
    sent_fen: int


class Payable(msgspec.Struct, frozen=True):
    batch_id: str
    shop_id: str
    net_fen: int
    card_id: str
    card_last4: str


_STATE = ", ".join(ShopState.__struct_fields__)


# -- shops --------------------------------------------------------------------------------------


async def state(shop_id: str) -> ShopState | None:
    return await TX.one(
        ShopState,
        f"select {_STATE} from settlement.shop where shop_id = $1",  # noqa: S608
        shop_id,
    )


async def lock_open(shop_id: str, until: date) -> ShopState | None:
    """Locked; None while another worker is at it, or where there is nothing left to close."""
    return await TX.one(
        ShopState,
        f"select {_STATE} from settlement.shop where shop_id = $1 and closed_to < $2 "  # noqa: S608
        "for no key update skip locked",
        shop_id,
        until,
    )


async def open_shops(until: date, after: str, limit: int) -> list[str]:
    rows = await TX.query(
        "select shop_id from settlement.shop where closed_to < $1 and shop_id > $2 "
        "order by shop_id limit $3",
        until,
        after,
        limit,
    )
    return [row["shop_id"] for row in rows]


async def known(shop_ids: list[str]) -> set[str]:
    rows = await TX.query("select shop_id from settlement.shop where shop_id = any($1)", shop_ids)
    return {row["shop_id"] for row in rows}


async def register(shop_id: str, owner_id: str, closed_to: date, filed_to: date) -> None:
    await TX.query(
        "insert into settlement.shop (shop_id, owner_id, closed_to, filed_to) "
        "values ($1, $2, $3, $4) on conflict do nothing",
        shop_id,
        owner_id,
        closed_to,
        filed_to,
    )


async def set_card(shop_id: str, card_id: str, last4: str) -> None:
    await TX.query(
        "update settlement.shop set card_id = $2, card_last4 = $3 where shop_id = $1",
        shop_id,
        card_id,
        last4,
    )


async def closed_to(shop_id: str, day: date) -> None:
    await TX.query("update settlement.shop set closed_to = $2 where shop_id = $1", shop_id, day)


# -- days ---------------------------------------------------------------------------------------


async def nets(shop_id: str, since: date, until: date) -> dict[date, int]:
    """What of each day's sales is in batches; since ≤ day < until."""
    rows = await TX.query(
        "select day, net_fen from settlement.day where shop_id = $1 and day >= $2 and day < $3",
        shop_id,
        since,
        until,
    )
    return {row["day"]: row["net_fen"] for row in rows}


async def note_net(shop_id: str, day: date, net_fen: int) -> None:
    await TX.query(
        "insert into settlement.day values ($1, $2, $3) "
        "on conflict (shop_id, day) do update set net_fen = excluded.net_fen",
        shop_id,
        day,
        net_fen,
    )


# -- batches ------------------------------------------------------------------------------------


async def find(shop_id: str, batch_id: str) -> Batch | None:
    return await TX.one(Batch, f"{_BATCH} where shop_id = $1 and batch_id = $2", shop_id, batch_id)


async def page(shop_id: str, before: date, limit: int) -> list[Batch]:
    return await TX.query_as(
        Batch,
        f"{_BATCH} where shop_id = $1 and day < $2 order by day desc limit $3",
        shop_id,
        before,
        limit,
    )


async def insert(  # noqa: PLR0913 — each by its name
    *, batch_id: str, shop_id: str, day: date, sums: SaleSum, carried_fen: int, books_fen: int,
    now: datetime,
) -> None:  # fmt: skip
    await TX.query(
        "insert into settlement.batch (batch_id, shop_id, day, amount_fen, count, fee_fen, "
        "refund_fen, refunds, returned_fee_fen, carried_fen, net_fen, books_fen, due_on, "
        "created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        batch_id,
        shop_id,
        day,
        sums.amount_fen,
        sums.count,
        sums.fee_fen,
        sums.refund_fen,
        sums.refunds,
        sums.returned_fee_fen,
        carried_fen,
        rules.net_of(sums) + carried_fen,
        books_fen,
        rules.due_on(day),
        now,
    )


async def unpaid_fen(shop_id: str) -> int:
    """Of closed days: what was not paid, is not on its way and is not in a later batch yet."""
    [row] = await TX.query(
        "select coalesce(sum(net_fen - paid_fen), 0)::bigint as fen from settlement.batch "
        "where shop_id = $1 and carried_into = '' and net_fen <> paid_fen "
        "and status <> 'on_its_way'",
        shop_id,
    )
    return int(row["fen"])


async def stuck_fen(shop_id: str) -> int:
    """What was sent out and came back, or could not be sent whole, and is in no later batch."""
    [row] = await TX.query(
        "select coalesce(sum(net_fen - paid_fen), 0)::bigint as fen from settlement.batch "
        "where shop_id = $1 and carried_into = '' and net_fen <> paid_fen "
        "and status in ('returned', 'paid')",
        shop_id,
    )
    return int(row["fen"])


async def carry(shop_id: str, into: str) -> int:
    """Take what earlier batches have left into this one; how much."""
    rows = await TX.query(
        "update settlement.batch set carried_into = $2 where shop_id = $1 and carried_into = '' "
        "and net_fen <> paid_fen and status <> 'on_its_way' returning net_fen - paid_fen as fen",
        shop_id,
        into,
    )
    return sum(row["fen"] for row in rows)


async def payable(limit: int) -> list[Payable]:
    return await TX.query_as(
        Payable,
        "select batch_id, b.shop_id, net_fen, s.card_id, s.card_last4 "
        "from settlement.batch b join settlement.shop s using (shop_id) "
        "where b.status = 'waiting' and carried_into = '' and net_fen > 0 and s.card_id <> '' "
        "order by batch_id limit $1",
        limit,
    )


async def send(batch: Payable, payout_id: str, sent_fen: int) -> bool:
    """From "waiting"; False if it is no longer so, or part of a later batch."""
    moved = await TX.query(
        "update settlement.batch set status = 'on_its_way', payout_id = $2, sent_fen = $3, "
        "card_id = $4, card_last4 = $5 "
        "where batch_id = $1 and status = 'waiting' and carried_into = '' returning batch_id",
        batch.batch_id,
        payout_id,
        sent_fen,
        batch.card_id,
        batch.card_last4,
    )
    return bool(moved)


async def on_their_way(after: str, limit: int) -> list[Sent]:
    return await TX.query_as(
        Sent,
        f"select {_SENT} from settlement.batch b join settlement.shop s using (shop_id) "  # noqa: S608
        "where status = 'on_its_way' and batch_id > $1 order by batch_id limit $2",
        after,
        limit,
    )


async def sent(batch_id: str) -> Sent | None:
    return await TX.one(
        Sent,
        f"select {_SENT} from settlement.batch b join settlement.shop s using (shop_id) "  # noqa: S608
        "where status = 'on_its_way' and batch_id = $1",
        batch_id,
    )


async def paid(batch_id: str, at: datetime) -> bool:
    """From "on_its_way"; False if that was known."""
    moved = await TX.query(
        "update settlement.batch set status = 'paid', paid_fen = sent_fen, paid_at = $2 "
        "where batch_id = $1 and status = 'on_its_way' returning batch_id",
        batch_id,
        at,
    )
    return bool(moved)


async def returned(batch_id: str, code: str) -> bool:
    """From "on_its_way"; False if that was known."""
    moved = await TX.query(
        "update settlement.batch set status = 'returned', refusal_code = $2 "
        "where batch_id = $1 and status = 'on_its_way' returning batch_id",
        batch_id,
        code,
    )
    return bool(moved)
