"""Orders by every code, fees as data, refunds, personal receive codes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "codes and refunds"

# charge_id: the one payment that may pay an order by payment code. closed_code: why such an order
# was closed before there was a payment. asked: its payer is asked for a passkey.
# Fees are written by the owner of the schema, never by the service that takes them.
SQL = """
alter table payments.orders
    add column code text collate "C" not null default 'dynamic',
    add column store_id text collate "C" not null default '',
    add column terminal_id text collate "C" not null default '',
    add column opened_by text collate "C" not null default '',
    add column payer_id text collate "C" not null default '',
    add column fee_fen bigint not null default 0,
    add column charge_id text collate "C" not null default '',
    add column closed_code text collate "C" not null default '',
    add column asked boolean not null default false,
    add constraint orders_code check (code in ('dynamic', 'static', 'shown', 'none')),
    add constraint orders_fee check (fee_fen between 0 and amount_fen),
    add constraint orders_charge check (
        (code = 'shown') = (charge_id <> '') and (code = 'shown' or closed_code = '')),
    add constraint orders_asked check (not asked or (code = 'shown' and payer_id <> ''));
create index orders_asked on payments.orders (payer_id, created_at desc)
    where asked and status = 'paying';

create or replace function payments.order_moves() returns trigger language plpgsql as $$
begin
    if (new.order_id, new.payee_id, new.owner_id, new.payee_name, new.amount_fen, new.expires_at,
        new.code, new.store_id, new.terminal_id, new.opened_by, new.fee_fen, new.charge_id)
        is distinct from
       (old.order_id, old.payee_id, old.owner_id, old.payee_name, old.amount_fen, old.expires_at,
        old.code, old.store_id, old.terminal_id, old.opened_by, old.fee_fen, old.charge_id)
        -- whose payment code it was is learnt later, once
        or (new.payer_id <> old.payer_id and (old.payer_id <> '' or old.code <> 'shown'))
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

alter table payments.payment
    add column refunded_fen bigint not null default 0,
    add constraint payment_refunded check (
        refunded_fen between 0 and amount_fen and (refunded_fen = 0 or status = 'posted'));

create or replace function payments.payment_moves() returns trigger language plpgsql as $$
begin
    if old.status = 'posted' and new.status = 'posted' then
        if new.refunded_fen <= old.refunded_fen
            or to_jsonb(new) - 'refunded_fen' is distinct from to_jsonb(old) - 'refunded_fen'
        then
            raise exception 'payment %: no way from posted to posted but by a refund',
                old.payment_id;
        end if;
        return new;
    end if;
    if (new.payment_id, new.order_id, new.payer_id, new.payee_id, new.amount_fen, new.fee_fen,
        new.intent, new.event_at) is distinct from
       (old.payment_id, old.order_id, old.payer_id, old.payee_id, old.amount_fen, old.fee_fen,
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

create table payments.refund (
    refund_id text collate "C" primary key,
    payment_id text collate "C" not null
        references payments.payment on delete restrict on update restrict,
    order_id text collate "C" not null,
    shop_id text collate "C" not null,
    payer_id text collate "C" not null,
    actor_id text collate "C" not null,
    amount_fen bigint not null,
    fee_fen bigint not null,
    reason text not null,
    reversal boolean not null,
    intent bytea not null,
    verdict bytea,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    refusal bytea,
    created_at timestamptz not null,
    deadline_at timestamptz not null,
    posted_at timestamptz,
    journal_seq bigint,
    constraint refund_amount
        check (amount_fen between 1 and 10000000000 and fee_fen between 0 and amount_fen),
    constraint refund_status check (status in ('created', 'authorized', 'posted', 'refused')),
    constraint refund_state check (case status
        when 'created' then verdict is null and journal_seq is null and refusal_code = ''
        when 'authorized' then verdict is not null and journal_seq is null and refusal_code = ''
        when 'posted' then verdict is not null and journal_seq is not null
            and posted_at is not null and refusal_code = ''
        else refusal_code <> '' and refusal is not null and journal_seq is null end)
) with (fillfactor = 70);
create unique index refund_one_under_way on payments.refund (payment_id)
    where status = 'authorized';
create unique index refund_one_reversal on payments.refund (payment_id)
    where reversal and status in ('authorized', 'posted');
create index refund_of_payment on payments.refund (payment_id, created_at);
create index refund_due on payments.refund (deadline_at)
    where status in ('created', 'authorized');

create function payments.refund_moves() returns trigger language plpgsql as $$
begin
    if (new.refund_id, new.payment_id, new.order_id, new.shop_id, new.payer_id, new.actor_id,
        new.amount_fen, new.fee_fen, new.reason, new.reversal, new.intent) is distinct from
       (old.refund_id, old.payment_id, old.order_id, old.shop_id, old.payer_id, old.actor_id,
        old.amount_fen, old.fee_fen, old.reason, old.reversal, old.intent)
    then
        raise exception 'refund %: its intent can not be changed', old.refund_id;
    end if;
    if not (old.status, new.status) in (
        ('created', 'created'), ('created', 'authorized'), ('created', 'refused'),
        ('authorized', 'authorized'), ('authorized', 'posted'), ('authorized', 'refused'))
    then
        raise exception 'refund %: no way from % to %', old.refund_id, old.status, new.status;
    end if;
    return new;
end $$;
create trigger refund_moves before update on payments.refund
    for each row execute function payments.refund_moves();

create table payments.receive_code (
    code_id text collate "C" primary key,
    person_id text collate "C" not null,
    amount_fen bigint,
    note text not null,
    created_at timestamptz not null,
    constraint receive_code_amount check (amount_fen between 1 and 10000000000)
);
create unique index receive_code_plain on payments.receive_code (person_id)
    where amount_fen is null and note = '';
create index receive_code_of_person on payments.receive_code (person_id, created_at);

create table payments.fee (
    shop_id text collate "C" not null default '',
    product text collate "C" not null default '',
    since timestamptz not null,
    until timestamptz,
    bps integer not null,
    min_fen bigint not null default 0,
    max_fen bigint,
    primary key (shop_id, product, since),
    constraint fee_product check (product in ('', 'dynamic', 'static', 'shown')),
    constraint fee_time check (until > since),
    constraint fee_rate check (bps between 0 and 10000),
    constraint fee_bounds check (min_fen >= 0 and max_fen >= min_fen)
);
insert into payments.fee (product, since, bps) values
    ('dynamic', '2020-01-01 00:00+08', 30),
    ('shown', '2020-01-01 00:00+08', 30),
    ('static', '2020-01-01 00:00+08', 20);

grant select, insert, update on payments.refund to yipay_app;
grant select, insert on payments.receive_code to yipay_app;
grant select on payments.fee to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
