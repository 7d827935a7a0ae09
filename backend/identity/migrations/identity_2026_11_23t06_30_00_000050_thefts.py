"""Copied sessions, until the security system has heard of them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:30:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "copied sessions, until the security system knows"

SQL = """
create table identity.theft (
    session_id text collate "C" primary key,
    person_id text collate "C" not null,
    device_id text collate "C" not null,
    found_at timestamptz not null
);
grant select, insert, delete on identity.theft to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("identity", ID, DESCRIPTION, SQL)
