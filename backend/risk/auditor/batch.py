"""Is this journal batch lawful? Its link to the one before, and each of its postings."""

from hashlib import sha256

import msgspec

from backend import chain
from backend.posting import Posting
from backend.risk.auditor import posted
from backend.risk.auditor.books import Books, Head
from backend.risk.auditor.findings import Finding
from backend.risk.auditor.pgoutput import Row
from backend.risk.auditor.posted import Keys, Rows


class Batch(msgspec.Struct):
    """The rows that one transaction added; transfers and entries leave it as they are explained."""

    journal: list[Row] = []
    postings: list[Row] = []
    transfers: Rows = {}  # by journal_seq, line
    entries: Rows = {}  # by account_key, entry_seq


def judge_batch(books: Books, batch: Batch, keys: Keys) -> list[Finding]:
    """What is wrong; the books are moved on by all that is right."""
    batch.postings.sort(key=lambda row: row["journal_seq"])
    findings = _link(books, batch)
    linked = not findings
    for row in batch.postings:
        kind = _judge_posting(books, batch, row, keys, linked)
        if kind:
            finding = Finding(kind, f"posting {row['journal_seq']}", accounts_of(books, row))
            findings.append(finding)
    return findings + leftovers(books, batch)


def leftovers(books: Books, batch: Batch) -> list[Finding]:
    """Rows that belong to no posting of the batch."""
    out = []
    for table, rows in (("transfer", batch.transfers), ("entry", batch.entries)):
        if rows:
            accounts = frozenset[str]().union(*(accounts_of(books, r) for r in rows.values()))
            first = min(row["journal_seq"] for row in rows.values())
            out.append(Finding("row_inserted", f"ledger.{table} of {first}", accounts))
    return out


def accounts_of(books: Books, row: Row) -> frozenset[str]:
    """Whose accounts a row of any of the ledger's tables names."""
    columns = ("account_key", "counterparty", "debit", "credit")
    names = books.names(row[column] for column in columns if row.get(column) is not None)
    if row.get("account_id") is not None:
        names |= {row["account_id"]}
    if row.get("content") is not None:
        posting = _posting(row)
        names |= (
            {side for t in posting.transfers for side in (t.debit, t.credit)} if posting else set()
        )
    return names


def _link(books: Books, batch: Batch) -> list[Finding]:
    """The batch continues the journal, without a gap, under the hash of what it holds."""
    journal, last = batch.journal[0], batch.journal[-1]
    head = next((h for h in (books.head, books.other_head) if h and _follows(h, journal)), None)
    seqs = [row["journal_seq"] for row in batch.postings]
    ok = (
        head is not None
        and len(batch.journal) == 1
        and seqs == list(range(journal["first_seq"], journal["last_seq"] + 1))
        and all(row["batch_seq"] == journal["batch_seq"] for row in batch.postings)
        and journal["chain_hash"] == _chain_hash(journal, batch.postings)
    )
    # After an unlawful batch the writer may go on from it or from the one before: both are known.
    books.other_head = None if ok else books.head
    books.head = Head(last["batch_seq"], last["last_seq"], last["created_at"], last["chain_hash"])
    books.batches.append(books.head)
    if ok:
        return []
    accounts = frozenset[str]().union(*(accounts_of(books, row) for row in batch.postings))
    return [Finding("chain_broken", f"batch {journal['batch_seq']}", accounts)]


def _follows(head: Head, journal: Row) -> bool:
    return bool(
        journal["batch_seq"] == head.batch_seq + 1
        and journal["first_seq"] == head.last_seq + 1
        and journal["prev_hash"] == head.chain_hash
        and journal["created_at"] >= head.created_us
    )


def _chain_hash(journal: Row, postings: list[Row]) -> bytes:
    hashes = []
    for row in postings:
        hashes.append(sha256(row["content"]).digest())
        hashes.append(chain.verdict_hash(row["verdict"]))
    created_ms = journal["created_at"] // 1000
    return chain.chain_hash(
        journal["prev_hash"], journal["batch_seq"], journal["first_seq"], created_ms, hashes
    )


def _judge_posting(books: Books, batch: Batch, row: Row, keys: Keys, linked: bool) -> str:
    """Kind of alarm, or "". Only what is lawful enters the auditor's own balances."""
    seq, posting = row["journal_seq"], _posting(row)
    if posting is None:
        return "posting_invalid"
    effects = posted.effects_of(books, posting)
    at_ms = batch.journal[0]["created_at"] // 1000
    faults = [
        posted.content_fault(books, row, posting),
        posted.verdict_fault(books, row, posting, keys, at_ms),
        posted.transfers_fault(seq, posting, batch.transfers),
        "transfer_wrong" if effects is None else "",
        posted.entries_fault(books, seq, effects or [], batch.entries),
    ]
    kind = next(filter(None, faults), "")
    if not kind and linked and effects is not None:
        kind = posted.adopt(books, seq, posting, effects)
    lawful = linked and not kind
    books.use(posting.posting_id, seq, row["verdict_id"] if lawful else None)
    return kind


def _posting(row: Row) -> Posting | None:
    try:
        return chain.posting_of(row["content"])
    except msgspec.MsgspecError:
        return None
