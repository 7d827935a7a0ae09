"""Orders, payments, the accounts people own, and the sums of shops' days."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000005"
VERSION = "1.38.0"
DESCRIPTION = "orders and payments"

# The triggers repeat the state machines of the code: whoever goes around it, stays inside them.
SQL = """
create schema payments;

create table payments.orders (
    order_id text collate "C" primary key,
    shop_id text collate "C" not null,
    owner_id text collate "C" not null,
    payee_name text not null,
    amount_fen bigint not null,
    note text not null,
    status text collate "C" not null default 'open',
    created_at timestamptz not null,
    expires_at timestamptz not null,
    paid_at timestamptz,
    payment_id text collate "C",
    claimed_until timestamptz,
    constraint orders_amount check (amount_fen between 1 and 10000000000),
    constraint orders_life check (expires_at > created_at),
    constraint orders_status
        check (status in ('open', 'paying', 'paid', 'expired', 'cancelled')),
    constraint orders_claim check (
        (status in ('paying', 'paid')) = (payment_id is not null)
        and (status = 'paying') = (claimed_until is not null)
        and (status = 'paid') = (paid_at is not null))
) with (fillfactor = 70);
create index orders_due on payments.orders (expires_at) where status in ('open', 'paying');

create function payments.order_moves() returns trigger language plpgsql as $$
begin
    if (new.order_id, new.shop_id, new.owner_id, new.payee_name, new.amount_fen, new.expires_at)
        is distinct from
        (old.order_id, old.shop_id, old.owner_id, old.payee_name, old.amount_fen, old.expires_at)
    then
        raise exception 'order %: what was asked for can not be changed', old.order_id;
    end if;
    if not (old.status, new.status) in (
        ('open', 'paying'), ('open', 'expired'), ('open', 'cancelled'),
        ('paying', 'paying'), ('paying', 'open'), ('paying', 'paid'))
    then
        raise exception 'order %: no way from % to %', old.order_id, old.status, new.status;
    end if;
    return new;
end $$;
create trigger order_moves before update on payments.orders
    for each row execute function payments.order_moves();

create table payments.payment (
    payment_id text collate "C" primary key,
    order_id text collate "C" not null
        references payments.orders on delete restrict on update restrict,
    payer_id text collate "C" not null,
    payer_name text not null,
    owner_id text collate "C" not null,
    shop_id text collate "C" not null,
    payee_name text not null,
    amount_fen bigint not null,
    fee_fen bigint not null,
    note text not null,
    intent bytea not null,
    verdict bytea,
    level text collate "C" not null default '',
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    refusal bytea,
    event_at timestamptz not null,
    created_at timestamptz not null,
    deadline_at timestamptz not null,
    posted_at timestamptz,
    journal_seq bigint,
    constraint payment_amount
        check (amount_fen between 1 and 10000000000 and fee_fen between 0 and amount_fen),
    constraint payment_level check (level in ('', 'A', 'B', 'C', 'D')),
    constraint payment_status check (status in ('created', 'authorized', 'posted', 'refused')),
    constraint payment_state check (case status
        when 'created' then verdict is null and journal_seq is null and refusal_code = ''
        when 'authorized' then verdict is not null and level <> '' and journal_seq is null
        when 'posted' then verdict is not null and level <> ''
            and journal_seq is not null and posted_at is not null and refusal_code = ''
        else refusal_code <> '' and refusal is not null and journal_seq is null end)
) with (fillfactor = 70);
create unique index payment_one_per_order on payments.payment (order_id)
    where status in ('authorized', 'posted');
create index payment_due on payments.payment (deadline_at)
    where status in ('created', 'authorized');
create index payment_of_shop on payments.payment (shop_id, event_at desc, payment_id desc)
    where status = 'posted';

create function payments.payment_moves() returns trigger language plpgsql as $$
begin
    if (new.payment_id, new.order_id, new.payer_id, new.shop_id, new.amount_fen, new.fee_fen,
        new.intent, new.event_at) is distinct from
       (old.payment_id, old.order_id, old.payer_id, old.shop_id, old.amount_fen, old.fee_fen,
        old.intent, old.event_at)
    then
        raise exception 'payment %: its intent can not be changed', old.payment_id;
    end if;
    if not (old.status, new.status) in (
        ('created', 'created'), ('created', 'authorized'), ('created', 'refused'),
        ('authorized', 'authorized'), ('authorized', 'posted'), ('authorized', 'refused'))
    then
        raise exception 'payment %: no way from % to %', old.payment_id, old.status, new.status;
    end if;
    return new;
end $$;
create trigger payment_moves before update on payments.payment
    for each row execute function payments.payment_moves();

create table payments.account (
    account_id text collate "C" primary key,
    person_id text collate "C" not null,
    opened boolean not null default false,
    frozen boolean not null default false,
    frozen_in_books boolean not null default false
);
create index account_of_person on payments.account (person_id);
create index account_due on payments.account (account_id)
    where not opened or frozen or frozen_in_books;

create table payments.shop_day (
    shop_id text collate "C" not null,
    day date not null,
    slot smallint not null,
    amount_fen bigint not null,
    count bigint not null,
    primary key (shop_id, day, slot)
) with (fillfactor = 50);

grant usage on schema payments to yipay_app;
grant select, insert, update on all tables in schema payments to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
