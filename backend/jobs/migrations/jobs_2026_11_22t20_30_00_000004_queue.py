"""The queue library's own schema, and a sign of life per worker."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from procrastinate.schema import SchemaManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000004"
VERSION = "1.38.0"
DESCRIPTION = "job queue"

# The library's functions name their tables without a schema; we call them from transactions with
# another search path, so each function carries its own.
SQL = """
create schema jobs;
set local search_path = jobs;
%s
do $$
declare function regprocedure;
begin
    for function in select oid::regprocedure from pg_proc where pronamespace = 'jobs'::regnamespace
    loop
        execute format('alter function %%s set search_path = jobs, pg_temp', function);
    end loop;
end $$;

create table jobs.heartbeat (
    part text collate "C" primary key,
    at timestamptz not null
);

grant usage on schema jobs to yipay_app;
grant select, insert, update, delete on all tables in schema jobs to yipay_app;
grant usage, select on all sequences in schema jobs to yipay_app;
set local search_path = default;
"""


async def forwards() -> MigrationManager:
    return from_sql("jobs", ID, DESCRIPTION, SQL % SchemaManager.get_schema())
