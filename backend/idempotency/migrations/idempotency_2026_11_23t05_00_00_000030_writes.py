"""Writes that phones may repeat, and their kept answers."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000030"
VERSION = "1.38.0"
DESCRIPTION = "idempotency: writes and their kept answers"

# An answer that was kept is never another one: whoever goes around the code can't change it.
SQL = """
create schema idempotency;

create table idempotency.write (
    lookup bytea primary key,
    fingerprint bytea not null,
    leased_until timestamptz not null,
    created_at timestamptz not null,
    answer bytea,
    constraint write_lookup check (length(lookup) = 32),
    constraint write_fingerprint check (length(fingerprint) = 32)
) with (fillfactor = 70);
create index write_age on idempotency.write (created_at);

create function idempotency.first_answer() returns trigger language plpgsql as $$
begin
    raise exception 'the first answer to a write stands';
end $$;
create trigger write_first_answer before update on idempotency.write
    for each row when (old.answer is not null) execute function idempotency.first_answer();

grant usage on schema idempotency to yipay_app;
grant select, insert, update, delete on idempotency.write to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("idempotency", ID, DESCRIPTION, SQL)
