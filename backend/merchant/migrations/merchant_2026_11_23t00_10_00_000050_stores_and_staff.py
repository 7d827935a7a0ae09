"""Stores, terminals, staff, what staff did, and what payers ask back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "stores and staff"

SQL = """
alter table merchant.shop
    add column zone text collate "C" not null default 'Asia/Shanghai',
    add column verified boolean not null default false,
    -- whether the security system knows the shop and its owner
    add column founded boolean not null default false,
    drop constraint shop_status,
    add constraint shop_status check (status in ('open', 'closed', 'frozen'));
alter table merchant.shop alter column zone drop default;

create table merchant.store (
    store_id text collate "C" primary key,
    shop_id text collate "C" not null references merchant.shop on delete restrict,
    name text not null,
    address text not null,
    closed boolean not null default false,
    created_at timestamptz not null,
    constraint store_of_shop unique (store_id, shop_id),
    constraint store_name_length check (length(name) between 1 and 32),
    constraint store_address_length check (length(address) <= 100)
);
create index store_by_shop on merchant.store (shop_id, created_at);

create table merchant.terminal (
    terminal_id text collate "C" primary key,
    store_id text collate "C" not null,
    shop_id text collate "C" not null,
    name text not null,
    code_id text collate "C" not null,
    short_code text collate "C" not null,
    closed boolean not null default false,
    created_at timestamptz not null,
    foreign key (store_id, shop_id) references merchant.store (store_id, shop_id)
        on delete restrict,
    constraint terminal_code unique (code_id),
    constraint terminal_short_code unique (short_code),
    constraint terminal_name_length check (length(name) between 1 and 32),
    constraint terminal_short_code_form check (short_code ~ '^[0-9]{8}$')
);
create index terminal_by_store on merchant.terminal (shop_id, store_id, created_at);

-- Who left keeps a row: what they did keeps its name.
create table merchant.member (
    shop_id text collate "C" not null references merchant.shop on delete restrict,
    person_id text collate "C" not null,
    name text not null,
    role text collate "C" not null,
    store_id text collate "C" not null default '',
    joined_at timestamptz not null,
    left_at timestamptz,
    seated_at timestamptz not null,
    primary key (shop_id, person_id),
    constraint member_role check (role in
        ('owner', 'manager', 'finance', 'cashier', 'auditor')),
    constraint member_owner_stays check (role <> 'owner' or left_at is null)
);
create unique index member_one_owner on merchant.member (shop_id) where role = 'owner';
create index member_seats on merchant.member (person_id, seated_at desc) where left_at is null;

create table merchant.invitation (
    invitation_id text collate "C" primary key,
    shop_id text collate "C" not null references merchant.shop on delete restrict,
    role text collate "C" not null,
    store_id text collate "C" not null,
    secret_hash bytea not null,
    person_id text collate "C" not null default '',  -- who began to join with it last
    expires_at timestamptz not null,
    created_at timestamptz not null,
    constraint invitation_secret unique (secret_hash),
    constraint invitation_role check (role in ('manager', 'finance', 'cashier', 'auditor'))
);

create table merchant.act (
    act_id bigint generated always as identity primary key,
    shop_id text collate "C" not null references merchant.shop on delete restrict,
    person_id text collate "C" not null,
    kind text collate "C" not null,
    ref text collate "C" not null,
    at timestamptz not null,
    -- set for what happens once: a call that is repeated records it once
    once text collate "C" unique
);
create index act_by_shop on merchant.act (shop_id, act_id desc);

create function merchant.append_only() returns trigger language plpgsql as $$
begin
    raise exception 'merchant.% is append only', tg_table_name;
end $$;
create trigger act_append_only before update or delete or truncate on merchant.act
    for each statement execute function merchant.append_only();

create table merchant.refund_request (
    request_id text collate "C" primary key,
    shop_id text collate "C" not null references merchant.shop on delete restrict,
    payment_id text collate "C" not null,
    order_id text collate "C" not null,
    payer_id text collate "C" not null,
    amount_fen bigint not null,
    reason text not null,
    status text collate "C" not null default 'open',
    answer text not null default '',
    created_at timestamptz not null,
    ended_at timestamptz,
    constraint refund_request_amount check (amount_fen > 0),
    constraint refund_request_reason_length check (length(reason) between 1 and 200),
    constraint refund_request_answer_length check (length(answer) <= 64),
    constraint refund_request_status check (status in ('open', 'granted', 'declined')),
    constraint refund_request_end check ((status = 'open') = (ended_at is null))
);
create unique index refund_request_one_open on merchant.refund_request (payment_id)
    where status = 'open';
create index refund_request_open on merchant.refund_request (shop_id, created_at)
    where status = 'open';
create index refund_request_by_payment on merchant.refund_request (payment_id, created_at desc);

grant select, insert, update on
    merchant.store, merchant.terminal, merchant.member, merchant.invitation,
    merchant.refund_request to yipay_app;
grant select, insert on merchant.act to yipay_app;
"""


# Shops that are older than stores get what a new one gets.
BACKFILL = """
create function merchant.check_digit(digits text) returns text language sql immutable as $$
    select ((10 - sum(case when n % 2 = 1 then (2 * d) / 10 + (2 * d) % 10 else d end) % 10) % 10)
        ::text
    from (select n, substr(digits, length(digits) + 1 - n, 1)::int as d
          from generate_series(1, length(digits)) as n) as digit
$$;

insert into merchant.store (store_id, shop_id, name, address, created_at)
    select 'sto_' || right(shop_id, 26), shop_id, name, '', created_at from merchant.shop;

do $$
declare
    old record;
    digits text;
begin
    for old in select * from merchant.shop loop
        loop
            digits := lpad((('x' || substr(md5(gen_random_uuid()::text), 1, 8))::bit(32)::bigint
                % 10000000)::text, 7, '0');
            digits := digits || merchant.check_digit(digits);
            exit when not exists (select from merchant.terminal where short_code = digits);
        end loop;
        insert into merchant.terminal
            (terminal_id, store_id, shop_id, name, code_id, short_code, created_at)
            values ('trm_' || right(old.shop_id, 26), 'sto_' || right(old.shop_id, 26),
                old.shop_id, '01', 'stc_' || right(old.shop_id, 26), digits, old.created_at);
    end loop;
end $$;
drop function merchant.check_digit;

insert into merchant.member (shop_id, person_id, name, role, joined_at, seated_at)
    select shop_id, owner_id,
        coalesce((select display_name from identity.person where person_id = owner_id), ''),
        'owner', created_at, created_at
    from merchant.shop;
"""


async def forwards() -> MigrationManager:
    return from_sql("merchant", ID, DESCRIPTION, SQL + BACKFILL)
