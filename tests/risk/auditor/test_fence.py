"""Whoever closes the auditor's eye is seen doing it, and what was done meanwhile is found."""

import time

import asyncpg
import pytest

from backend.chain import account_key
from backend.db import SEC
from backend.risk.auditor import outage
from backend.settings import Settings
from tests.risk.auditor.conftest import ANN, BANK, BEN, SHOP, Town, Watch, move

A = account_key(ANN)
STEAL = (
    "set local session_replication_role = replica;"
    f"update ledger.account set posted_fen = posted_fen + 100 where account_key = {A}"
)
DROP_SLOT = (  # its last reader may need a moment to leave
    "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots"
    " where database = current_database() and active;"
    "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
    " where database = current_database()"
)

FENCES = {
    "the publication goes": ("drop publication yipay_audit", "publication_changed"),
    "a verb is hidden": (
        "alter publication yipay_audit set (publish = 'insert')",
        "publication_changed",
    ),
    "a table leaves": (
        "alter publication yipay_audit drop table ledger.entry",
        "publication_changed",
    ),
    "old values are hidden": (
        "alter table ledger.entry replica identity default",
        "table_changed",
    ),
    "columns change places": (
        "alter table ledger.transfer rename debit to x;"
        "alter table ledger.transfer rename credit to debit;"
        "alter table ledger.transfer rename x to credit",
        "table_changed",
    ),
    "a child table adds rows": (
        "create table ledger.more () inherits (ledger.entry)",
        "table_changed",
    ),
    "a trigger is disabled": (
        "alter table ledger.entry disable trigger entry_append_only",
        "guard_changed",
    ),
    "a guard is emptied": (
        "create or replace function ledger.append_only() returns trigger language plpgsql as"
        " 'begin return null; end'",
        "guard_changed",
    ),
    "a table is rewritten": (
        "alter table ledger.entry alter amount_fen type bigint using amount_fen * 2",
        "table_rewritten",
    ),
}


@pytest.mark.parametrize("what", FENCES)
async def test_a_changed_fence_is_told(watch: Watch, root: asyncpg.Connection, what: str) -> None:
    sql, kind = FENCES[what]
    since = time.monotonic()
    async with root.transaction():
        await root.execute(sql)
    assert (await watch.alarm_after(since))["kind"] == kind


async def test_a_change_hidden_from_the_log_is_found(
    watch: Watch, root: asyncpg.Connection
) -> None:
    """Out of the publication and back in one transaction: nothing of it was streamed."""
    since = time.monotonic()
    async with root.transaction():
        await root.execute("alter publication yipay_audit drop table ledger.account")
        await root.execute(STEAL)
        await root.execute("alter publication yipay_audit add table ledger.account")
    alarm = await watch.alarm_after(since, count=2)
    assert [a["kind"] for a in await watch.alarms()] == ["publication_changed", "balance_wrong"]
    assert set(alarm["accounts"]) == await watch.frozen() == {ANN}


