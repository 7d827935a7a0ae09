"""Whose money has reached whom: reason enough to be blocked."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000091"
VERSION = "1.38.0"
DESCRIPTION = "who has met by money"

SQL = """
create table friends.met (
    person_id text collate "C" not null,
    other_id text collate "C" not null,
    primary key (person_id, other_id),
    constraint met_of_two check (person_id <> other_id)
);
grant select, insert on friends.met to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("friends", ID, DESCRIPTION, SQL)
