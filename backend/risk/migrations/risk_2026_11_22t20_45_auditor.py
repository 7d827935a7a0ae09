"""The auditor's own books: what every account, hold and batch must be, whatever tx says."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the auditor's own books"

SQL = """
-- posted, held, seq: what is right. tx_…: what the rows in tx showed last. They differ only where
-- an alarm was raised, so that one unlawful change is told once.
create table risk.audit_account (
    account_key bigint primary key,
    account_id text collate "C" not null,
    currency text not null,
    floor_fen bigint,
    posted_fen bigint not null,
    held_fen bigint not null,
    entry_seq bigint not null,
    tx_posted_fen bigint not null,
    tx_held_fen bigint not null,
    tx_entry_seq bigint not null
) with (fillfactor = 70);

create table risk.audit_hold (
    hold_id text collate "C" primary key,
    debit bigint not null,
    credit bigint not null,
    amount_fen bigint not null,
    deadline_us bigint not null,
    made_seq bigint not null,
    ended_seq bigint,
    captured_fen bigint
);

-- Every posting id that was posted or refused (journal_seq 0), and the verdict it used up.
create table risk.audit_posting (
    posting_id text collate "C" primary key,
    journal_seq bigint not null,
    verdict_id text collate "C"
);
create unique index audit_verdict_once on risk.audit_posting (verdict_id)
    where verdict_id is not null;

-- The journal as it was seen: whoever rewrites all of it later does not rewrite this.
create table risk.audit_batch (
    batch_seq bigint primary key,
    last_seq bigint not null,
    created_us bigint not null,
    chain_hash bytea not null
);

alter table risk.audit_state
    add column system_id text not null default '',
    add column facts text not null default '{}',
    add column batch_seq bigint not null default 0,
    add column created_us bigint not null default 0,
    add column synced boolean not null default false;

grant select, insert, update on risk.audit_account, risk.audit_hold to yipay_risk;
grant select, insert on risk.audit_posting, risk.audit_batch to yipay_risk;
"""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="risk", description=DESCRIPTION)

    async def run():
        await engine_finder().current_transaction.get().connection.execute(SQL)

    manager.add_raw(run)
    return manager
