"""The auditor's own books in the security system's cluster, and the part of them it works on."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from backend.chain import GENESIS
from backend.db import SEC
from backend.risk.auditor.pgoutput import Change, Transaction

FREEZE_GRACE = timedelta(seconds=30)


class Account(msgspec.Struct):
    """What is right, and (tx_…) what the transaction system's rows showed last. Fen."""

    account_key: int
    account_id: str
    currency: str
    floor_fen: int | None
    posted_fen: int = 0
    held_fen: int = 0
    entry_seq: int = 0
    tx_posted_fen: int = 0
    tx_held_fen: int = 0
    tx_entry_seq: int = 0
    opened_us: int | None = None
    tx_frozen: bool = False


class Hold(msgspec.Struct):
    """ended_seq and captured_fen are None while it stands."""

    hold_id: str
    debit: int
    credit: int
    amount_fen: int
    deadline_us: int
    made_seq: int
    ended_seq: int | None = None
    captured_fen: int | None = None


class Head(msgspec.Struct, frozen=True):
    """The last batch of the journal. Times in microseconds since 1970."""

    batch_seq: int = 0
    last_seq: int = 0
    created_us: int = 0
    chain_hash: bytes = GENESIS


class Used(msgspec.Struct, frozen=True):
    """A posting id that is taken; journal_seq 0 if it was refused."""

    posting_id: str
    journal_seq: int
    verdict_id: str | None


class Books:
    """Accounts, holds and ids that some transactions name, with what changed since loading."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.other_head: Head | None = None  # the one before an unlawful batch: it may be continued
        self.accounts: dict[int, Account] = {}
        self.holds: dict[str, Hold] = {}
        self.posting_ids: set[str] = set()
        self.verdict_ids: set[str] = set()  # used up
        self.decided: set[str] = set()  # verdicts that the security system remembers giving
        self.held_frozen: set[str] = set()  # accounts that the security system holds frozen
        # What the transaction being judged did: accounts with what tx showed before it, holds.
        self.before: dict[int, tuple[int, int, int]] = {}
        self.turned: set[str] = set()
        self.changed_accounts: set[int] = set()
        self.changed_holds: set[str] = set()
        self.used: list[Used] = []
        self.batches: list[Head] = []

    def use(self, posting_id: str, journal_seq: int, verdict_id: str | None) -> None:
        if posting_id not in self.posting_ids:
            self.posting_ids.add(posting_id)
            self.used.append(Used(posting_id, journal_seq, verdict_id))
        if verdict_id is not None:
            self.verdict_ids.add(verdict_id)

    def touch(self, account_key: int) -> Account:
        """The account, remembered as changed by this transaction."""
        account = self.accounts[account_key]
        if account_key not in self.before:
            shown = (account.tx_posted_fen, account.tx_held_fen, account.tx_entry_seq)
            self.before[account_key] = shown
            self.changed_accounts.add(account_key)
        return account

    def name(self, account_key: int) -> str | None:
        account = self.accounts.get(account_key)
        return account.account_id if account else None

    def names(self, account_keys: Iterable[Any]) -> frozenset[str]:
        return frozenset(name for key in account_keys if (name := self.name(key)))

    def forget(self) -> None:
        """Start the next part with what was stored; the head stays."""
        ids = (self.posting_ids, self.verdict_ids, self.decided, self.held_frozen)
        for part in (self.accounts, self.holds, *ids):
            part.clear()
        self.stored()

    def stored(self) -> None:
        """What changed so far is kept elsewhere now."""
        for part in (self.changed_accounts, self.changed_holds, self.used, self.batches):
            part.clear()

    async def load(self, transactions: list[Transaction], at: datetime) -> None:
        """Everything stored that these transactions name; who is held frozen at that time."""
        named = _Named()
        for transaction in transactions:
            for change in transaction.changes:
                named.add(change)
        await self._load_ids(named.postings, named.verdicts)
        await self.load_holds(named.holds)
        for hold in self.holds.values():
            named.accounts |= {hold.debit, hold.credit}
        await self.load_accounts(named.accounts)
        frozen = {account.account_id for account in self.accounts.values() if account.tx_frozen}
        await self.load_held(frozen | named.frozen, at)

    async def load_accounts(self, keys: set[int]) -> None:
        sql = "select * from risk.audit_account where account_key = any($1)"
        found = await SEC.query_as(Account, sql, list(keys))
        self.accounts.update((account.account_key, account) for account in found)

    async def load_held(self, account_ids: set[str], at: datetime) -> None:
        """Which of these nobody may thaw. Not a freeze of just now: a thaw may have been on its
        way already."""
        if account_ids:
            rows = await SEC.query(_HELD, list(account_ids), at - FREEZE_GRACE, at)
            self.held_frozen.update(row["account_id"] for row in rows)

    async def load_holds(self, ids: set[str]) -> None:
        sql = "select * from risk.audit_hold where hold_id = any($1)"
        self.holds.update((h.hold_id, h) for h in await SEC.query_as(Hold, sql, list(ids)))

    async def _load_ids(self, postings: set[str], verdicts: set[str]) -> None:
        for table, column, into, ids in (
            ("audit_posting", "posting_id", self.posting_ids, postings),
            ("audit_posting", "verdict_id", self.verdict_ids, verdicts),
            ("decision", "verdict_id", self.decided, verdicts),
        ):
            sql = f"select {column} from risk.{table} where {column} = any($1)"  # noqa: S608
            into.update(row[0] for row in await SEC.query(sql, list(ids)))

    async def store(self) -> None:
        """Inside the caller's transaction."""
        await _put(_ACCOUNTS, [self.accounts[key] for key in self.changed_accounts], Account)
        await _put(_HOLDS, [self.holds[id_] for id_ in self.changed_holds], Hold)
        await _put(_USED, self.used, Used)
        await _put(_BATCHES, self.batches, Head)


