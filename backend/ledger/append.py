"""One batch, one statement, one commit: accounts by a conditional update, the rest by arrays.

The statement is its own transaction, so a batch costs one round trip. Each account must still have
the entry number it is remembered with, else the statement raises YP001 and nothing is written.
"""

from collections.abc import Coroutine, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import asyncpg
import msgspec

from backend.chain import chain_hash
from backend.clock import from_ms
from backend.ledger import JournalHead
from backend.ledger.batch import Account, Batch

_MOVED = """
moved as (
  update ledger.account as a set posted_fen = a.posted_fen + d.posted,
    entry_seq = a.entry_seq + d.entries{held}
  from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]{held_column})
    as d (key, posted, entries, seq{held_name})
  where a.account_key = d.key and a.entry_seq = d.seq
    and (a.frozen is false or a.account_key = any($5::bigint[]))
  returning 1
)"""

_JOURNAL = """
batch as (
  insert into ledger.journal
    (batch_seq, first_seq, last_seq, prev_hash, chain_hash, created_at)
  select $7::bigint, $8::bigint, $8::bigint + cardinality($9::text[]) - 1, $13, $14, $15
  where cardinality($9::text[]) > 0
),
posted as (
  insert into ledger.posting
    (journal_seq, batch_seq, posting_id, content, verdict_id, verdict, posted_at)
  select $8::bigint + p.nth - 1, $7::bigint, p.posting_id, p.content, p.verdict_id, p.verdict, $15
  from unnest($9::text[], $10::bytea[], $11::text[], $12::bytea[])
    with ordinality as p (posting_id, content, verdict_id, verdict, nth)
)"""

_LINE_COLUMNS = """unnest($16::bigint[], $17::smallint[], $18::bigint[], $19::bigint[],
    $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[]"""
_LINE_NAMES = "nth, line, debit, credit, amount, debit_seq, debit_after, credit_seq, credit_after"

_ENTERED = """
entered as (
  insert into ledger.entry
    (account_key, entry_seq, journal_seq, line, counterparty, amount_fen, balance_fen)
  select debit, debit_seq, $8::bigint + nth, line, credit, -amount, debit_after from lines {where}
  union all
  select credit, credit_seq, $8::bigint + nth, line, debit, amount, credit_after from lines {where}
)"""

_TRANSFERRED = """
transferred as (
  insert into ledger.transfer (journal_seq, line, debit, credit, amount_fen, op, hold_id)
  select $8::bigint + nth, line, debit, credit, amount, {op}, {hold} from lines
)"""

_HELD = """
made as (
  insert into ledger.hold (hold_id, debit, credit, amount_fen, deadline_at, made_seq)
  select h.hold_id, h.debit, h.credit, h.amount, h.deadline_at, $8::bigint + h.nth
  from unnest($27::bigint[], $28::text[], $29::bigint[], $30::bigint[], $31::bigint[],
    $32::timestamptz[]) as h (nth, hold_id, debit, credit, amount, deadline_at)
),
ended as (
  update ledger.hold as o set ended_seq = $8::bigint + h.nth, captured_fen = h.captured
  from unnest($33::bigint[], $34::text[], $35::bigint[]) as h (nth, hold_id, captured)
  where o.hold_id = h.hold_id and o.ended_seq is null
  returning 1
),
refused as (
  insert into ledger.refusal (posting_id, content_hash, code, refused_at)
  select r.posting_id, r.content_hash, r.code, $15
  from unnest($36::text[], $37::bytea[], $38::text[]) as r (posting_id, content_hash, code)
)"""

_EXPECT_ACCOUNTS = """
select ledger.expect((select count(*) from moved), $6::bigint, 'accounts')"""
_EXPECT_HOLDS = """,
  ledger.expect((select count(*) from ended), cardinality($34::text[]), 'holds')"""

_LINES = """
lines as materialized (
  select * from {columns}) as l ({names})
)"""

MOVES = "with " + ",".join(
    (
        _MOVED.format(held="", held_column="", held_name=""),
        _JOURNAL,
        _LINES.format(columns=_LINE_COLUMNS, names=_LINE_NAMES),
        _ENTERED.format(where=""),
        _TRANSFERRED.format(op="'move'", hold="null") + _EXPECT_ACCOUNTS,
    )
)
"""Nothing but moves: what nearly every batch is."""

