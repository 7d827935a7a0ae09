"""Prove the books: everything is recomputed from the postings and held against what is stored.

Runs in one snapshot under the auditor's read-only role, while the ledger goes on.
"""

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

import asyncpg
import msgspec

from backend.chain import (
    GENESIS,
    account_key,
    chain_hash,
    content_of,
    posting_of,
    verdict_hash,
    verdict_of,
)
from backend.clock import to_ms
from backend.db import Database
from backend.ledger.replay import Kept, KeptHold, Replay
from backend.posting import Posting, needs_verdict
from backend.verdict import fault

MAX_FAULTS = 1_000
FETCH = 2_000  # rows

_UNIQUE = {"posting_once", "posting_verdict_once"}

_SNAPSHOT = (
    "set transaction isolation level repeatable read, read only",
    "set local statement_timeout = 0",
    "set local idle_in_transaction_session_timeout = 0",
    "set local work_mem = '64MB'",
)


class Fault(msgspec.Struct, frozen=True):
    """kind: a machine word; subject: the posting, account, batch or hold it is about."""

    kind: str
    subject: str


class Proof(msgspec.Struct, frozen=True):
    """What was looked at, and what is wrong; at most MAX_FAULTS faults are listed."""

    batches: int
    postings: int
    entries: int
    accounts: int
    faults: tuple[Fault, ...]

    @property
    def clean(self) -> bool:
        return not self.faults


async def audit(books: Database, verdict_keys: Mapping[str, bytes]) -> Proof:
    """Read everything once, in journal order. `books`: open, any role that may read the ledger."""
    async with books.transaction():
        for setting in _SNAPSHOT:
            await books.query(setting)
        current = books.current_transaction.get()
        assert current is not None
        return await _Audit(current.connection, verdict_keys).run()


class _Rows:
    """Rows of a query in journal order, taken up to a number."""

    def __init__(self, connection: asyncpg.Connection, sql: str) -> None:
        self._cursor: AsyncIterator[asyncpg.Record] = aiter(connection.cursor(sql, prefetch=FETCH))
        self._next: asyncpg.Record | None = None

    async def upto(self, journal_seq: float) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = []
        while True:
            if self._next is None:
                self._next = await anext(self._cursor, None)
            if self._next is None or self._next["journal_seq"] > journal_seq:
                return rows
            rows.append(self._next)
            self._next = None


