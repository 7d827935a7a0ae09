"""Cards as the bank itself has told them to the security system."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "cards by the bank's word"

# No grant to update or to delete: a card never becomes another one.
SQL = """
create table risk.bank_card (
    card_id text collate "C" primary key,
    person_id text collate "C" not null,
    token text collate "C" not null unique check (token <> ''),
    bank_name text not null,
    last4 text collate "C" not null check (last4 ~ '^[0-9]{4}$'),
    word bytea not null,  -- what the bank signed
    key_id text collate "C" not null,
    signature bytea not null,
    bound_at timestamptz not null
);
create index bank_card_of_person on risk.bank_card (person_id);
grant select, insert on risk.bank_card to yipay_risk;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
