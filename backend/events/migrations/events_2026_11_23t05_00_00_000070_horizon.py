"""How far back the outbox goes: a stream that comes back later than that is told so."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000070"
VERSION = "1.38.0"
DESCRIPTION = "what was forgotten"

SQL = """
create table events.horizon (
    one boolean not null primary key default true constraint horizon_one check (one),
    forgotten_to bigint not null
);
comment on column events.horizon.forgotten_to is 'The last event that is not kept any more.';
insert into events.horizon (forgotten_to) values (0);

create function events.horizon_rises() returns trigger language plpgsql as $$
begin
    if new.forgotten_to < old.forgotten_to then
        raise exception 'what was forgotten stays forgotten';
    end if;
    return new;
end $$;
create trigger horizon_rises before update on events.horizon
    for each row execute function events.horizon_rises();

grant select, update on events.horizon to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("events", ID, DESCRIPTION, SQL)
