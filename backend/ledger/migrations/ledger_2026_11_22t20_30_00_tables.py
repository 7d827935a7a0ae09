"""The books' tables.

Nothing here keeps more than PostgreSQL with Citus can run: `account` and `entry` are colocated by
`account_key`, `hold` stands by `hold_id`, and what the single writer alone appends (`journal`,
`posting`, `transfer`, `refusal`) stays on the coordinator. No foreign keys, no row locks.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the books' tables"

TABLES = """
create schema ledger;

-- A number made from the id: 8 bytes in every entry and index in place of 35, no look-up to know
-- it, and unique per id because the id is checked against it.
create function ledger.account_key(account_id text) returns bigint
language sql immutable strict parallel safe as $$
  select ('x' || encode(substr(sha256(convert_to(account_id, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
$$;

create table ledger.account (
  account_key bigint primary key,
  account_id text collate "C" not null,
  kind text collate "C" not null,
  currency text collate "C" not null,
  floor_fen bigint,  -- null: none
  posted_fen bigint not null default 0,
  held_fen bigint not null default 0,
  entry_seq bigint not null default 0,  -- number of entries so far
  frozen boolean not null default false,
  opened_at timestamptz not null,
  constraint account_floor check (floor_fen is null or posted_fen - held_fen >= floor_fen),
  constraint account_held check (held_fen >= 0),
  constraint account_entry_seq check (entry_seq >= 0)
) with (fillfactor = 50);  -- room for the next balance beside the last: no index is touched

-- One row per commit of the writer; see backend/chain.py for what the hashes cover.
create table ledger.journal (
  batch_seq bigint primary key,
  first_seq bigint not null,
  last_seq bigint not null,
  prev_hash bytea not null,
  chain_hash bytea not null,
  created_at timestamptz not null,  -- whole milliseconds, never before the last batch's
  constraint journal_span check (first_seq <= last_seq),
  constraint journal_hashes check (length(prev_hash) = 32 and length(chain_hash) = 32)
);
create index journal_created_at on ledger.journal (created_at);

create table ledger.posting (
  journal_seq bigint primary key,  -- 1, 2, 3 … without a gap
  batch_seq bigint not null,
  posting_id text collate "C" not null,
  content bytea not null,  -- canonical("posting/v1", posting): its SHA-256 is the posting hash
  verdict_id text collate "C",
  verdict bytea,  -- msgpack of the SignedVerdict
  posted_at timestamptz not null,
  constraint posting_once unique (posting_id),
  constraint posting_verdict check ((verdict is null) = (verdict_id is null))
);
create unique index posting_verdict_once on ledger.posting (verdict_id)
  where verdict_id is not null;

create table ledger.transfer (
  journal_seq bigint not null,
  line smallint not null,  -- 0, 1 … in the posting
  debit bigint not null,
  credit bigint not null,
  amount_fen bigint not null,
  op text collate "C" not null,
  hold_id text collate "C",
  primary key (journal_seq, line),
  constraint transfer_amount check (amount_fen > 0),
  constraint transfer_sides check (debit <> credit),
  constraint transfer_op check (op in ('move', 'hold', 'capture', 'void')),
  constraint transfer_hold check ((op = 'move') = (hold_id is null))
);

-- Two for each transfer that moves or captures; holds and voids move nothing.
create table ledger.entry (
  account_key bigint not null,
  entry_seq bigint not null,  -- 1, 2, 3 … per account
  journal_seq bigint not null,
  line smallint not null,
  counterparty bigint not null,
  amount_fen bigint not null,  -- negative for a debit
  balance_fen bigint not null,  -- posted balance after this entry
  primary key (account_key, entry_seq),
  constraint entry_seq_positive check (entry_seq > 0),
  constraint entry_amount check (amount_fen <> 0)
);

create table ledger.hold (
  hold_id text collate "C" primary key,
  debit bigint not null,
  credit bigint not null,
  amount_fen bigint not null,
  deadline_at timestamptz not null,
  made_seq bigint not null,  -- journal_seq of the posting that made it
  ended_seq bigint,  -- null while it stands
  captured_fen bigint,  -- null while it stands, 0 where voided
  constraint hold_amount check (amount_fen > 0),
  constraint hold_captured check (captured_fen between 0 and amount_fen),
  constraint hold_ended check ((ended_seq is null) = (captured_fen is null))
);
create index hold_deadline on ledger.hold (deadline_at) where ended_seq is null;

-- A refused id never posts later.
create table ledger.refusal (
  posting_id text collate "C" primary key,
  content_hash bytea not null,
  code text collate "C" not null,
  refused_at timestamptz not null
);

create publication yipay_audit for table
  ledger.account, ledger.journal, ledger.posting, ledger.transfer,
  ledger.entry, ledger.hold, ledger.refusal;
"""


async def _create() -> None:
    await engine_finder().current_transaction.get().connection.execute(TABLES)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)
    manager.add_raw(_create)
    return manager
