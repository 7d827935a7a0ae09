"""What the bank was given leave to pay out is not released any more."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000010"
VERSION = "1.38.0"
DESCRIPTION = "leaves for the bank"

SQL = """
-- When the bank was first given leave to pay this payout or withdrawal.
alter table risk.reservation add column leave_given_at timestamptz,
    add constraint reservation_leave_or_release
        check (leave_given_at is null or coalesce(release_asked_at, released_at) is null);
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
