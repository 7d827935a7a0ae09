"""A year of a big shop's sales, made inside the database: rows, their sums, and statistics."""

from datetime import datetime

import asyncpg

DAYS = 365

Places = tuple[tuple[str, str], ...]  # store and terminal
PLACES: Places = tuple((f"sto_{n % 4:026d}", f"trm_{n:026d}") for n in range(16))

# Ids sort by time, as real ones do. One in forty was refunded, one in fifty expired, one in a
# hundred was cancelled.
_ORDERS = """
insert into sales.sale (sale_id, shop_id, kind, order_id, payment_id, store_id, terminal_id,
    actor_id, code, status, payer_name, amount_fen, fee_fen, refunded_fen, note, journal_seq,
    created_at, ended_at)
select number, $1, 'order', number,
    case when status = 'paid' then 'pay_' || substr(number, 5) else '' end,
    ($5::text[])[1 + n % cardinality($5::text[])], ($6::text[])[1 + n % cardinality($6::text[])],
    'usr_' || lpad((n % 9)::text, 26, '0'), (array['dynamic', 'static', 'shown'])[1 + n % 3],
    status, (array['*安娜', '*丽', '*国强', '*小雨'])[1 + n % 4], amount, amount * 38 / 10000,
    case when n % 40 = 0 and status = 'paid' then amount / 2 else 0 end,
    case when n % 100000 = 7 then '稀客' when n % 50 = 3 then '外带' else '' end,
    case when status = 'paid' then n else 0 end, at, at + interval '9 seconds'
from (
    select n, 'ord_0' || lpad(n::text, 25, '0') as number, 100 + n::bigint * 7919 % 48000 as amount,
        case when n % 50 = 1 then 'expired' when n % 100 = 2 then 'cancelled' else 'paid' end
            as status,
        $3::timestamptz - interval '1 minute'
            - ($2 - n) * (make_interval(days => $4) / $2) as at
    from generate_series(1, $2::int) as n
) as drawn
"""
_REFUNDS = """
insert into sales.sale (sale_id, shop_id, kind, order_id, payment_id, store_id, terminal_id,
    actor_id, code, status, payer_name, amount_fen, fee_fen, note, journal_seq, created_at,
    ended_at)
select 'rfd_' || substr(sale_id, 5), shop_id, 'refund', order_id, payment_id, store_id,
    terminal_id, actor_id, code, 'succeeded', payer_name, refunded_fen, fee_fen / 2, '不要了',
    journal_seq, created_at + interval '20 seconds', created_at + interval '25 seconds'
from sales.sale where shop_id = $1 and refunded_fen > 0
"""
_SUMS = """
insert into sales.quarter as q (shop_id, store_id, at, slot, amount_fen, count, fee_fen, refund_fen,
    refunds, returned_fee_fen)
select shop_id, line, date_bin('15 minutes', ended_at, timestamptz 'epoch'), slot,
    coalesce(sum(amount_fen) filter (where kind = 'order'), 0),
    count(*) filter (where kind = 'order'),
    coalesce(sum(fee_fen) filter (where kind = 'order'), 0),
    coalesce(sum(amount_fen) filter (where kind = 'refund'), 0),
    count(*) filter (where kind = 'refund'),
    coalesce(sum(fee_fen) filter (where kind = 'refund'), 0)
from (
    select *, (abs(hashtext(sale_id)) % 10 = 0)::int as slot from sales.sale where shop_id = $1
) as s,
    unnest(array['', store_id]) as line
where status in ('paid', 'succeeded') group by 1, 2, 3, 4 order by 3, 1, 2, 4
on conflict (shop_id, store_id, at, slot) do update
set amount_fen = q.amount_fen + excluded.amount_fen, count = q.count + excluded.count
"""


async def fill(
    owner_url: str, shop_id: str, orders: int, until: datetime, places: Places = PLACES
) -> None:
    """owner_url: of the role that owns the tables; the service's role may not analyze them."""
    stores, terminals = zip(*places, strict=True)
    owner = await asyncpg.connect(owner_url, server_settings={"statement_timeout": "0"})
    try:
        await owner.execute("set timezone = 'UTC'")
        await owner.execute(_ORDERS, shop_id, orders, until, DAYS, stores, terminals)
        await owner.execute(_REFUNDS, shop_id)
        await owner.execute(_SUMS, shop_id)
        await owner.execute("analyze sales.sale")
        await owner.execute("analyze sales.quarter")
    finally:
        await owner.close()
