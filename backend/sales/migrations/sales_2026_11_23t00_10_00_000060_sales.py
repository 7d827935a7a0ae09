"""A shop's orders and refunds as it reads them, sums by the quarter of an hour, saved views."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000060"
VERSION = "1.38.0"
DESCRIPTION = "sales, their sums, saved views"

# Every index of a list ends in the order of the list, so that a page is one walk down one index.
# Statuses that nearly every row has get none: walking the newest rows finds them at once.
# Quarters of an hour, because every zone's offset is a whole number of them: a day in any zone is
# a run of quarters. Several rows per quarter, so that busy tills don't queue for one row lock; the
# shop's own line (store '') is beside those of its stores.
SQL = """
create schema sales;

create table sales.sale (
    sale_id text collate "C" not null,
    shop_id text collate "C" not null,
    kind text collate "C" not null,
    order_id text collate "C" not null,
    payment_id text collate "C" not null,
    store_id text collate "C" not null,
    terminal_id text collate "C" not null,
    actor_id text collate "C" not null,
    code text collate "C" not null,
    status text collate "C" not null,
    payer_name text not null,
    amount_fen bigint not null,
    fee_fen bigint not null,
    refunded_fen bigint not null default 0,
    note text not null,
    journal_seq bigint not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    tries integer not null default 0,
    primary key (sale_id, shop_id),
    constraint sale_amount check (amount_fen > 0 and fee_fen between 0 and amount_fen),
    constraint sale_refunded check (refunded_fen between 0 and amount_fen),
    constraint sale_status check (case kind
        when 'order' then status in ('open', 'paid', 'expired', 'cancelled')
        when 'refund' then status in ('pending', 'succeeded', 'refused') and refunded_fen = 0
        else false end),
    constraint sale_ended check ((status in ('open', 'pending')) = (ended_at is null))
) with (fillfactor = 80);
create index sale_newest on sales.sale (shop_id, created_at desc, sale_id desc);
create index sale_unpaid on sales.sale (shop_id, status, created_at desc, sale_id desc)
    where status <> 'paid';
create index sale_refund on sales.sale (shop_id, created_at desc, sale_id desc)
    where kind = 'refund';
create index sale_refunded on sales.sale (shop_id, created_at desc, sale_id desc)
    where refunded_fen > 0;
create index sale_store on sales.sale (shop_id, store_id, created_at desc, sale_id desc)
    where store_id <> '';
create index sale_terminal on sales.sale (shop_id, terminal_id, created_at desc, sale_id desc)
    where terminal_id <> '';
create index sale_actor on sales.sale (shop_id, actor_id, created_at desc, sale_id desc)
    where actor_id <> '';
create index sale_refund_of on sales.sale (order_id) where kind = 'refund';
create index sale_payment on sales.sale (payment_id) where payment_id <> '';
create index sale_ended on sales.sale (shop_id, ended_at) where status in ('paid', 'succeeded');

create function sales.sale_moves() returns trigger language plpgsql as $$
begin
    if (new.sale_id, new.shop_id, new.kind, new.order_id, new.amount_fen, new.created_at)
        is distinct from
        (old.sale_id, old.shop_id, old.kind, old.order_id, old.amount_fen, old.created_at)
    then
        raise exception 'sale %: what it is about can not be changed', old.sale_id;
    end if;
    if new.status <> old.status and old.status not in ('open', 'pending') then
        raise exception 'sale %: % for good', old.sale_id, old.status;
    end if;
    if new.refunded_fen < old.refunded_fen or new.refunded_fen > 0 and new.status <> 'paid' then
        raise exception 'sale %: no such refund', old.sale_id;
    end if;
    return new;
end $$;
create trigger sale_moves before update on sales.sale
    for each row execute function sales.sale_moves();

create table sales.quarter (
    shop_id text collate "C" not null,
    store_id text collate "C" not null,
    at timestamptz not null,
    slot smallint not null,
    amount_fen bigint not null default 0,
    count bigint not null default 0,
    fee_fen bigint not null default 0,
    refund_fen bigint not null default 0,
    refunds bigint not null default 0,
    returned_fee_fen bigint not null default 0,
    refused bigint not null default 0,
    primary key (shop_id, store_id, at, slot),
    constraint quarter_at check (extract(epoch from at)::bigint % 900 = 0)
) with (fillfactor = 50);

create table sales.view (
    shop_id text collate "C" not null,
    person_id text collate "C" not null,
    view_id text collate "C" not null,
    name text not null,
    query text not null,
    created_at timestamptz not null,
    primary key (shop_id, person_id, view_id)
);

grant usage on schema sales to yipay_app;
grant select, insert, update on sales.sale, sales.quarter to yipay_app;
grant select, insert, update, delete on sales.view to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("sales", ID, DESCRIPTION, SQL)
