"""What goes back by itself is counted, by shop and day."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "refunds by shop and day"

SQL = """
create index reservation_refunds on risk.reservation (person_id, day) where refund_of is not null;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
