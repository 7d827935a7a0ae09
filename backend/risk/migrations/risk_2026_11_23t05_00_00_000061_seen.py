"""The order in which what happened to accounts became visible, so that it can be read without loss."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000061"
VERSION = "1.38.0"
DESCRIPTION = "security events in the order of their transactions"

SQL = """
alter table risk.security_event
    add column xact bigint not null default pg_current_xact_id()::text::bigint;
create index security_event_order on risk.security_event (xact, event_seq);
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
