"""Is this transaction lawful? Pure: the books and the changes in, findings out.

Lawful are: opening an empty account, one batch of the journal with all that belongs to it, a
refusal, and the ledger's own freezing flag. Whatever else reaches the log is an alarm.

A refusal is taken at its word unless its id was posted or refused before: it has no signature and
is under no hash. Who invents one can stop a payment, which the payer sees; it moves no money.
"""

import msgspec

from backend.posting import kind_of
from backend.risk.auditor.batch import Batch, accounts_of, judge_batch, leftovers
from backend.risk.auditor.books import Account, Books, Hold
from backend.risk.auditor.findings import Finding, together
from backend.risk.auditor.pgoutput import Change, Row, Transaction
from backend.risk.auditor.posted import Keys, account_key

_HOLD_COLUMNS = (
    "hold_id", "debit", "credit", "amount_fen", "deadline_at", "made_seq", "ended_seq",
    "captured_fen",
)  # fmt: skip
_KIND = {"insert": "row_inserted", "update": "row_updated", "delete": "row_deleted"}


def judge(
    books: Books, transaction: Transaction, keys: Keys, *, images: bool = True
) -> Finding | None:
    """All that is wrong with it as one finding; the books are moved on by what is right.

    images: False for history read from tables, which has no images of accounts and holds.
    """
    if transaction.dropped:
        # Whole tables, it seems: too much to be a batch, and to name who is touched.
        size = len(transaction.changes) + transaction.dropped
        return Finding(
            "too_large", f"transaction {transaction.xid}: {size} changes", every_account=True
        )
    batch, rows = Batch([], [], {}, {}), _Images({}, {})
    books.before.clear()
    books.turned.clear()
    try:
        findings = _judge(books, transaction, batch, rows, keys)
        if images:
            findings += _judge_images(books, rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Rows that are not even of the ledger's form. Never a reason to stop looking.
        findings = [_unreadable(books, transaction, error)]
    return together(findings)


def judge_all(
    books: Books, transactions: list[Transaction], keys: Keys, *, images: bool = True
) -> list[Finding]:
    found = [judge(books, transaction, keys, images=images) for transaction in transactions]
    return [finding for finding in found if finding is not None]


class _Images(msgspec.Struct):
    """The last image of each account and hold that the transaction changed."""

    accounts: dict[int, Row]
    holds: dict[str, Row]


def _judge(
    books: Books, transaction: Transaction, batch: Batch, rows: _Images, keys: Keys
) -> list[Finding]:
    findings = [f for c in transaction.changes if (f := _sort(books, batch, c, rows))]
    if batch.journal:
        findings += judge_batch(books, batch, keys)
    else:
        findings += [_found("row_inserted", "posting", books, row) for row in batch.postings]
        findings += leftovers(books, batch)
    return findings


def _judge_images(books: Books, rows: _Images) -> list[Finding]:
    holds, accounts = rows.holds.keys() | books.turned, rows.accounts.keys() | books.before.keys()
    findings = [f for id_ in holds if (f := _hold(books, id_, rows.holds))]
    return findings + [f for key in accounts if (f := _account(books, key, rows))]


def _sort(books: Books, batch: Batch, change: Change, rows: _Images) -> Finding | None:
    """Put the change where it is judged; a finding if no such change is ever lawful."""
    row, table = change.new, change.table.rpartition(".")[2]
    if change.verb == "truncate":
        return Finding("truncated", table, every_account=True)
    renamed = change.old is not None  # only a changed key writes the old one to the log
    if row is not None and not renamed:
        if table == "hold":
            rows.holds[row["hold_id"]] = row
            return None
        if change.verb == "insert":
            return _insert(books, batch, table, row)
        if table == "account":
            rows.accounts[row["account_key"]] = row
            return None
    accounts = accounts_of(books, change.old or {}) | accounts_of(books, row or {})
    if table == "hold":
        hold = books.holds.get((change.old or row or {})["hold_id"])
        accounts |= books.names((hold.debit, hold.credit)) if hold else set()
    return Finding(_KIND[change.verb], _label(table, change.old or row or {}), accounts)


def _insert(books: Books, batch: Batch, table: str, row: Row) -> Finding | None:
    if table == "journal":
        batch.journal.append(row)
    elif table == "posting":
        batch.postings.append(row)
    elif table in ("transfer", "entry"):
        line = table == "transfer"
        key = (row["journal_seq"], row["line"]) if line else (row["account_key"], row["entry_seq"])
        into = batch.transfers if line else batch.entries
        if key in into:
            return _found("row_inserted", table, books, row)
        into[key] = row
    elif table == "account":
        return _open(books, row)
    elif table == "refusal":
        if row["posting_id"] in books.posting_ids:
            return _found("row_inserted", table, books, row)
        books.use(row["posting_id"], 0, None)
    else:
        return Finding("row_inserted", table)
    return None


def _open(books: Books, row: Row) -> Finding | None:
    """An account starts with nothing."""
    key, values = row["account_key"], (row["posted_fen"], row["held_fen"], row["entry_seq"])
    known = books.accounts.get(key)
    lawful = (
        known is None
        and values == (0, 0, 0)
        and key == account_key(row["account_id"])
        and row["kind"] == kind_of(row["account_id"])
    )
    if known is None and key == account_key(row["account_id"]):
        known = Account(key, row["account_id"], row["currency"], row["floor_fen"])
        known.opened_us = row["opened_at"]
        books.accounts[key] = known
    if known is not None:
        known.tx_frozen = row["frozen"]
        _show(books, known, values)
    return None if lawful else _found("row_inserted", "account", books, row)


def _account(books: Books, key: int, rows: _Images) -> Finding | None:
    """The row shows what the batch makes of it, and nothing else has changed."""
    row, account, before = rows.accounts.get(key), books.accounts.get(key), books.before.get(key)
    if account is None:
        return _found("row_updated", "account", books, row or {})
    expected = (account.tx_posted_fen, account.tx_held_fen, account.tx_entry_seq)
    if row is None:
        if before == expected:
            return None
        _show(books, account, before or expected)
        return Finding("balance_wrong", account.account_id, frozenset({account.account_id}))
    shown = (row["posted_fen"], row["held_fen"], row["entry_seq"])
    thawed = thawed_fault(books, account, row["frozen"])
    if shown == expected and same_account(row, row["opened_at"], account):
        return thawed
    _show(books, account, shown)
    kind = "row_updated" if before is None else "balance_wrong"
    return Finding(kind, account.account_id, accounts_of(books, row) | {account.account_id})


def same_account(row: Row, opened_us: int, account: Account) -> bool:
    """What of an account never changes."""
    if account.opened_us is None:
        account.opened_us = opened_us
    return (
        row["account_id"] == account.account_id
        and row["kind"] == kind_of(account.account_id)
        and row["currency"] == account.currency
        and row["floor_fen"] == account.floor_fen
        and opened_us == account.opened_us
    )


def thawed_fault(books: Books, account: Account, frozen: bool) -> Finding | None:
    """The ledger's flag went down while the security system holds the account frozen."""
    before = account.tx_frozen
    if frozen != before:
        account.tx_frozen = frozen
        books.changed_accounts.add(account.account_key)
    if frozen or not before or account.account_id not in books.held_frozen:
        return None
    return Finding("thawed_in_books", account.account_id, frozenset({account.account_id}))


def _show(books: Books, account: Account, values: tuple[int, int, int]) -> None:
    """Remember what tx shows, so that the next lawful batch is judged from there."""
    account.tx_posted_fen, account.tx_held_fen, account.tx_entry_seq = values
    books.changed_accounts.add(account.account_key)


def _hold(books: Books, hold_id: str, images: dict[str, Row]) -> Finding | None:
    row, hold = images.get(hold_id), books.holds.get(hold_id)
    if hold is not None and row is not None and hold_id in books.turned:
        shown = [row[field] for field in _HOLD_COLUMNS]
        if shown == [getattr(hold, field) for field in Hold.__struct_fields__]:
            return None
    sides = (hold.debit, hold.credit) if hold else ()
    accounts = books.names(sides) | accounts_of(books, row or {})
    kind = "row_updated" if hold else "row_inserted"
    kind = "hold_wrong" if hold_id in books.turned else kind
    return Finding(kind, f"hold {hold_id}", accounts)


def _found(kind: str, table: str, books: Books, row: Row) -> Finding:
    return Finding(kind, _label(table, row), accounts_of(books, row))


def _label(table: str, row: Row) -> str:
    """The table and the row's key: numbers and ids only."""
    names = (
        "journal_seq",
        "line",
        "batch_seq",
        "hold_id",
        "posting_id",
        "account_key",
        "entry_seq",
    )
    return " ".join(
        [table, *(f"{name} {row[name]}" for name in names if row.get(name) is not None)]
    )


def _unreadable(books: Books, transaction: Transaction, error: Exception) -> Finding:
    rows = [row for change in transaction.changes for row in (change.old, change.new) if row]
    accounts = frozenset[str]().union(*(accounts_of(books, row) for row in rows))
    return Finding("unreadable", f"transaction {transaction.xid}: {type(error).__name__}", accounts)