class _Named:
    """What rows of the ledger's tables name, whichever table they are of."""

    def __init__(self) -> None:
        self.accounts: set[int] = set()
        self.holds: set[str] = set()
        self.postings: set[str] = set()
        self.verdicts: set[str] = set()
        self.frozen: set[str] = set()

    def add(self, change: Change) -> None:
        for row in (change.old, change.new):
            if row is None:
                continue
            columns = ("account_key", "counterparty", "debit", "credit")
            self.accounts |= {row[c] for c in columns if row.get(c) is not None}
            if row.get("frozen"):
                self.frozen.add(row["account_id"])
            for column, into in (
                ("hold_id", self.holds),
                ("posting_id", self.postings),
                ("verdict_id", self.verdicts),
            ):
                if row.get(column) is not None:
                    into.add(row[column])


async def _put(sql: str, rows: list[Any], kind: type[Any]) -> None:
    if rows:
        fields = kind.__struct_fields__
        await SEC.query(sql, *([getattr(row, field) for row in rows] for field in fields))


_ACCOUNTS = """
insert into risk.audit_account select * from unnest(
    $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
on conflict (account_key) do update set
    posted_fen = excluded.posted_fen, held_fen = excluded.held_fen,
    entry_seq = excluded.entry_seq, tx_posted_fen = excluded.tx_posted_fen,
    tx_held_fen = excluded.tx_held_fen, tx_entry_seq = excluded.tx_entry_seq,
    opened_us = excluded.opened_us, tx_frozen = excluded.tx_frozen
"""
_HELD = """
select account_id from risk.frozen_account
where account_id = any($1) and frozen_at < $2
union all
select 'person:' || person_id from risk.person
where person_id in (select substr(id, 8) from unnest($1::text[]) id where id like 'person:%')
    and frozen_at < $2 and (thaws_at is null or thaws_at > $3)"""
_HOLDS = """
insert into risk.audit_hold select * from unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
    $7::bigint[], $8::bigint[])
on conflict (hold_id) do update set
    ended_seq = excluded.ended_seq, captured_fen = excluded.captured_fen
"""
_USED = """
insert into risk.audit_posting select * from unnest($1::text[], $2::bigint[], $3::text[])
on conflict do nothing
"""
_BATCHES = """
insert into risk.audit_batch select * from unnest($1::bigint[], $2::bigint[], $3::bigint[],
    $4::bytea[])
on conflict do nothing
"""
