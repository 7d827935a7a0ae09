"""The books' guards: what the database refuses, whoever asks, and who may do what.

Each guard looks at all rows of a statement at once, after the whole statement: the writer's batch
is one statement, so a guard costs once per batch and sees the batch complete.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:31:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the books' guards and grants"

GUARDS = """
-- Raised by the writer's statement where the books are not as it remembers them.
create function ledger.expect(counted bigint, wanted bigint, what text) returns bigint
language plpgsql as $$
begin
  if counted <> wanted then
    raise exception using errcode = 'YP001', message = format('%s: %s, not %s', what, counted, wanted);
  end if;
  return counted;
end $$;

create function ledger.append_only() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'YP002', message = format('ledger.%s is append only', tg_table_name);
end $$;

create trigger journal_append_only before update or delete or truncate on ledger.journal
  for each statement execute function ledger.append_only();
create trigger posting_append_only before update or delete or truncate on ledger.posting
  for each statement execute function ledger.append_only();
create trigger transfer_append_only before update or delete or truncate on ledger.transfer
  for each statement execute function ledger.append_only();
create trigger entry_append_only before update or delete or truncate on ledger.entry
  for each statement execute function ledger.append_only();
create trigger refusal_append_only before update or delete or truncate on ledger.refusal
  for each statement execute function ledger.append_only();
create trigger account_kept before delete or truncate on ledger.account
  for each statement execute function ledger.append_only();
create trigger hold_kept before delete or truncate on ledger.hold
  for each statement execute function ledger.append_only();

-- Accounts start empty, under the key of their id.
create function ledger.account_opened() returns trigger language plpgsql as $$
begin
  if exists (
    select from opened where posted_fen <> 0 or held_fen <> 0 or entry_seq <> 0
      or account_key <> ledger.account_key(account_id)
      or kind <> split_part(account_id, ':', 1)
  ) then
    raise exception using errcode = 'YP003', message = 'an account starts empty, under its own key';
  end if;
  return null;
end $$;
create trigger account_opened after insert on ledger.account referencing new table as opened
  for each statement execute function ledger.account_opened();

-- Money moves between accounts; it is not made (I1).
create function ledger.account_moved() returns trigger language plpgsql as $$
begin
  if exists (
    select from (
      select currency, posted_fen from after_move
      union all
      select currency, -posted_fen from before_move
    ) as change group by currency having sum(posted_fen) <> 0
  ) then
    raise exception using errcode = 'YP004', message = 'the balances do not sum to what they did';
  end if;
  return null;
end $$;
create trigger account_moved after update on ledger.account
  referencing old table as before_move new table as after_move
  for each statement execute function ledger.account_moved();

create function ledger.entry_zero_sum() returns trigger language plpgsql as $$
begin
  if exists (
    select from written group by journal_seq, line having sum(amount_fen) <> 0
  ) then
    raise exception using errcode = 'YP005', message = 'entries of a transfer do not sum to zero';
  end if;
  return null;
end $$;
create trigger entry_zero_sum after insert on ledger.entry referencing new table as written
  for each statement execute function ledger.entry_zero_sum();

-- The journal has no gap, and a batch holds just the postings it says.
create function ledger.journal_linked() returns trigger language plpgsql as $$
declare
  before_it ledger.journal;
begin
  select * into before_it from ledger.journal order by batch_seq desc limit 1;
  if new.batch_seq <> coalesce(before_it.batch_seq, 0) + 1
    or new.first_seq <> coalesce(before_it.last_seq, 0) + 1
    or new.prev_hash <> coalesce(before_it.chain_hash, decode(repeat('00', 32), 'hex'))
    or new.created_at < before_it.created_at
  then
    raise exception using errcode = 'YP006', message = 'the batch does not continue the journal';
  end if;
  return new;
end $$;
create trigger journal_linked before insert on ledger.journal
  for each row execute function ledger.journal_linked();

-- A refused id never posts later (I3). `limit` keeps it one index look-up per posting.
create function ledger.posting_journalled() returns trigger language plpgsql as $$
begin
  if exists (
    select from (
      select batch_seq, count(*) as n, min(journal_seq) as low, max(journal_seq) as high
      from written group by batch_seq
    ) as batch
    where not exists (
      select from ledger.journal j
      where j.batch_seq = batch.batch_seq and j.first_seq = batch.low and j.last_seq = batch.high
        and batch.n = batch.high - batch.low + 1
    )
  ) then
    raise exception using errcode = 'YP007', message = 'postings outside their batch of the journal';
  end if;
  if exists (
    select from written w cross join lateral (
      select from ledger.refusal r where r.posting_id = w.posting_id limit 1
    ) as refused
  ) then
    raise exception using errcode = 'YP008', message = 'a refused id never posts';
  end if;
  return null;
end $$;
create trigger posting_journalled after insert on ledger.posting referencing new table as written
  for each statement execute function ledger.posting_journalled();
"""

GRANTS = """
revoke all on schema ledger from public;
revoke all on all functions in schema ledger from public;
grant usage on schema ledger to yipay_ledger, yipay_auditor;
grant select on all tables in schema ledger to yipay_ledger, yipay_auditor;
grant insert on all tables in schema ledger to yipay_ledger;
grant update (posted_fen, held_fen, entry_seq, frozen) on ledger.account to yipay_ledger;
grant update (ended_seq, captured_fen) on ledger.hold to yipay_ledger;
grant execute on function ledger.account_key, ledger.expect to yipay_ledger, yipay_auditor;
"""


async def _guard() -> None:
    connection = engine_finder().current_transaction.get().connection
    await connection.execute(GUARDS)
    await connection.execute(GRANTS)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="ledger", description=DESCRIPTION)
    manager.add_raw(_guard)
    return manager
