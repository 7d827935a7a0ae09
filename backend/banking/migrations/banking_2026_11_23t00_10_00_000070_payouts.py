"""Payouts to a shop's card."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000070"
VERSION = "1.38.0"
DESCRIPTION = "payouts to a shop's card"

SQL = """
create table banking.payout (
    payout_id text collate "C" primary key,
    shop_id text collate "C" not null,
    owner_id text collate "C" not null,
    card_id text collate "C" not null
        references banking.card on delete restrict on update restrict,
    amount_fen bigint not null,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    nonce bytea not null,
    word bytea,  -- msgpack of the bank's signed word that decided
    disputed text collate "C" not null default '',
    created_at timestamptz not null,
    deadline_at timestamptz not null,
    next_try_at timestamptz not null,
    ended_at timestamptz,
    constraint payout_amount check (amount_fen between 1 and 10000000000),
    constraint payout_nonce check (length(nonce) = 32),
    constraint payout_status
        check (status in ('created', 'posted', 'paid', 'returned', 'refused')),
    constraint payout_disputed check (disputed in ('', 'due', 'booked')),
    constraint payout_state check (case status
        when 'created' then word is null and refusal_code = '' and ended_at is null
        when 'posted' then refusal_code = '' and ended_at is null
        when 'paid' then word is not null and refusal_code = '' and ended_at is not null
        when 'returned' then word is not null and refusal_code <> '' and ended_at is not null
        else word is null and refusal_code <> '' and ended_at is not null end),
    constraint payout_dispute check (disputed = '' or (
        word is not null and status in ('posted', 'returned')))
) with (fillfactor = 70);
create index payout_due on banking.payout (next_try_at)
    where status in ('created', 'posted') or disputed = 'due';
create index payout_of_shop on banking.payout (shop_id, created_at);

create function banking.payout_moves() returns trigger language plpgsql as $$
begin
    if (new.payout_id, new.shop_id, new.owner_id, new.card_id, new.amount_fen, new.nonce,
        new.created_at, new.deadline_at) is distinct from
       (old.payout_id, old.shop_id, old.owner_id, old.card_id, old.amount_fen, old.nonce,
        old.created_at, old.deadline_at)
    then
        raise exception 'payout %: what was asked for can not be changed', old.payout_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('created', 'posted'), ('created', 'refused'), ('posted', 'paid'), ('posted', 'returned'))
    then
        raise exception 'payout %: no way from % to %', old.payout_id, old.status, new.status;
    end if;
    if old.word is not null and new.word is distinct from old.word then
        raise exception 'payout %: the word that decided stays', old.payout_id;
    end if;
    if old.disputed <> new.disputed and not (old.disputed, new.disputed) in (
        ('', 'due'), ('due', 'booked'))
    then
        raise exception 'payout %: no way from dispute % to %',
            old.payout_id, old.disputed, new.disputed;
    end if;
    return new;
end $$;
create trigger payout_moves before update on banking.payout
    for each row execute function banking.payout_moves();

grant select, insert, update on banking.payout to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("banking", ID, DESCRIPTION, SQL)
