"""Writing sales, in the transaction of the change, and adding to the sums what has become final."""

from datetime import datetime

import asyncpg

from backend.db import TX
from backend.sales import Sale

SLOTS = 8  # rows per quarter of an hour, so that busy tills don't wait for each other

_FIELDS = tuple(f for f in Sale.__struct_fields__ if f not in ("refunded_fen", "tries"))
_TYPES = {
    "amount_fen": "bigint",
    "fee_fen": "bigint",
    "journal_seq": "bigint",
    "created_at": "timestamptz",
    "ended_at": "timestamptz",
}
_ARRAYS = ", ".join(f"${n}::{_TYPES.get(name, 'text')}[]" for n, name in enumerate(_FIELDS, 1))
_COLUMNS = ", ".join(_FIELDS)
_SUMS = ("amount_fen", "count", "fee_fen", "refund_fen", "refunds", "returned_fee_fen", "refused")
_ADD = ", ".join(f"{name} = q.{name} + excluded.{name}" for name in _SUMS)
# A shop's own line and its store's.
_LINES = "unnest(case when store_id = '' then array[''] else array['', store_id] end) as line"
_QUARTER = "date_bin('15 minutes', {at}, timestamptz 'epoch')"

# The first slot that no other transaction of a shop is writing: one row per quarter where tills
# take turns, more only where they meet. Where even these are taken, one waits.
_SLOT = f"""coalesce(
    (select n from generate_series(0, {SLOTS - 1}) as n
        where pg_try_advisory_xact_lock(hashtext('sales ' || {{shop}}), n) limit 1),
    pg_backend_pid() % {SLOTS})"""  # noqa: S608

# Rows and sums are written in the order of their keys: two calls never wait for each other in turn.
_RECORD = f"""
with put as (
    insert into sales.sale as s ({_COLUMNS})
    select * from unnest({_ARRAYS}) as given({_COLUMNS}) order by sale_id
    on conflict (sale_id, shop_id) do update
    set payment_id = excluded.payment_id, payer_name = excluded.payer_name,
        status = excluded.status, fee_fen = excluded.fee_fen, note = excluded.note,
        journal_seq = excluded.journal_seq, ended_at = excluded.ended_at
    where s.status in ('open', 'pending') and s.status <> excluded.status
    returning *
), free as materialized (
    select shop_id, {_SLOT.format(shop="shop_id")} as slot
    from (select distinct shop_id from put) as shops
), summed as (
    insert into sales.quarter as q (shop_id, store_id, at, slot, {", ".join(_SUMS[:-1])})
    select shop_id, line, {_QUARTER.format(at="ended_at")}, slot,
        coalesce(sum(amount_fen) filter (where kind = 'order'), 0),
        count(*) filter (where kind = 'order'),
        coalesce(sum(fee_fen) filter (where kind = 'order'), 0),
        coalesce(sum(amount_fen) filter (where kind = 'refund'), 0),
        count(*) filter (where kind = 'refund'),
        coalesce(sum(fee_fen) filter (where kind = 'refund'), 0)
    from put join free using (shop_id), {_LINES} where status in ('paid', 'succeeded')
    group by 1, 2, 3, 4 order by 1, 2, 3
    on conflict (shop_id, store_id, at, slot) do update set {_ADD}
)
select shop_id, order_id, sum(amount_fen)::bigint as refunded_fen from put
where kind = 'refund' and status = 'succeeded' group by 1, 2 order by 2
"""  # noqa: S608

_LOCK_ORDERS = (
    "select 1 from sales.sale where sale_id = any($1::text[]) and kind = 'order'"
    " order by sale_id for no key update"
)
_REFUNDED = (
    "update sales.sale as s set refunded_fen = s.refunded_fen + given.refunded_fen"
    " from unnest($1::text[], $2::text[], $3::bigint[]) as given(shop_id, order_id, refunded_fen)"
    " where s.sale_id = given.order_id and s.shop_id = given.shop_id and s.kind = 'order'"
)
_REFUSED = f"""
with tried as (
    update sales.sale set tries = tries + 1 where sale_id = $1 and kind = 'order'
    returning shop_id, store_id
)
insert into sales.quarter as q (shop_id, store_id, at, slot, refused)
select shop_id, line, {_QUARTER.format(at="$2")}, {_SLOT.format(shop="shop_id")}, 1
from tried, {_LINES} order by line
on conflict (shop_id, store_id, at, slot) do update set {_ADD}
"""  # noqa: S608


async def record(sales: tuple[Sale, ...]) -> None:
    assert TX.current_transaction.get(), "sales belong to the transaction of the change"
    if not sales:
        return
    # An order before the sums, as a payment takes them: the two never wait for each other in turn.
    refunded = sorted({sale.order_id for sale in sales if sale.kind == "refund"})
    if refunded:
        await TX.query(_LOCK_ORDERS, refunded)
    columns = [[getattr(sale, name) for sale in sales] for name in _FIELDS]
    await _add_refunds(await TX.query(_RECORD, *columns))


async def _add_refunds(rows: list[asyncpg.Record]) -> None:
    if rows:
        names = ("shop_id", "order_id", "refunded_fen")
        await TX.query(_REFUNDED, *([row[name] for row in rows] for name in names))


async def refused(order_id: str, at: datetime) -> None:
    assert TX.current_transaction.get(), "sales belong to the transaction of the change"
    await TX.query(_REFUSED, order_id, at)
