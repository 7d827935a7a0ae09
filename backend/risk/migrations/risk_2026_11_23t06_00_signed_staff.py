"""Invitations and changes of staff are signed with a passkey, stores included."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000051"
VERSION = "1.38.0"
DESCRIPTION = "staff is invited and changed with a passkey"

# Invitations from before were signed by nobody: they end with this.
SQL = """
alter table risk.ceremony add column verified boolean not null default false;
delete from risk.invitation where used_at is null;
alter table risk.invitation
    add column store_id text collate "C" not null default '',
    add column ceremony_id text collate "C" not null default '';
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