class _Audit:
    def __init__(self, connection: asyncpg.Connection, keys: Mapping[str, bytes]) -> None:
        self._connection, self._keys = connection, keys
        self._faults: list[Fault] = []
        self._batches = self._postings = self._entries = 0

    async def run(self) -> Proof:
        stored = await self._connection.fetch("select * from ledger.account")
        self._replay = Replay({row["account_key"]: self._kept(row) for row in stored})
        await self._journal()
        self._balances(stored)
        await self._holds()
        await self._refusals()
        await self._indexes()
        counts = self._batches, self._postings, self._entries, len(stored)
        return Proof(*counts, tuple(self._faults[:MAX_FAULTS]))

    def _fault(self, kind: str, subject: object) -> None:
        self._faults.append(Fault(kind, str(subject)))

    def _kept(self, row: asyncpg.Record) -> Kept:
        if row["account_key"] != account_key(row["account_id"]):
            self._fault("account_key", row["account_id"])
        return Kept(row["account_id"], row["currency"], row["floor_fen"])

    # -- the journal ------------------------------------------------------------------------------

    async def _journal(self) -> None:
        order = "order by journal_seq"
        postings = _Rows(self._connection, f"select * from ledger.posting {order}")  # noqa: S608
        transfers = _Rows(
            self._connection,
            f"select * from ledger.transfer {order}, line",  # noqa: S608
        )
        entries = _Rows(
            self._connection,
            f"select * from ledger.entry {order}, line, amount_fen",  # noqa: S608 — no input
        )
        before = (0, 0, GENESIS, 0)
        async for batch in self._connection.cursor(
            "select * from ledger.journal order by batch_seq", prefetch=FETCH
        ):
            self._batches += 1
            within = await postings.upto(batch["last_seq"])
            before = self._batch(batch, before, within)
            for row in within:
                seq = row["journal_seq"]
                await self._posting(row, await transfers.upto(seq), await entries.upto(seq), batch)
        for rows in (postings, transfers, entries):
            for row in await rows.upto(float("inf")):
                self._fault("outside_journal", row["journal_seq"])

    def _batch(
        self,
        batch: asyncpg.Record,
        before: tuple[int, int, bytes, int],
        rows: list[asyncpg.Record],
    ) -> tuple[int, int, bytes, int]:
        number, last, chain, at_ms = before
        first, created_ms = last + 1, to_ms(batch["created_at"])
        linked = (number + 1, first, chain) == (
            batch["batch_seq"], batch["first_seq"], batch["prev_hash"],
        )  # fmt: skip
        if not linked or created_ms < at_ms:
            self._fault("journal_link", batch["batch_seq"])
        if [row["journal_seq"] for row in rows] != list(range(first, batch["last_seq"] + 1)):
            self._fault("journal_gap", batch["batch_seq"])
        hashes = (
            part
            for row in rows
            for part in (sha256(row["content"]).digest(), verdict_hash(row["verdict"]))
        )
        expected = chain_hash(
            batch["prev_hash"], batch["batch_seq"], batch["first_seq"], created_ms, hashes
        )
        if expected != batch["chain_hash"]:
            self._fault("chain_hash", batch["batch_seq"])
        return batch["batch_seq"], batch["last_seq"], batch["chain_hash"], created_ms

    # -- one posting ------------------------------------------------------------------------------

    async def _posting(
        self,
        row: asyncpg.Record,
        transfers: list[asyncpg.Record],
        entries: list[asyncpg.Record],
        batch: asyncpg.Record,
    ) -> None:
        self._postings += 1
        self._entries += len(entries)
        posting_id = row["posting_id"]
        try:
            posting = posting_of(row["content"])
        except msgspec.MsgspecError:
            self._fault("content", posting_id)
            return
        if content_of(posting) != row["content"] or posting.posting_id != posting_id:
            self._fault("content", posting_id)
        if row["batch_seq"] != batch["batch_seq"] or row["posted_at"] != batch["created_at"]:
            self._fault("batch", posting_id)
        self._verdict(row, posting, to_ms(batch["created_at"]))
        self._rows(posting, row["journal_seq"], transfers, entries)

    def _verdict(self, row: asyncpg.Record, posting: Posting, at_ms: int) -> None:
        if row["verdict"] is None:
            if needs_verdict(posting):
                self._fault("verdict_missing", posting.posting_id)
            return
        try:
            signed = verdict_of(row["verdict"])
        except msgspec.MsgspecError:
            self._fault("verdict", posting.posting_id)
            return
        verdict_id = signed.verdict.verdict_id
        if fault(signed, posting, self._keys, at_ms) or verdict_id != row["verdict_id"]:
            self._fault("verdict", posting.posting_id)

    def _rows(
        self,
        posting: Posting,
        journal_seq: int,
        transfers: list[asyncpg.Record],
        entries: list[asyncpg.Record],
    ) -> None:
        replay = self._replay
        replay.apply(posting, journal_seq)
        for kind, subject in replay.faults:
            self._fault(kind, f"{posting.posting_id} {subject}")
        lines = [
            (r["line"], r["debit"], r["credit"], r["amount_fen"], r["op"], r["hold_id"])
            for r in transfers
        ]
        entered = [
            (r["line"], r["account_key"], r["entry_seq"], r["counterparty"], r["amount_fen"],
             r["balance_fen"])
            for r in entries
        ]  # fmt: skip
        stray = {r["journal_seq"] for r in (*transfers, *entries)} - {journal_seq}
        if stray or lines != replay.lines:
            self._fault("transfers", posting.posting_id)
        if stray or entered != replay.entries:
            self._fault("entries", posting.posting_id)

    # -- what stands now --------------------------------------------------------------------------

    def _balances(self, stored: list[asyncpg.Record]) -> None:
        sums: dict[str, int] = {}
        for row in stored:
            kept = self._replay.accounts[row["account_key"]]
            standing = (row["posted_fen"], row["held_fen"], row["entry_seq"])
            if standing != (kept.posted, kept.held, kept.seq):
                self._fault("balance", row["account_id"])
            if kept.floor is not None and row["posted_fen"] - row["held_fen"] < kept.floor:
                self._fault("below_floor", row["account_id"])
            sums[row["currency"]] = sums.get(row["currency"], 0) + row["posted_fen"]
        for currency, total in sums.items():
            if total:
                self._fault("sum", currency)

    async def _holds(self) -> None:
        expected = dict(self._replay.holds)
        async for row in self._connection.cursor("select * from ledger.hold", prefetch=FETCH):
            kept = expected.pop(row["hold_id"], None)
            found = KeptHold(
                row["debit"], row["credit"], row["amount_fen"], to_ms(row["deadline_at"]),
                row["made_seq"], row["ended_seq"], row["captured_fen"],
            )  # fmt: skip
            if found != kept:
                self._fault("hold", row["hold_id"])
        for hold_id in expected:
            self._fault("hold", hold_id)

    async def _refusals(self) -> None:
        async for row in self._connection.cursor(
            "select posting_id from ledger.refusal join ledger.posting using (posting_id)"
        ):
            self._fault("refused_and_posted", row["posting_id"])

    async def _indexes(self) -> None:
        """That no id and no verdict is there twice is theirs to prove: no memory holds them all."""
        rows = await self._connection.fetch(
            "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid"
            " where i.indrelid = 'ledger.posting'::regclass and i.indisunique and i.indisvalid"
        )
        for name in sorted(_UNIQUE - {row["relname"] for row in rows}):
            self._fault("index_missing", name)
