"""What the auditor writes: alarms, frozen accounts, and how far the journal is verified."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "alarms, frozen accounts, the auditor's state"

SQL = """
create schema risk;
grant usage on schema risk to yipay_risk;

create table risk.alarm (
    alarm_id bigint generated always as identity primary key,
    kind text not null,
    detail text not null,
    accounts text[] not null,
    raised_at timestamptz not null,
    closed_at timestamptz
);
create index alarm_open on risk.alarm (alarm_id desc) where closed_at is null;

create table risk.frozen_account (
    account_id text collate "C" primary key,
    alarm_id bigint not null references risk.alarm on delete restrict,
    frozen_at timestamptz not null,
    reason text not null
);

create table risk.audit_state (
    only_row boolean primary key default true check (only_row),
    slot_lsn text not null default '',
    journal_seq bigint not null default 0,
    chain_hash bytea not null default '',
    audited_at timestamptz
);
insert into risk.audit_state default values;

-- Alarms are never deleted, and a frozen account is released by the owner's role only.
grant select, insert, update on risk.alarm to yipay_risk;
grant select, insert on risk.frozen_account to yipay_risk;
grant select, insert, update on risk.audit_state to yipay_risk;
"""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="risk", description=DESCRIPTION)

    async def run():
        await engine_finder().current_transaction.get().connection.execute(SQL)

    manager.add_raw(run)
    return manager
