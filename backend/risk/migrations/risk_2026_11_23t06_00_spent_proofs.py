"""What a phone's proof was spent for, until it has ended by itself."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000012"
VERSION = "1.38.0"
DESCRIPTION = "proofs of phones are spent"

SQL = """
create table risk.spent_proof (
    thumbprint text collate "C" not null,
    jti text collate "C" not null,
    subject text collate "C" not null check (subject <> ''),  -- intent, payment or packet
    ends_at timestamptz not null,
    primary key (thumbprint, jti)
);
create index spent_proof_ends on risk.spent_proof (ends_at);
grant select, insert, delete on risk.spent_proof to yipay_risk;
"""


async def forwards() -> MigrationManager:
    return from_sql("risk", ID, DESCRIPTION, SQL)
