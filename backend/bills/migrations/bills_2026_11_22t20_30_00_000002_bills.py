"""Bills and the sums of their months."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000002"
VERSION = "1.38.0"
DESCRIPTION = "bills and month sums"

# A month's sum is kept in several rows, so that the bills of a busy shop's owner don't queue for
# one row lock; a reader adds them up.
SQL = """
create schema bills;

create table bills.bill (
    person_id text collate "C" not null,
    bill_id text collate "C" not null,
    kind text collate "C" not null,
    direction text collate "C" not null,
    counterparty text not null,
    amount_fen bigint not null,
    fee_fen bigint not null,
    status text collate "C" not null,
    method text not null,
    note text not null,
    order_id text collate "C" not null,
    event_at timestamptz not null,
    settled_at timestamptz,
    refusal_code text collate "C" not null,
    created_at timestamptz not null default now(),
    primary key (person_id, bill_id),
    constraint bill_direction check (direction in ('in', 'out')),
    constraint bill_amount check (amount_fen > 0 and fee_fen between 0 and amount_fen),
    constraint bill_status check (status in ('pending', 'succeeded', 'refused'))
);
create index bill_newest on bills.bill (person_id, event_at desc, bill_id desc);

create function bills.only_pending_moves() returns trigger language plpgsql as $$
begin
    if old.status <> 'pending' then
        raise exception 'bill % is % for good', old.bill_id, old.status;
    end if;
    if (new.person_id, new.bill_id, new.direction, new.amount_fen, new.event_at)
        is distinct from (old.person_id, old.bill_id, old.direction, old.amount_fen, old.event_at)
    then
        raise exception 'bill % may change its state only', old.bill_id;
    end if;
    return new;
end $$;
create trigger bill_only_pending_moves before update on bills.bill
    for each row execute function bills.only_pending_moves();

create table bills.month (
    person_id text collate "C" not null,
    month date not null,
    slot smallint not null,
    in_fen bigint not null,
    out_fen bigint not null,
    primary key (person_id, month, slot),
    constraint month_sums check (in_fen >= 0 and out_fen >= 0)
) with (fillfactor = 50);

grant usage on schema bills to yipay_app;
grant select, insert, update on bills.bill, bills.month to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("bills", ID, DESCRIPTION, SQL)
