"""A passcode try is taken before it is compared, and given back where it was right."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "redpacket: passcode tries can be given back"

SQL = """
alter table redpacket.tries drop constraint tries_range,
    add constraint tries_range check (wrong between 0 and 5);
"""


async def forwards() -> MigrationManager:
    return from_sql("redpacket", ID, DESCRIPTION, SQL)