ANYTHING = "with " + ",".join(
    (
        _MOVED.format(
            held=", held_fen = a.held_fen + d.held",
            held_column=", $39::bigint[]",
            held_name=", held",
        ),
        _JOURNAL,
        _LINES.format(
            columns=_LINE_COLUMNS + ", $25::text[], $26::text[]",
            names=_LINE_NAMES + ", op, hold_id",
        ),
        _ENTERED.format(where="where debit_seq is not null"),
        _TRANSFERRED.format(op="op", hold="hold_id"),
        _HELD + _EXPECT_ACCOUNTS + _EXPECT_HOLDS,
    )
)
"""With holds or refusals."""

# Plans are made once, without a look at the sizes: a batch finds every row by its key.
_SESSION = """
set plan_cache_mode = force_generic_plan;
set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off
"""

_LINE_FIELDS = 9


Prepared: TypeAlias = "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]"


class Written(msgspec.Struct, frozen=True):
    """The head that the journal has once a batch is committed, and the batch's time."""

    head: JournalHead
    at_ms: int


class Appender:
    """The writer's session with its prepared statements."""

    def __init__(
        self,
        moves: Prepared,
        anything: Prepared,
    ) -> None:
        self._moves, self._anything = moves, anything

    @classmethod
    async def on(cls, connection: asyncpg.Connection) -> "Appender":
        await connection.execute(_SESSION)
        return cls(await connection.prepare(MOVES), await connection.prepare(ANYTHING))

    def append(self, batch: Batch, before: Written, after: Written) -> Coroutine[Any, Any, object]:
        """Commit the batch. Raises asyncpg errors, and then nothing of it is written.

        What to write is read from the batch now, not when it is awaited: the next batch is
        decided on the same accounts.
        """
        changed = [a for a in batch.touched if a.seq != a.seq0 or a.held != a.held0]
        arguments = [*_account_columns(changed), *_posting_arguments(batch, before.head, after)]
        lines = _columns(batch.rows, _LINE_FIELDS + 2)
        if batch.refused or batch.holds_made or batch.holds_ended:
            held = [a.held - a.held0 for a in changed]
            return self._anything.fetchval(*arguments, *lines, *_other_columns(batch), held)
        return self._moves.fetchval(*arguments, *lines[:_LINE_FIELDS])


def after(batch: Batch, before: Written, now_ms: int) -> Written:
    """Where the journal stands after the batch.

    Its time never runs back, and is not past what its verdicts and holds allow: they were good
    when it was decided, and whoever looks back finds them good.
    """
    at_ms = max(before.at_ms, min(now_ms, batch.valid_until_ms - 1))
    head = before.head
    if not batch.works:
        return Written(head, at_ms)
    batch_seq, first_seq = head.batch_seq + 1, head.journal_seq + 1
    hashes = (part for work in batch.works for part in (work.content_hash, work.verdict_hash))
    chain = chain_hash(head.chain_hash, batch_seq, first_seq, at_ms, hashes)
    return Written(JournalHead(batch_seq, head.journal_seq + len(batch.works), chain), at_ms)


def _account_columns(accounts: list[Account]) -> list[object]:
    return [
        [a.key for a in accounts],
        [a.posted - a.posted0 for a in accounts],
        [a.seq - a.seq0 for a in accounts],
        [a.seq0 for a in accounts],
        [a.key for a in accounts if a.frozen0],  # only voided or credited
        len(accounts),
    ]


def _posting_arguments(batch: Batch, head: JournalHead, written: Written) -> list[object]:
    works = batch.works
    return [
        head.batch_seq + 1,
        head.journal_seq + 1,
        [w.posting.posting_id for w in works],
        [w.content for w in works],
        [w.verdict_id for w in works],
        [w.verdict for w in works],
        head.chain_hash,
        written.head.chain_hash,
        from_ms(written.at_ms),
    ]


def _other_columns(batch: Batch) -> list[object]:
    made = [
        (at, hold_id, h.debit, h.credit, h.amount, from_ms(h.deadline_ms))
        for at, hold_id, h in batch.holds_made
    ]
    refused = [(w.posting.posting_id, w.content_hash, why.code) for w, why in batch.refused]
    return [*_columns(made, 6), *_columns(batch.holds_ended, 3), *_columns(refused, 3)]


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[object]:
    return list(zip(*rows, strict=True)) if rows else list(repeat((), width))
