"""The balances and holds that the tables show, against those that the journal makes."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from backend.db import BOOKS, SEC
from backend.risk.auditor.books import Account, Books, Hold
from backend.risk.auditor.findings import Finding
from backend.risk.auditor.judge import same_account, thawed_fault
from backend.risk.auditor.posted import account_key

PAGE = 5_000

_ACCOUNTS = f"""
select account_key, account_id, kind, currency, floor_fen, posted_fen, held_fen, entry_seq,
    (extract(epoch from opened_at) * 1000000)::bigint as opened_us, frozen
from ledger.account where $1::bigint is null or account_key > $1
order by account_key limit {PAGE}"""  # noqa: S608
_HOLDS = f"""
select hold_id, debit, credit, amount_fen,
    (extract(epoch from deadline_at) * 1000000)::bigint as deadline_us, made_seq, ended_seq,
    captured_fen
from ledger.hold where $1::text is null or hold_id > $1
order by hold_id limit {PAGE}"""  # noqa: S608


async def account_rows() -> AsyncIterator[list[Any]]:
    """Pages of the tables' accounts; inside the caller's snapshot."""
    last: int | None = None
    while rows := await BOOKS.query(_ACCOUNTS, last):
        yield rows
        last = rows[-1]["account_key"]


async def hold_rows() -> AsyncIterator[list[Hold]]:
    last: str | None = None
    while rows := await BOOKS.query_as(Hold, _HOLDS, last):
        yield rows
        last = rows[-1].hold_id


def account_fault(row: Any, account: Account | None) -> Finding | None:
    """The row against what the journal makes of the account."""
    if account is None:
        return Finding("row_inserted", row["account_id"], frozenset({row["account_id"]}))
    same = same_account(row, row["opened_us"], account)
    shown = (row["posted_fen"], row["held_fen"], row["entry_seq"])
    if same and shown == (account.tx_posted_fen, account.tx_held_fen, account.tx_entry_seq):
        return None
    names = frozenset({row["account_id"], account.account_id})
    return Finding("balance_wrong", account.account_id, names)


async def compare_accounts(books: Books, at: datetime) -> list[Finding]:
    """All rows against the stored books, which then remember what was shown."""
    findings, count = [], 0
    async for rows in account_rows():
        count += len(rows)
        await books.load_accounts({row["account_key"] for row in rows})
        await books.load_held({a.account_id for a in books.accounts.values() if a.tx_frozen}, at)
        for row in rows:
            account = books.accounts.get(row["account_key"])
            if account is not None and (thawed := thawed_fault(books, account, row["frozen"])):
                findings.append(thawed)
            fault = account_fault(row, account)
            if fault is None:
                continue
            findings.append(fault)
            if account is not None:
                shown = (row["posted_fen"], row["held_fen"], row["entry_seq"])
                account.tx_posted_fen, account.tx_held_fen, account.tx_entry_seq = shown
                books.changed_accounts.add(account.account_key)
        await books.store()
        books.forget()
    return findings + await _gone("account", "account_key", count)


async def compare_holds(books: Books) -> list[Finding]:
    findings, count = [], 0
    async for rows in hold_rows():
        count += len(rows)
        await books.load_holds({row.hold_id for row in rows})
        for row in rows:
            if row != books.holds.get(row.hold_id):
                names = books.names((row.debit, row.credit))
                findings.append(Finding("hold_wrong", f"hold {row.hold_id}", names))
        books.forget()
    return findings + await _gone("hold", "hold_id", count)


async def open_unknown(books: Books) -> list[Finding]:
    """Accounts that the books do not have yet begin with nothing."""
    findings = []
    async for rows in account_rows():
        await books.load_accounts({row["account_key"] for row in rows})
        for row in rows:
            key, name = row["account_key"], row["account_id"]
            if key != account_key(name):
                findings.append(Finding("row_inserted", f"account {name}", frozenset({name})))
            elif key not in books.accounts:
                account = Account(key, name, row["currency"], row["floor_fen"])
                account.opened_us, account.tx_frozen = row["opened_us"], row["frozen"]
                books.accounts[key] = account
                books.changed_accounts.add(key)
        await books.store()
        books.forget()
    return findings


async def _gone(table: str, column: str, count: int) -> list[Finding]:
    """What the books have and the table has not; asked only where the numbers differ."""
    [row] = await SEC.query(f"select count(*) as n from risk.audit_{table}")  # noqa: S608
    if row["n"] <= count:
        return []
    ours = await SEC.query(f"select * from risk.audit_{table}")  # noqa: S608
    theirs = await BOOKS.query(f"select {column} from ledger.{table}")  # noqa: S608
    left = {row[column] for row in theirs}
    lost = [row for row in ours if row[column] not in left]
    names = frozenset(row["account_id"] for row in lost if "account_id" in row.keys())  # noqa: SIM118
    detail = ", ".join(str(row[column]) for row in lost[:20])
    return [Finding("row_deleted", f"{table} {detail}", names)] if lost else []
