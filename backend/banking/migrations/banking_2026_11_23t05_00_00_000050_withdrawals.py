"""People's withdrawals to their cards, and what they cost."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "withdrawals"

SQL = """
create table banking.withdrawal (
    withdrawal_id text collate "C" primary key,
    person_id text collate "C" not null,
    card_id text collate "C" not null
        references banking.card on delete restrict on update restrict,
    amount_fen bigint not null,  -- leaves the wallet; the fee is part of it
    fee_fen bigint not null,
    speed text collate "C" not null,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    nonce bytea not null,
    verdict bytea,  -- msgpack of the signed verdict
    word bytea,  -- msgpack of the bank's signed word that decided
    disputed text collate "C" not null default '',
    release text collate "C" not null default '',  -- of the limits that a refused one used
    created_at timestamptz not null,
    confirm_by timestamptz not null,
    hand_over_at timestamptz not null,
    deadline_at timestamptz not null,
    next_try_at timestamptz not null,
    posted_at timestamptz,
    ended_at timestamptz,
    constraint withdrawal_amount
        check (amount_fen between 1 and 10000000000 and fee_fen >= 0 and fee_fen < amount_fen),
    constraint withdrawal_speed check (speed in ('instant', 'next_day')),
    constraint withdrawal_nonce check (length(nonce) = 32),
    constraint withdrawal_times
        check (created_at < confirm_by and hand_over_at < deadline_at and confirm_by < deadline_at),
    constraint withdrawal_status check (
        status in ('created', 'authorized', 'posted', 'paid', 'returned', 'refused')),
    constraint withdrawal_disputed check (disputed in ('', 'due', 'booked')),
    constraint withdrawal_release check (
        release = '' or (status = 'refused' and release in ('due', 'done'))),
    constraint withdrawal_state check (case status
        when 'created' then verdict is null and word is null and refusal_code = ''
            and posted_at is null and ended_at is null
        when 'authorized' then verdict is not null and word is null and refusal_code = ''
            and posted_at is null and ended_at is null
        when 'posted' then verdict is not null and refusal_code = ''
            and posted_at is not null and ended_at is null
        when 'paid' then verdict is not null and word is not null and refusal_code = ''
            and posted_at is not null and ended_at is not null
        when 'returned' then verdict is not null and word is not null and refusal_code <> ''
            and posted_at is not null and ended_at is not null
        else word is null and refusal_code <> ''
            and posted_at is null and ended_at is not null end),
    constraint withdrawal_dispute check (disputed = '' or (
        word is not null and status in ('posted', 'returned')))
) with (fillfactor = 70);
create index withdrawal_due on banking.withdrawal (next_try_at)
    where status in ('created', 'authorized', 'posted') or disputed = 'due' or release = 'due';
create index withdrawal_of_person on banking.withdrawal (person_id, created_at desc,
    withdrawal_id desc);

create function banking.withdrawal_moves() returns trigger language plpgsql as $$
begin
    if (new.withdrawal_id, new.person_id, new.card_id, new.amount_fen, new.fee_fen, new.speed,
        new.nonce, new.created_at, new.confirm_by, new.hand_over_at, new.deadline_at)
        is distinct from
       (old.withdrawal_id, old.person_id, old.card_id, old.amount_fen, old.fee_fen, old.speed,
        old.nonce, old.created_at, old.confirm_by, old.hand_over_at, old.deadline_at)
    then
        raise exception 'withdrawal %: what was asked for can not be changed', old.withdrawal_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('created', 'authorized'), ('created', 'refused'), ('authorized', 'posted'),
        ('authorized', 'refused'), ('posted', 'paid'), ('posted', 'returned'))
    then
        raise exception 'withdrawal %: no way from % to %',
            old.withdrawal_id, old.status, new.status;
    end if;
    if old.verdict is not null and new.verdict is distinct from old.verdict then
        raise exception 'withdrawal %: the verdict stays', old.withdrawal_id;
    end if;
    if old.word is not null and new.word is distinct from old.word then
        raise exception 'withdrawal %: the word that decided stays', old.withdrawal_id;
    end if;
    if old.disputed <> new.disputed and not (old.disputed, new.disputed) in (
        ('', 'due'), ('due', 'booked'))
    then
        raise exception 'withdrawal %: no way from dispute % to %',
            old.withdrawal_id, old.disputed, new.disputed;
    end if;
    return new;
end $$;
create trigger withdrawal_moves before update on banking.withdrawal
    for each row execute function banking.withdrawal_moves();

create table banking.withdrawal_fee (
    speed text collate "C" not null,
    since timestamptz not null,
    bps int not null,
    min_fen bigint not null default 0,
    max_fen bigint,
    primary key (speed, since),
    constraint withdrawal_fee_speed check (speed in ('instant', 'next_day')),
    constraint withdrawal_fee_modest check (
        bps between 0 and 100 and min_fen between 0 and 100 and max_fen >= min_fen)
);
insert into banking.withdrawal_fee (speed, since, bps)
    values ('instant', '2026-01-01', 0), ('next_day', '2026-01-01', 0);

grant select, insert, update on banking.withdrawal to yipay_app;
grant select on banking.withdrawal_fee to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("banking", ID, DESCRIPTION, SQL)
