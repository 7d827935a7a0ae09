"""The independent view of the books: everything recomputed from the tables, from the first batch.

Finds what the log cannot tell: rows changed in files, or while the log was not followed. `yipay
audit` runs it once; the auditor runs it over and over at a bounded rate.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from backend.db import BOOKS, SEC
from backend.risk.auditor import compare, history
from backend.risk.auditor.batch import accounts_of
from backend.risk.auditor.books import Account, Books, Head
from backend.risk.auditor.findings import Finding
from backend.risk.auditor.judge import judge_all
from backend.risk.auditor.posted import Keys, account_key
from backend.risk.auditor.state import load_state

MAX_FINDINGS = 100

_COUNTS = """
select (select count(*) from ledger.posting) as postings,
    (select count(*) from ledger.transfer) as transfers,
    (select count(*) from ledger.entry) as entries"""
_SUMS = "select currency, sum(posted_fen)::bigint as total from ledger.account group by currency"
_OPEN = """
select account_key, account_id, currency, floor_fen,
    (extract(epoch from opened_at) * 1000000)::bigint as opened_us from ledger.account
where account_key = any($1)"""


class AuditFinding(msgspec.Struct, frozen=True, array_like=True):
    """kind: as of an alarm. detail: ids only."""

    kind: str
    detail: str
    accounts: tuple[str, ...]


class AuditReport(msgspec.Struct, frozen=True, array_like=True):
    """What was verified, up to which posting, and the first MAX_FINDINGS things wrong."""

    journal_seq: int
    batches: int
    accounts: int
    followed_seq: int  # up to here it was also compared with the auditor's own record
    seconds: float
    findings: tuple[AuditFinding, ...]


async def verify(keys: Keys, postings_per_s: int = 0) -> AuditReport:
    """Reads only. db.BOOKS and db.SEC must be open. postings_per_s: 0 = as fast as it goes."""
    pass_ = _Pass(keys, postings_per_s)
    while await pass_.page():
        pass
    async with BOOKS.transaction():
        await BOOKS.query("set transaction isolation level repeatable read, read only")
        for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await BOOKS.query(f"set local {timeout} = 0")  # counting all rows takes its time
        while await pass_.page():  # what was posted meanwhile
            pass
        await pass_.finish()
    return pass_.report()


class _Pass:
    def __init__(self, keys: Keys, postings_per_s: int) -> None:
        self._keys, self._rate = keys, postings_per_s
        self._books = Books(Head())
        self._findings: list[Finding] = []
        self._began = time.monotonic()
        self._transfers = self._entries = self._accounts = self._followed = 0

    async def page(self) -> bool:
        """One page of the journal; False at its end."""
        began = time.monotonic()
        books = self._books
        page = await history.read_page(books.head.batch_seq)
        if page is None:
            return False
        await self._open_accounts(page)
        await history.read_entries(books, page)
        await self._recorded(page)
        batches = page.transactions()
        self._found(await asyncio.to_thread(judge_all, books, batches, self._keys, images=False))
        self._transfers += len(page.transfers)
        self._entries += len(page.entries)
        for ids in (books.posting_ids, books.verdict_ids, books.decided):
            ids.clear()
        books.stored()
        if self._rate:
            await asyncio.sleep(began + len(page.postings) / self._rate - time.monotonic())
        return True

    async def finish(self) -> None:
        """Balances, holds and numbers of rows, all in the caller's snapshot."""
        state = await load_state()
        async for rows in compare.account_rows():
            self._accounts += len(rows)
            mirror = Books(state.head)
            await mirror.load_accounts({row["account_key"] for row in rows})
            level = state.synced and state.head == self._books.head
            for row in rows:
                self._account(row, mirror.accounts.get(row["account_key"]), level)
        async for holds in compare.hold_rows():
            names = self._books.names
            self._found(
                Finding("hold_wrong", f"hold {h.hold_id}", names((h.debit, h.credit)))
                for h in holds
                if self._books.holds.pop(h.hold_id, None) != h
            )
        self._found(Finding("row_deleted", f"hold {id_}") for id_ in self._books.holds)
        await self._totals()

    def report(self) -> AuditReport:
        head, seconds = self._books.head, time.monotonic() - self._began
        findings = tuple(
            AuditFinding(f.kind, f.detail, tuple(sorted(f.accounts))) for f in self._findings
        )
        return AuditReport(
            head.last_seq, head.batch_seq, self._accounts, self._followed, seconds, findings
        )

    def _found(self, findings: Iterable[Finding]) -> None:
        self._findings += list(findings)[: MAX_FINDINGS - len(self._findings)]

    async def _open_accounts(self, page: history.Page) -> None:
        """Accounts begin with nothing when they are first moved."""
        keys = {row[side] for row in page.transfers for side in ("debit", "credit")}
        for row in await BOOKS.query(_OPEN, list(keys - self._books.accounts.keys())):
            self._books.accounts[row["account_key"]] = Account(**dict(row))

    async def _recorded(self, page: history.Page) -> None:
        """The same batches and postings as when they were followed."""
        if self._followed == 0:
            self._followed = (await load_state()).head.last_seq
        books = self._books
        verdicts = [row["verdict_id"] for row in page.postings if row["verdict_id"]]
        sql = "select verdict_id from risk.decision where verdict_id = any($1)"
        books.decided.update(row[0] for row in await SEC.query(sql, verdicts))
        rows = await SEC.query(
            "select batch_seq, chain_hash from risk.audit_batch where batch_seq = any($1)",
            [row["batch_seq"] for row in page.journal],
        )
        hashes = {row["batch_seq"]: row["chain_hash"] for row in rows}
        rows = await SEC.query(
            "select posting_id, journal_seq from risk.audit_posting where posting_id = any($1)",
            [row["posting_id"] for row in page.postings],
        )
        places = {row["posting_id"]: row["journal_seq"] for row in rows}
        self._found(
            Finding("record_differs", f"batch {row['batch_seq']}")
            for row in page.journal
            if row["last_seq"] <= self._followed
            and hashes.get(row["batch_seq"]) != row["chain_hash"]
        )
        self._found(
            Finding("record_differs", f"posting {row['journal_seq']}", accounts_of(books, row))
            for row in page.postings
            if row["journal_seq"] <= self._followed
            and places.get(row["posting_id"]) != row["journal_seq"]
        )

    def _account(self, row: Any, mirror: Account | None, level: bool) -> None:
        name, key = row["account_id"], row["account_key"]
        if name is None:  # what the table's own rules would never let in
            self._found([Finding("unreadable", f"account {key}")])
            return
        made = self._books.accounts.get(key)
        if made is None:
            made = Account(key, name, row["currency"], row["floor_fen"])
            made.opened_us = row["opened_us"]
        fault = compare.account_fault(row, made)
        if fault is None and key != account_key(name):
            fault = Finding("row_inserted", f"account {name}", frozenset({name}))
        told = any(name in f.accounts for f in self._findings)  # what differs follows from it
        if not told and fault is None and mirror is not None and not _agree(mirror, made, level):
            fault = Finding("record_differs", f"account {name}", frozenset({name}))
        if fault is not None:
            self._found([fault])

    async def _totals(self) -> None:
        """Rows that no batch explains, and money that came from nowhere."""
        [row] = await BOOKS.query(_COUNTS)
        counts = (row["postings"], row["transfers"], row["entries"])
        expected = (self._books.head.last_seq, self._transfers, self._entries)
        tables = ("posting", "transfer", "entry")
        self._found(
            Finding("rows_unexplained", f"{table}: {count - wanted} rows")
            for table, count, wanted in zip(tables, counts, expected, strict=True)
            if count != wanted
        )
        self._found(
            Finding("sum_wrong", f"balances in {row['currency']} sum to {row['total']}")
            for row in await BOOKS.query(_SUMS)
            if row["total"] and not self._findings  # else it only follows from what was found
        )


def _agree(mirror: Account, made: Account, level: bool) -> bool:
    """The auditor's own books against what the journal makes; level: they stand at one batch."""
    if (mirror.currency, mirror.floor_fen) != (made.currency, made.floor_fen):
        return False
    if mirror.opened_us is not None and mirror.opened_us != made.opened_us:
        return False
    ours = (mirror.posted_fen, mirror.held_fen, mirror.entry_seq)
    return not level or ours == (made.posted_fen, made.held_fen, made.entry_seq)
