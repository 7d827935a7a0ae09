"""Invitations that wait, found by their shop."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000030"
VERSION = "1.38.0"
DESCRIPTION = "invitations of a shop by their end"

SQL = "create index invitation_of_shop on merchant.invitation (shop_id, expires_at);"


async def forwards() -> MigrationManager:
    return from_sql("merchant", ID, DESCRIPTION, SQL)
