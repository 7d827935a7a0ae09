"""Devices of several people on one machine are counted as one."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000060"
VERSION = "1.38.0"
DESCRIPTION = "machines that devices are on"

# A machine has the name of the first device that was seen on it, and is counted in its row. Null:
# no other was there before.
SQL = """
alter table risk.device add column machine_id text collate "C"
    references risk.device on delete restrict;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
