"""When a packet's money was in, which is when it could be opened."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000002"
VERSION = "1.38.0"
DESCRIPTION = "redpacket: when the money was in"

SQL = """
alter table redpacket.packet add column sent_at timestamptz;
update redpacket.packet set sent_at = created_at
    where status not in ('created', 'refused', 'lapsed');
alter table redpacket.packet add constraint packet_sent_when_paid
    check ((sent_at is null) = (status in ('created', 'refused', 'lapsed')));
"""


async def forwards() -> MigrationManager:
    return from_sql("redpacket", ID, DESCRIPTION, SQL)
