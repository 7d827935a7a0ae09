"""The outbox of live events."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000003"
VERSION = "1.38.0"
DESCRIPTION = "the outbox"

# event_id = transaction id · 2^20 + a counter: it rises with the order of transaction ids, so a
# reader that stops below the oldest transaction still running can't miss a later commit.
SQL = """
create schema events;

create sequence events.turn as bigint minvalue 0 maxvalue 1048575 cycle cache 1;

create table events.event (
    event_id bigint not null primary key
        default (pg_current_xact_id()::text::bigint << 20) | nextval('events.turn'),
    topic text collate "C" not null,
    kind text collate "C" not null,
    ref text collate "C" not null,
    created_at timestamptz not null default now(),
    constraint event_topic_form check (topic ~ '^[a-z]+:[A-Za-z0-9_]{1,60}$')
);
create index event_topic on events.event (topic, event_id);

create function events.settled_below() returns bigint language sql stable
    return pg_snapshot_xmin(pg_current_snapshot())::text::bigint << 20;
comment on function events.settled_below() is
    'Every event with a smaller id is either visible now or rolled back for ever.';

grant usage on schema events to yipay_app;
grant usage on sequence events.turn to yipay_app;
grant select, insert, delete on events.event to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("events", ID, DESCRIPTION, SQL)
