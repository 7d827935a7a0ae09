"""What the writer asks the books before it decides."""

from collections.abc import Collection, Iterable
from hashlib import sha256

import asyncpg
import msgspec

from backend.chain import GENESIS, verdict_of
from backend.db import Database
from backend.errors import DomainError
from backend.ledger import PRECEDENCE, JournalHead, Outcome, Posted, Sealed
from backend.ledger.batch import Account, Hold

REFUSALS: dict[str, type[DomainError]] = {refusal.code: refusal for refusal in PRECEDENCE}


class Known(msgspec.Struct, frozen=True):
    """What became of an id, and of which content."""

    content_hash: bytes
    outcome: Outcome


async def accounts_of(database: Database, keys: Collection[int]) -> dict[int, Account]:
    rows = await database.query(
        "select account_key, currency, floor_fen, posted_fen, held_fen, entry_seq, frozen"
        " from ledger.account where account_key = any($1::bigint[])",
        list(keys),
    )
    return {row["account_key"]: Account(row) for row in rows}


async def holds_of(database: Database, hold_ids: Collection[str]) -> dict[str, Hold]:
    rows = await database.query(
        "select hold_id, debit, credit, amount_fen, deadline_at, ended_seq"
        " from ledger.hold where hold_id = any($1::text[])",
        list(hold_ids),
    )
    return {row["hold_id"]: Hold.read(row) for row in rows}


async def known_of(database: Database, posting_ids: Iterable[str]) -> dict[str, Known]:
    """Posted or refused for good."""
    ids = list(posting_ids)
    posted = await database.query(
        "select posting_id, journal_seq, posted_at, content from ledger.posting"
        " where posting_id = any($1::text[])",
        ids,
    )
    refused = await database.query(
        "select posting_id, content_hash, code from ledger.refusal"
        " where posting_id = any($1::text[])",
        ids,
    )
    known = {
        row["posting_id"]: Known(row["content_hash"], Outcome(None, row["code"])) for row in refused
    }
    for row in posted:
        result = Posted(row["posting_id"], row["journal_seq"], row["posted_at"])
        known[row["posting_id"]] = Known(sha256(row["content"]).digest(), Outcome(result))
    return known


async def sealed_of(database: Database, posting_id: str) -> Sealed | None:
    rows = await database.query(
        "select journal_seq, posted_at, content, verdict from ledger.posting where posting_id = $1",
        posting_id,
    )
    if not rows:
        return None
    [row] = rows
    verdict = None if row["verdict"] is None else verdict_of(row["verdict"])
    return Sealed(row["content"], verdict, Posted(posting_id, row["journal_seq"], row["posted_at"]))


async def spent_of(database: Database, verdict_ids: Iterable[str]) -> set[str]:
    rows = await database.query(
        "select verdict_id from ledger.posting where verdict_id = any($1::text[])",
        list(verdict_ids),
    )
    return {row["verdict_id"] for row in rows}


HEAD = (
    "select batch_seq, last_seq, chain_hash, created_at from ledger.journal"
    " order by batch_seq desc limit 1"
)


def head_of(row: asyncpg.Record | None) -> JournalHead:
    if row is None:
        return JournalHead(0, 0, GENESIS)
    return JournalHead(row["batch_seq"], row["last_seq"], row["chain_hash"])
