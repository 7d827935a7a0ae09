"""What went back of a bill."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000021"
VERSION = "1.38.0"
DESCRIPTION = "refunds"

SQL = """
alter table bills.bill
    add column refunded_fen bigint not null default 0,
    add constraint bill_refunded check (
        refunded_fen between 0 and amount_fen and (refunded_fen = 0 or status = 'succeeded'));

create or replace function bills.only_pending_moves() returns trigger language plpgsql as $$
begin
    if old.status = 'succeeded' and new.refunded_fen > old.refunded_fen
        and to_jsonb(new) - 'refunded_fen' = to_jsonb(old) - 'refunded_fen'
    then
        return new;
    end if;
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
"""


async def forwards() -> MigrationManager:
    return from_sql("bills", ID, DESCRIPTION, SQL)