async def test_the_slot_is_dropped_under_our_eyes(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    since = time.monotonic()
    await root.execute(DROP_SLOT)
    assert (await watch.alarm_after(since))["kind"] == "slot_lost"
    await town.pay(ANN, SHOP, 1)
    await watch.caught_up()
    assert len(await watch.alarms()) == 1


async def test_what_was_done_while_the_slot_was_away_is_found(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    await watch.stop()
    await root.execute(DROP_SLOT)
    async with root.transaction():
        await root.execute(STEAL)
    await town.pay(BEN, SHOP, 1)  # lawful, and unseen too
    since = time.monotonic()
    await watch.start()
    alarm = await watch.alarm_after(since, count=2)
    assert [a["kind"] for a in await watch.alarms()] == ["slot_lost", "balance_wrong"]
    assert set(alarm["accounts"]) == {ANN}
    await watch.caught_up()
    assert len(await watch.alarms()) == 2


async def test_a_slot_that_others_moved_on(watch: Watch, root: asyncpg.Connection) -> None:
    await watch.stop()
    # A slot moves only as far as the log is flushed, and the tests' commits don't wait for that.
    await root.execute("set synchronous_commit = on")
    async with root.transaction():
        await root.execute(STEAL)
    await root.execute(
        "select pg_terminate_backend(active_pid, 2000) from pg_replication_slots"
        " where database = current_database() and active;"
        "select pg_replication_slot_advance(slot_name, pg_current_wal_insert_lsn())"
        " from pg_replication_slots where database = current_database()"
    )
    since = time.monotonic()
    await watch.start()
    await watch.alarm_after(since, count=2)
    assert [a["kind"] for a in await watch.alarms()] == ["slot_moved", "balance_wrong"]


async def test_a_journal_set_back(town: Town, watch: Watch, root: asyncpg.Connection) -> None:
    """As after an old backup is restored: a day's last payment never was."""
    await town.pay(ANN, SHOP, 7_00)
    await watch.caught_up()
    await watch.stop()
    await root.execute(DROP_SLOT)
    async with root.transaction():
        await root.execute(
            "set local session_replication_role = replica;"
            "delete from ledger.journal where batch_seq = 3;"
            "delete from ledger.posting where batch_seq = 3;"
            "delete from ledger.transfer where journal_seq = 3;"
            "delete from ledger.entry where journal_seq = 3;"
            f"update ledger.account set posted_fen = posted_fen + 700, entry_seq = 1"
            f" where account_key = {A};"
            f"update ledger.account set posted_fen = 0, entry_seq = 0"
            f" where account_id = '{SHOP}'"
        )
    since = time.monotonic()
    await watch.start()
    alarm = await watch.alarm_after(since, count=2)
    assert alarm["kind"] == "journal_rewound"
    assert set(alarm["accounts"]) == {ANN, SHOP}
    await town.post(move(BANK, BEN, 1_00))  # the writer finds its memory wrong and reads again
    await watch.caught_up()
    assert len(await watch.alarms()) == 2


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [("system_id", "7", "cluster_replaced"), ("slot_lsn", "FF/0", "cluster_rewound")],
)
async def test_another_cluster_in_its_place(
    watch: Watch, column: str, value: str, kind: str
) -> None:
    """What is remembered of the cluster is not what answers now."""
    await watch.stop()
    await SEC.query(f"update risk.audit_state set {column} = $1", value)
    since = time.monotonic()
    await watch.start()
    assert (await watch.alarm_after(since))["kind"] == kind
    await watch.caught_up()
    assert len(await watch.alarms()) == 1


async def test_an_account_removed_while_away(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    await watch.stop()
    await root.execute(DROP_SLOT)
    async with root.transaction():
        await root.execute(
            "set local session_replication_role = replica;"
            f"delete from ledger.account where account_id = '{SHOP}'"
        )
    since = time.monotonic()
    await watch.start()
    alarm = await watch.alarm_after(since, count=2)
    assert alarm["kind"] == "row_deleted"
    assert set(alarm["accounts"]) == {SHOP}


async def test_books_that_are_not_published_are_no_clean_start(
    town: Town, databases: Settings, root: asyncpg.Connection
) -> None:
    await root.execute("alter publication yipay_audit drop table ledger.entry")
    watch = Watch(databases, town.signer)
    since = time.monotonic()
    await watch.start()
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "publication_changed"
    assert "entry" in alarm["detail"]
    await watch.stop()


async def test_emptying_a_table_is_told_once(watch: Watch, root: asyncpg.Connection) -> None:
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica; truncate ledger.refusal")
    await watch.alarm_after(since)
    await watch.looked_around()
    assert [a["kind"] for a in await watch.alarms()] == ["truncated"]


async def test_books_that_may_not_be_read_are_no_outage(
    town: Town, databases: Settings, root: asyncpg.Connection
) -> None:
    """Nor is any other error of SQL: waiting in silence would help nobody but a thief."""
    await root.execute("revoke select on ledger.journal from yipay_auditor")
    watch = Watch(databases, town.signer)
    since = time.monotonic()
    await watch.start()
    assert (await watch.alarm_after(since))["kind"] == "auditor_stuck"
    await root.execute("grant select on ledger.journal to yipay_auditor")
    await watch.caught_up()
    await watch.stop()


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (asyncpg.UndefinedColumnError(), False),
        (asyncpg.QueryCanceledError(), False),
        (asyncpg.AdminShutdownError(), True),
        (asyncpg.TooManyConnectionsError(), True),
        (asyncpg.DeadlockDetectedError(), True),
        (ConnectionRefusedError(), True),
    ],
)
def test_what_waiting_may_help(error: Exception, waits: bool) -> None:
    assert outage(error) is waits
