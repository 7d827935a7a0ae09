"""The journal as the tables have it now, page by page, in the form in which the log would bring it.

Entries are fetched by their keys, as many as the page's transfers make: that is an index look-up,
on one PostgreSQL or on many. Rows that nothing explains are counted at the end of a full pass.
"""

from collections import Counter
from typing import Any

from backend.db import BOOKS
from backend.posting import Op
from backend.risk.auditor.books import Books
from backend.risk.auditor.pgoutput import Change, Row, Transaction

MAX_BATCHES = 200
MAX_POSTINGS = 2_000
MAX_SPAN = 20_000  # whatever an altered journal says of itself

_US = "(extract(epoch from {0}) * 1000000)::bigint as {0}"
_JOURNAL = f"""
select batch_seq, first_seq, last_seq, prev_hash, chain_hash, {_US.format("created_at")}
from ledger.journal where batch_seq > $1 order by batch_seq limit {MAX_BATCHES}"""  # noqa: S608
_POSTINGS = """
select journal_seq, batch_seq, posting_id, content, verdict_id, verdict
from ledger.posting where journal_seq between $1 and $2 order by journal_seq"""
_TRANSFERS = """
select journal_seq, line, debit, credit, amount_fen, op, hold_id
from ledger.transfer where journal_seq between $1 and $2"""
_ENTRIES = """
select e.account_key, e.entry_seq, journal_seq, line, counterparty, amount_fen, balance_fen
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as k (account_key, low, high)
join ledger.entry e on e.account_key = k.account_key and e.entry_seq between k.low and k.high"""


class Page:
    """Some whole batches, and the entries that their transfers should have made."""

    def __init__(self, journal: list[Row], postings: list[Row], transfers: list[Row]) -> None:
        self.journal, self.postings, self.transfers = journal, postings, transfers
        self.entries: list[Row] = []

    @property
    def last_batch(self) -> int:
        return int(self.journal[-1]["batch_seq"])

    def transactions(self) -> list[Transaction]:
        """One per batch, in order."""
        changes: dict[int, list[Change]] = {
            row["batch_seq"]: [_insert("journal", row)] for row in self.journal
        }
        batch_of = {row["journal_seq"]: row["batch_seq"] for row in self.postings}
        for table, rows in (
            ("posting", self.postings),
            ("transfer", self.transfers),
            ("entry", self.entries),
        ):
            for row in rows:
                batch_seq = batch_of.get(row["journal_seq"], self.last_batch)
                changes.get(batch_seq, changes[self.last_batch]).append(_insert(table, row))
        return [Transaction(0, 0, 0, rows) for rows in changes.values()]


def _insert(table: str, row: Row) -> Change:
    return Change("insert", f"ledger.{table}", None, row)


async def read_page(after_batch: int) -> Page | None:
    """What follows that batch, without its entries; None at the end."""
    journal = _cut(_rows(await BOOKS.query(_JOURNAL, after_batch)))
    if not journal:
        return None
    low = min(row["first_seq"] for row in journal)
    high = min(max(row["last_seq"] for row in journal), low + MAX_SPAN)
    postings = _rows(await BOOKS.query(_POSTINGS, low, high))
    transfers = _rows(await BOOKS.query(_TRANSFERS, low, high))
    return Page(journal, postings, transfers)


async def read_entries(books: Books, page: Page) -> None:
    """The entries after each account's last known one. The books hold the page's accounts."""
    moved: Counter[int] = Counter()
    for row in page.transfers:
        if row["op"] in (Op.MOVE, Op.CAPTURE):
            moved.update((row["debit"], row["credit"]))
    known = [(books.accounts[key], n) for key, n in moved.items() if key in books.accounts]
    page.entries = _rows(
        await BOOKS.query(
            _ENTRIES,
            [account.account_key for account, _ in known],
            [account.tx_entry_seq + 1 for account, _ in known],
            [account.tx_entry_seq + n for account, n in known],
        )
    )


def _cut(journal: list[Row]) -> list[Row]:
    """As many batches as bring about MAX_POSTINGS, at least one."""
    total = 0
    for at, row in enumerate(journal):
        total += row["last_seq"] - row["first_seq"] + 1
        if total >= MAX_POSTINGS:
            return journal[: at + 1]
    return journal


def _rows(records: list[Any]) -> list[Row]:
    return [dict(record) for record in records]
