"""Who was let pass and has no share yet, by person: it counts against what one opens a day."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000010"
VERSION = "1.38.0"
DESCRIPTION = "openings that are not decided, by person"

SQL = """
create index opening_waits on risk.opening (person_id, passed_at) where intent_id is null;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
