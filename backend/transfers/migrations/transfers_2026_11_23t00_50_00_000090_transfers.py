"""Transfers between people, requests for money, and what limits asking."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:50:00:000090"
VERSION = "1.38.0"
DESCRIPTION = "transfers, requests and their shares, looks-up, name checks"

# A share is paid by one transfer: all tries to pay it go through one order after the other, the
# order is paid once, and the index refuses a second transfer that has arrived.
SQL = """
create schema transfers;

create table transfers.transfer (
    transfer_id text collate "C" primary key,
    payment_id text collate "C" not null unique,
    order_id text collate "C" not null,
    payer_id text collate "C" not null,
    payee_id text collate "C" not null,
    payer_name text not null,
    payee_name text not null,
    amount_fen bigint not null,
    note text not null,
    request_id text collate "C" not null,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    created_at timestamptz not null,
    arrives_at timestamptz,
    ended_at timestamptz,
    next_try_at timestamptz not null,
    nonce bytea not null,
    recalls integer not null default 0,
    arrivals integer not null default 0,
    end_intent bytea,
    constraint transfer_amount check (amount_fen > 0),
    constraint transfer_parties check (payer_id <> payee_id),
    constraint transfer_status check (status in
        ('created', 'waiting', 'arrived', 'recalled', 'refused', 'lapsed')),
    constraint transfer_ended check ((status in ('created', 'waiting')) = (ended_at is null)),
    constraint transfer_delayed check
        (arrives_at is not null or status not in ('waiting', 'recalled')),
    constraint transfer_of_request check (request_id = '' or arrives_at is null),
    constraint transfer_nonce check (length(nonce) = 32)
);
create unique index transfer_share on transfers.transfer (request_id, payer_id)
    where request_id <> '' and status = 'arrived';
create index transfer_pair on transfers.transfer (payer_id, payee_id);
create index transfer_back on transfers.transfer (payee_id, payer_id);
create index transfer_due on transfers.transfer (next_try_at)
    where status in ('created', 'waiting');

create function transfers.transfer_moves() returns trigger language plpgsql as $$
begin
    if (new.transfer_id, new.payment_id, new.order_id, new.payer_id, new.payee_id, new.payer_name,
        new.payee_name, new.amount_fen, new.note, new.request_id, new.created_at, new.arrives_at,
        new.nonce)
        is distinct from
        (old.transfer_id, old.payment_id, old.order_id, old.payer_id, old.payee_id, old.payer_name,
        old.payee_name, old.amount_fen, old.note, old.request_id, old.created_at, old.arrives_at,
        old.nonce)
    then
        raise exception 'transfer %: what it is about can not be changed', old.transfer_id;
    end if;
    if new.status <> old.status and not (case old.status
        when 'created' then new.status in ('refused', 'lapsed')
            or new.status = 'arrived' and old.arrives_at is null
            or new.status = 'waiting' and old.arrives_at is not null
        when 'waiting' then new.status in ('arrived', 'recalled')
        else false end)
    then
        raise exception 'transfer %: no way from % to %',
            old.transfer_id, old.status, new.status;
    end if;
    return new;
end $$;
create trigger transfer_moves before update on transfers.transfer
    for each row execute function transfers.transfer_moves();

create table transfers.request (
    request_id text collate "C" primary key,
    person_id text collate "C" not null,
    note text not null,
    group_id text collate "C" not null,
    status text collate "C" not null default 'open',
    created_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    reminded_at timestamptz,
    constraint request_status check (status in ('open', 'done', 'withdrawn', 'expired')),
    constraint request_ended check ((status = 'open') = (ended_at is null)),
    constraint request_life check (expires_at > created_at)
);
create index request_newest on transfers.request (person_id, created_at desc);
create index request_of_group on transfers.request (group_id, created_at desc)
    where group_id <> '';
create index request_due on transfers.request (expires_at) where status = 'open';

create table transfers.share (
    request_id text collate "C" not null,
    person_id text collate "C" not null,
    place integer not null,
    amount_fen bigint not null,
    status text collate "C" not null default 'open',
    transfer_id text collate "C" not null default '',
    order_id text collate "C" not null default '',
    orders integer not null default 0,
    at timestamptz,
    primary key (request_id, person_id),
    constraint share_amount check (amount_fen > 0),
    constraint share_status check (status in ('open', 'paid', 'declined')),
    constraint share_ended check ((status = 'open') = (at is null)),
    constraint share_paid check ((status = 'paid') = (transfer_id <> ''))
);
create index share_of on transfers.share (person_id, request_id);

create function transfers.request_moves() returns trigger language plpgsql as $$
begin
    if (new.request_id, new.person_id, new.note, new.group_id, new.created_at, new.expires_at)
        is distinct from
        (old.request_id, old.person_id, old.note, old.group_id, old.created_at, old.expires_at)
    then
        raise exception 'request %: what it is about can not be changed', old.request_id;
    end if;
    if new.status <> old.status and old.status <> 'open' then
        raise exception 'request %: % for good', old.request_id, old.status;
    end if;
    return new;
end $$;
create trigger request_moves before update on transfers.request
    for each row execute function transfers.request_moves();

create function transfers.share_moves() returns trigger language plpgsql as $$
begin
    if (new.request_id, new.person_id, new.place, new.amount_fen)
        is distinct from (old.request_id, old.person_id, old.place, old.amount_fen)
        or new.orders < old.orders
    then
        raise exception 'share of %: what it is about can not be changed', old.request_id;
    end if;
    if new.status <> old.status and old.status <> 'open' then
        raise exception 'share of %: % for good', old.request_id, old.status;
    end if;
    return new;
end $$;
create trigger share_moves before update on transfers.share
    for each row execute function transfers.share_moves();

create table transfers.lookup (
    person_id text collate "C" not null,
    payee_id text collate "C" not null,
    at timestamptz not null,
    primary key (person_id, payee_id)
);

create table transfers.name_check (
    payer_id text collate "C" not null,
    payee_id text collate "C" not null,
    wrong integer not null,
    since timestamptz not null,
    primary key (payer_id, payee_id),
    constraint name_check_wrong check (wrong between 0 and 5)
);

grant usage on schema transfers to yipay_app;
grant select, insert, update on transfers.transfer, transfers.request, transfers.share,
    transfers.name_check to yipay_app;
grant select, insert, update, delete on transfers.lookup to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("transfers", ID, DESCRIPTION, SQL)
