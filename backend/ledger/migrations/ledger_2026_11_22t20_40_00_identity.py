"""Deleted and altered rows go to the log with all their old values.

The auditor must know whose accounts a removed row touched. It costs nothing: these tables are
append only, so no lawful statement writes an old row.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "old values of append-only tables in the log"

TABLES = ("journal", "posting", "transfer", "entry", "refusal")


async def _identity() -> None:
    connection = engine_finder().current_transaction.get().connection
    for table in TABLES:
        await connection.execute(f"alter table ledger.{table} replica identity full")


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)
    manager.add_raw(_identity)
    return manager
