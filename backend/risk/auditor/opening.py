"""The first look, and the look after the log was lost: what the tables say, against our books.

A new slot and a snapshot of exactly that moment: everything before is read from the tables and
judged as the log would have been, everything after comes through the log.
"""

import asyncio
from datetime import datetime

import asyncpg

from backend.db import BOOKS, SEC
from backend.risk.auditor import fence, history
from backend.risk.auditor.alarms import raise_alarm
from backend.risk.auditor.books import Books, Head
from backend.risk.auditor.compare import compare_accounts, compare_holds, open_unknown
from backend.risk.auditor.findings import Finding, together
from backend.risk.auditor.judge import judge_all
from backend.risk.auditor.posted import Keys
from backend.risk.auditor.state import State, save_state
from backend.risk.auditor.stream import Stream

DROP_TRIES = 50
DROP_WAIT_S = 0.1


async def resync(stream: Stream, slot: str, state: State, keys: Keys, at: datetime) -> State:
    """Read on from the last batch we know; one alarm for all that does not fit.

    All or nothing: until its one commit the books are those of before.
    """
    await _drop(slot)
    system = await stream.identify()
    made = await stream.create_slot(slot)
    facts = await fence.facts()
    # Two clusters: the one is only read, in the snapshot of the slot's first moment.
    async with BOOKS.transaction(), SEC.transaction():
        await BOOKS.query("set transaction isolation level repeatable read, read only")
        await BOOKS.query(f"set transaction snapshot '{made.snapshot}'")
        for database in (BOOKS, SEC):  # the one may be idle while the other is at work
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                await database.query(f"set local {timeout} = 0")
        books = Books(state.head)
        findings = fence.missing(facts) + await open_unknown(books)
        findings += await _read_on(books, keys, at)
        findings += await compare_accounts(books, at) + await compare_holds(books)
        finding = together(findings)
        if finding is not None:
            await raise_alarm(finding, at)
        done = State(True, made.lsn, books.head, system.system_id, facts)
        await save_state(done, at)
    return done


async def _read_on(books: Books, keys: Keys, at: datetime) -> list[Finding]:
    """Judge the batches after the books' head, and store what is right of them."""
    findings = await _rewound(books)
    while page := await history.read_page(books.head.batch_seq):
        await books.load(page.transactions(), at)
        await history.read_entries(books, page)
        findings += await asyncio.to_thread(
            judge_all, books, page.transactions(), keys, images=False
        )
        await books.store()
        books.forget()
    return findings


async def _rewound(books: Books) -> list[Finding]:
    """Our last batch must be theirs too; if not, they are followed from where they are now."""
    head = books.head
    if head == Head():
        return []
    sql = (
        "select batch_seq, last_seq, (extract(epoch from created_at) * 1000000)::bigint"
        " as created_us, chain_hash from ledger.journal where batch_seq = $1"
    )
    if await BOOKS.one(Head, sql, head.batch_seq) == head:
        return []
    newest = sql.replace("where batch_seq = $1", "order by batch_seq desc limit 1")
    books.head = await BOOKS.one(Head, newest) or Head()
    return [Finding("journal_rewound", f"batch {head.batch_seq} is not what it was")]


async def _drop(slot: str) -> None:
    """Our own slot of before. Its last reader may need a moment to leave."""
    for _ in range(DROP_TRIES):
        try:
            await BOOKS.query(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
                " where slot_name = $1",
                slot,
            )
        except asyncpg.ObjectInUseError:
            await asyncio.sleep(DROP_WAIT_S)
        else:
            return
