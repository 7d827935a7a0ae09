"""The independent view: everything recomputed from the tables, compared with our own record."""

import asyncpg
import pytest

from backend.chain import account_key
from backend.db import SEC
from backend.keys import published
from backend.risk.auditor.full import AuditReport, verify
from backend.settings import Settings
from tests.risk.auditor.conftest import ANN, BANK, BEN, SHOP, Town, Watch
from tests.risk.auditor.test_lawful import work

A = account_key(ANN)


async def look(settings: Settings) -> AuditReport:
    return await verify(published(settings.path("verdict.json")))


def kinds(report: AuditReport) -> set[str]:
    return {finding.kind for finding in report.findings}


async def test_clean_books_are_proven(town: Town, watch: Watch, databases: Settings) -> None:
    await work(town, rounds=4, size=200)
    await watch.caught_up()
    report = await look(databases)
    head = await town.ledger.head()
    assert report.findings == ()
    assert (report.journal_seq, report.batches) == (head.journal_seq, head.batch_seq)
    assert report.followed_seq == head.journal_seq
    assert report.accounts == 25


HIDDEN = {
    "a balance": (
        f"update ledger.account set posted_fen = posted_fen + 1 where account_key = {A}",
        "balance_wrong",
        {ANN},
    ),
    "an entry's amount": (
        f"update ledger.entry set amount_fen = amount_fen + 1 where account_key = {A}",
        "entry_wrong",
        {ANN, BANK},
    ),
    "an entry more": (
        f"insert into ledger.entry values ({A}, 7, 1, 5, 1, 5, 5)",
        "rows_unexplained",
        set(),
    ),
    "a transfer's side": (
        f"update ledger.transfer set credit = {account_key(SHOP)} where journal_seq = 1",
        "transfer_wrong",
        {ANN, BANK},
    ),
    "a transfer more": (
        f"insert into ledger.transfer values (1, 5, {A}, 9, 5, 'move', null)",
        "row_inserted",
        {ANN},
    ),
    "a posting's content": (
        "update ledger.posting set content = (select content from ledger.posting where"
        " journal_seq = 2) where journal_seq = 1",
        "chain_broken",
        {ANN, BEN, BANK},
    ),
    "a verdict": (
        "update ledger.posting set verdict = null, verdict_id = null where journal_seq = 1",
        "chain_broken",
        {ANN, BANK},
    ),
    "a batch": (
        "update ledger.journal set created_at = created_at + interval '1 s' where batch_seq = 2",
        "chain_broken",
        {BEN, BANK},
    ),
    "a batch less": (
        "delete from ledger.journal where batch_seq = 1",
        "chain_broken",
        {BEN, BANK},
    ),
    "a floor": (
        f"update ledger.account set floor_fen = -5 where account_key = {A}",
        "record_differs",
        {ANN},
    ),
}


@pytest.mark.parametrize("what", HIDDEN)
async def test_what_was_changed_behind_the_log_is_found(
    watch: Watch, databases: Settings, root: asyncpg.Connection, what: str
) -> None:
    """As if in the files: the auditor is stopped, nothing is streamed."""
    sql, kind, accounts = HIDDEN[what]
    await watch.stop()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute(sql)
    report = await look(databases)
    [finding] = [f for f in report.findings if f.kind == kind][:1]
    assert set(finding.accounts) == accounts


async def test_a_record_that_was_changed_is_found(watch: Watch, databases: Settings) -> None:
    """The security system's own operator is no safer hand."""
    await watch.stop()
    await SEC.query(
        "update risk.audit_account set posted_fen = posted_fen + 1 where account_id = $1", ANN
    )
    report = await look(databases)
    assert [(f.kind, f.accounts) for f in report.findings] == [("record_differs", (ANN,))]


async def test_rounds_find_what_the_log_never_told(
    town: Town, watch: Watch, root: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.risk.auditor.ROUND_PAUSE_S", 0.1)
    await watch.stop()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute(f"update ledger.entry set amount_fen = 5 where account_key = {A}")
    # The slot is moved past it, and the auditor made to believe that it was there.
    await root.execute(
        "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots"
        " where database = current_database() and active; checkpoint"
    )
    lsn = await root.fetchval("select pg_current_wal_flush_lsn()::text")
    await root.execute(
        f"select pg_replication_slot_advance(slot_name, '{lsn}') from pg_replication_slots"
        " where database = current_database()"
    )
    await SEC.query("update risk.audit_state set slot_lsn = $1", lsn)
    await watch.start()
    while not await watch.alarms():
        await watch.looked_around()
    await watch.looked_around()  # several rounds more: told once
    [alarm] = await watch.alarms()
    assert alarm["kind"] == "entry_wrong"
    assert await watch.frozen() == {ANN, BANK}
