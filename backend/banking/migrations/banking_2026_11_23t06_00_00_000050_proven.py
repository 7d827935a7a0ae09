"""Money goes only to cards that the bank has proved to the security system."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "proven cards"

# Cards from before are not proven: they top up as ever, and are bound anew to be paid to.
SQL = """
alter table banking.card
    add column proven boolean not null default false,
    add constraint card_proven check (status = 'bound' or not proven);
alter table banking.card
    add constraint card_bound_is_proven check (status <> 'bound' or proven) not valid;
"""


async def forwards() -> MigrationManager:
    return from_sql("banking", ID, DESCRIPTION, SQL)
