"""What is in the way of a late payment that goes back by itself, for whoever waits at the till."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "what late payments wait for"

SQL = """
alter table payments.late add column waits_for text collate "C" not null default '';
create index late_kept on payments.late (payment_id) where ended = 'kept';
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
