"""A person's devices are held after a suspected takeover, also those that are added then."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000052"
VERSION = "1.38.0"
DESCRIPTION = "held after a suspected takeover"

SQL = """
alter table risk.person add column held_until timestamptz;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
