"""Cards and top-ups."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000007"
VERSION = "1.38.0"
DESCRIPTION = "cards and top-ups"

# The triggers repeat the state machines of the code: whoever goes around it, stays inside them.
SQL = """
create schema banking;

create table banking.card (
    card_id text collate "C" primary key,
    person_id text collate "C" not null,
    token text collate "C" not null,  -- the bank's; its number is kept nowhere
    bank_name text not null,
    last4 text collate "C" not null,
    status text collate "C" not null,
    refusal_reason text collate "C" not null default '',
    created_at timestamptz not null,
    constraint card_last4 check (last4 ~ '^[0-9]{4}$'),
    constraint card_status check (status in ('pending', 'bound', 'refused')),
    constraint card_token check (status = 'refused' or token <> '')
);
create index card_of_person on banking.card (person_id, created_at);
create unique index card_token_once on banking.card (token) where token <> '';

create function banking.card_moves() returns trigger language plpgsql as $$
begin
    if (new.card_id, new.person_id, new.token, new.last4) is distinct from
        (old.card_id, old.person_id, old.token, old.last4)
    then
        raise exception 'card %: it can not become another card', old.card_id;
    end if;
    if old.status <> new.status and old.status <> 'pending' then
        raise exception 'card %: no way from % to %', old.card_id, old.status, new.status;
    end if;
    return new;
end $$;
create trigger card_moves before update on banking.card
    for each row execute function banking.card_moves();

create table banking.topup (
    topup_id text collate "C" primary key,
    person_id text collate "C" not null,
    card_id text collate "C" not null
        references banking.card on delete restrict on update restrict,
    amount_fen bigint not null,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    nonce bytea not null,
    word bytea,  -- msgpack of the bank's signed word that decided
    tries int not null default 0,  -- how often the bank was asked
    reversal text collate "C" not null default '',
    event_at timestamptz not null,
    created_at timestamptz not null,
    deadline_at timestamptz not null,
    next_try_at timestamptz not null,
    posted_at timestamptz,
    journal_seq bigint,
    constraint topup_amount check (amount_fen between 1 and 2000000),
    constraint topup_nonce check (length(nonce) = 32),
    constraint topup_status check (status in ('created', 'pending', 'paid', 'posted', 'refused')),
    constraint topup_reversal check (reversal in ('', 'due', 'returned')),
    constraint topup_state check (case status
        when 'created' then word is null and journal_seq is null and refusal_code = ''
        when 'pending' then word is null and journal_seq is null and refusal_code = ''
        when 'paid' then word is not null and journal_seq is null and refusal_code = ''
        when 'posted' then word is not null and refusal_code = ''
            and journal_seq is not null and posted_at is not null
        else refusal_code <> '' and journal_seq is null end),
    constraint topup_reversed check (reversal = '' or (status = 'refused' and word is not null))
) with (fillfactor = 70);
create index topup_due on banking.topup (next_try_at)
    where status in ('created', 'pending', 'paid') or reversal = 'due';
create index topup_of_person on banking.topup (person_id, created_at);

create function banking.topup_moves() returns trigger language plpgsql as $$
begin
    if (new.topup_id, new.person_id, new.card_id, new.amount_fen, new.nonce, new.event_at,
        new.created_at, new.deadline_at) is distinct from
       (old.topup_id, old.person_id, old.card_id, old.amount_fen, old.nonce, old.event_at,
        old.created_at, old.deadline_at)
    then
        raise exception 'top-up %: what was asked for can not be changed', old.topup_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('created', 'pending'), ('created', 'refused'),
        ('pending', 'paid'), ('pending', 'refused'), ('paid', 'posted'), ('paid', 'refused'))
    then
        raise exception 'top-up %: no way from % to %', old.topup_id, old.status, new.status;
    end if;
    if old.reversal = 'returned' and new.reversal <> 'returned' then
        raise exception 'top-up %: given back is given back', old.topup_id;
    end if;
    return new;
end $$;
create trigger topup_moves before update on banking.topup
    for each row execute function banking.topup_moves();

grant usage on schema banking to yipay_app;
grant select, insert, update on all tables in schema banking to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("banking", ID, DESCRIPTION, SQL)
