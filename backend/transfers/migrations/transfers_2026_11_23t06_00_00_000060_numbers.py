"""A number that was looked up stands for an id of its own, whether anybody has it or not."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000060"
VERSION = "1.38.0"
DESCRIPTION = "numbers that were looked up, known and unknown"

# What was found before named the person: it is looked up again.
SQL = """
delete from transfers.lookup;
alter table transfers.lookup
    add column found_id text collate "C" not null,
    add column shown text not null;
"""


async def forwards() -> MigrationManager:
    return from_sql("transfers", ID, DESCRIPTION, SQL)
