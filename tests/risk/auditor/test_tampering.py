"""A database superuser changes the books: an alarm within 5 s, and the accounts are frozen."""

import time

import asyncpg
import pytest

from backend.chain import account_key
from backend.db import SEC
from backend.risk.status import status
from tests.risk.auditor.conftest import ANN, BANK, BEN, SHOP, Town, Watch

A, B, S = account_key(ANN), account_key(BEN), account_key(SHOP)

TAMPERINGS = {
    "a balance is raised": (
        f"update ledger.account set posted_fen = posted_fen + 100 where account_key = {A}",
        "row_updated",
        {ANN},
    ),
    "money moves without a journal": (
        f"update ledger.account set posted_fen = posted_fen - 100 where account_key = {A};"
        f"update ledger.account set posted_fen = posted_fen + 100 where account_key = {B}",
        "row_updated",
        {ANN, BEN},
    ),
    "a floor is lowered": (
        f"update ledger.account set floor_fen = -1000000 where account_key = {A}",
        "row_updated",
        {ANN},
    ),
    "an account's kind is altered": (
        f"update ledger.account set kind = 'bank' where account_key = {A}",
        "row_updated",
        {ANN},
    ),
    "an account is made older": (
        f"update ledger.account set opened_at = opened_at - interval '1 d' where account_key = {A}",
        "row_updated",
        {ANN},
    ),
    "a rich account is opened": (
        "insert into ledger.account values"
        " (ledger.account_key('person:eve'), 'person:eve', 'person', 'CNY', 0, 500, 0, 0, false,"
        " now())",
        "row_inserted",
        {"person:eve"},
    ),
    "an account is removed": (
        f"delete from ledger.account where account_key = {S}",
        "row_deleted",
        {SHOP},
    ),
    "a transfer is inserted": (
        f"insert into ledger.transfer values (1, 1, {A}, {B}, 500, 'move', null)",
        "row_inserted",
        {ANN, BEN},
    ),
    "a transfer's amount is altered": (
        "update ledger.transfer set amount_fen = 1 where journal_seq = 1",
        "row_updated",
        {ANN, BANK},
    ),
    "an old posting is altered": (
        "update ledger.posting set content = content || '\\x00' where journal_seq = 1",
        "row_updated",
        {ANN, BANK},
    ),
    "a posting is removed": (
        "delete from ledger.posting where journal_seq = 2",
        "row_deleted",
        {BEN, BANK},
    ),
    "entries are inserted": (
        f"insert into ledger.entry values ({A}, 9, 1, 1, {B}, 5, 5), ({B}, 9, 1, 1, {A}, -5, 5)",
        "row_inserted",
        {ANN, BEN},
    ),
    "an entry is altered": (
        f"update ledger.entry set balance_fen = 5 where account_key = {A}",
        "row_updated",
        {ANN, BANK},
    ),
    "an entry is removed": (
        f"delete from ledger.entry where account_key = {A}",
        "row_deleted",
        {ANN, BANK},
    ),
    "an old batch is altered": (
        "update ledger.journal set chain_hash = prev_hash where batch_seq = 1",
        "row_updated",
        set(),
    ),
    "the newest batch is removed": (
        "delete from ledger.journal where batch_seq = 2",
        "row_deleted",
        set(),
    ),
    "a hold is invented": (
        "insert into ledger.hold values"
        f" ('h9', {A}, {B}, 5, now() + interval '1 h', 1, null, null)",
        "row_inserted",
        {ANN, BEN},
    ),
    "a refusal is invented for what was posted": (
        "insert into ledger.refusal select posting_id, '', 'x', now() from ledger.posting limit 1",
        "row_inserted",
        set(),
    ),
    "a table is emptied": ("truncate ledger.refusal", "truncated", {ANN, BEN, SHOP, BANK}),
    "all is emptied": (
        "truncate ledger.account, ledger.journal, ledger.posting, ledger.entry, ledger.transfer",
        "truncated",
        {ANN, BEN, SHOP, BANK},
    ),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_a_changed_row_is_told_and_frozen(
    watch: Watch, root: asyncpg.Connection, what: str
) -> None:
    sql, kind, accounts = TAMPERINGS[what]
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute(sql)
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == kind
    assert set(alarm["accounts"]) == accounts or kind == "truncated"
    assert await watch.frozen() == accounts


async def test_a_flood_of_changes_does_not_drown_the_alarm(
    watch: Watch, root: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.risk.auditor.pgoutput.MAX_KEPT", 100)
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute(
            "insert into ledger.refusal select 'r' || n, '', 'x', now()"
            " from generate_series(1, 2000) n"
        )
    alarm = await watch.alarm_after(since)
    assert (alarm["kind"], await watch.frozen()) == ("too_large", {ANN, BEN, SHOP, BANK})


async def test_status_shows_the_alarm_and_how_far_the_journal_is_verified(
    watch: Watch, root: asyncpg.Connection
) -> None:
    clean = await status()
    assert (clean.open_alarms, clean.audited_seq) == (0, 2)
    since = time.monotonic()
    await root.execute("alter table ledger.account disable trigger account_moved")
    await root.execute(
        f"update ledger.account set posted_fen = posted_fen + 1 where account_key = {B}"
    )
    await watch.alarm_after(since, count=2)
    shown = await status()
    assert shown.open_alarms == 2
    assert {alarm.kind for alarm in shown.alarms} == {"guard_changed", "row_updated"}
    assert shown.audited_at is not None
    assert clean.audited_at is not None
    assert shown.audited_at > clean.audited_at


async def test_the_same_row_by_row_one_alarm_per_transaction(
    watch: Watch, root: asyncpg.Connection
) -> None:
    """A change of fifty rows is one alarm that names what it touched."""
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute("update ledger.entry set balance_fen = balance_fen + 1")
        await root.execute("update ledger.account set posted_fen = posted_fen + 1")
    alarm = await watch.alarm_after(since)
    await watch.looked_around()
    assert len(await watch.alarms()) == 1
    assert set(alarm["accounts"]) == {ANN, BEN, SHOP, BANK}


@pytest.mark.parametrize("seen", [True, False])
async def test_a_thaw_in_the_books_alone_is_told(
    town: Town, watch: Watch, root: asyncpg.Connection, seen: bool
) -> None:
    """By the log, or by the comparison after the log was lost."""
    await SEC.query(
        "with alarm as (insert into risk.alarm (kind, detail, accounts, raised_at, closed_at) "
        "values ('x', '', '{}', now(), now()) returning alarm_id) "
        "insert into risk.frozen_account select $1, alarm_id, now() - interval '1 h', 'alarm' "
        "from alarm",
        ANN,
    )
    await town.ledger.set_frozen((ANN, BEN), True)
    await watch.caught_up()
    assert len(await watch.alarms()) == 1
    if not seen:
        await watch.stop()
        await SEC.query("update risk.audit_state set synced = false")
    await town.ledger.set_frozen((BEN,), False)  # nobody holds Ben frozen
    await root.execute(f"update ledger.account set frozen = false where account_key = {A}")
    since = time.monotonic()
    if not seen:
        await watch.start()
    alarm = await watch.alarm_after(since, count=2)
    assert (alarm["kind"], alarm["accounts"]) == ("thawed_in_books", [ANN])
    await town.pay(BEN, ANN, 1)
    await watch.caught_up()
    assert len(await watch.alarms()) == 2
