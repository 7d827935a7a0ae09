"""What tells whether the spent proofs are all remembered."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000070"
VERSION = "1.38.0"
DESCRIPTION = "the name of what remembers spent proofs"

SQL = """
-- A crash of the server empties it together with the spent proofs. Proofs belong to the name that
-- stands here: those that were made for an earlier one are no longer taken.
create unlogged table identity.proof_memory (
    only_one boolean primary key default true check (only_one),
    memory_id text collate "C" not null
);

grant select, insert on identity.proof_memory to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("identity", ID, DESCRIPTION, SQL)
