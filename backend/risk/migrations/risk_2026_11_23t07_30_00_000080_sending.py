"""What goes into red packets is counted by machine too; who shares one is found by its name."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000080"
VERSION = "1.38.0"
DESCRIPTION = "red packets sent by machine"

# Counted in the machine's own row, as openings are. A reservation remembers where, to give it back.
SQL = """
alter table risk.device
    add column packet_day date not null default '-infinity',
    add column packet_fen bigint not null default 0 check (packet_fen >= 0);
alter table risk.reservation add column machine_id text collate "C"
    references risk.device on delete restrict;
create index device_machine on risk.device (machine_id) where machine_id is not null;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
