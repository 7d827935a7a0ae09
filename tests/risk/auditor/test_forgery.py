"""A superuser writes whole batches that look right: only the verdict is missing, old or forged."""

import time
from hashlib import sha256

import asyncpg
import pytest

from backend import chain, ids
from backend.clock import from_ms, to_ms
from backend.db import LEDGER, SEC
from backend.keys import FileSigner
from backend.posting import Posting, Transfer, posting_hash
from backend.risk.auditor.posted import account_key
from backend.risk.signing import sign_together
from backend.settings import Settings
from backend.verdict import SignedVerdict, Verdict
from tests.risk.auditor.conftest import ANN, BANK, BEN, SHOP, Town, Watch, move

MINUTE_MS = 60_000


async def forge(
    root: asyncpg.Connection, posting: Posting, signed: SignedVerdict | None, at_ms: int = 0
) -> None:
    """A batch of one posting with all its rows, as the ledger would have written them."""
    content = chain.content_of(posting)
    stored = chain.verdict_bytes(signed) if signed else None
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        last = await root.fetchrow("select * from ledger.journal order by batch_seq desc limit 1")
        assert last is not None
        batch, seq = last["batch_seq"] + 1, last["last_seq"] + 1
        at_ms = at_ms or to_ms(last["created_at"]) + 1
        hashes = (sha256(content).digest(), chain.verdict_hash(stored))
        link = chain.chain_hash(last["chain_hash"], batch, seq, at_ms, hashes)
        await root.execute(
            "insert into ledger.journal values ($1, $2, $2, $3, $4, $5)",
            *(batch, seq, last["chain_hash"], link, from_ms(at_ms)),
        )
        await root.execute(
            "insert into ledger.posting values ($1, $2, $3, $4, $5, $6, $7)",
            *(seq, batch, posting.posting_id, content),
            *(signed.verdict.verdict_id if signed else None, stored, from_ms(at_ms)),
        )
        for line, transfer in enumerate(posting.transfers):
            await forge_transfer(root, seq, line, transfer)


async def forge_transfer(root: asyncpg.Connection, seq: int, line: int, transfer: Transfer) -> None:
    debit, credit = account_key(transfer.debit), account_key(transfer.credit)
    await root.execute(
        "insert into ledger.transfer values ($1, $2, $3, $4, $5, 'move', null)",
        *(seq, line, debit, credit, transfer.amount_fen),
    )
    sides = ((debit, credit, -transfer.amount_fen), (credit, debit, transfer.amount_fen))
    for key, other, amount in sides:
        await root.execute(
            "with a as (update ledger.account set posted_fen = posted_fen + $5,"
            " entry_seq = entry_seq + 1 where account_key = $1 returning *)"
            " insert into ledger.entry select $1, entry_seq, $2, $3, $4, $5, posted_fen from a",
            *(key, seq, line, other, amount),
        )


async def expect(watch: Watch, since: float, kind: str, accounts: set[str]) -> None:
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == kind, alarm["detail"]
    assert set(alarm["accounts"]) == accounts
    assert await watch.frozen() == accounts


async def verdict_for(
    town: Town, posting: Posting, signer: FileSigner, known: bool = True, age_ms: int = 0
) -> SignedVerdict:
    if known:
        [signed] = await town.verdicts([posting])
        if not age_ms and signer is town.signer:
            return signed
        verdict_id = signed.verdict.verdict_id
    else:
        verdict_id = ids.new("ver")
    issued = int(time.time() * 1000) - age_ms
    made = Verdict(
        verdict_id, bytes(32), posting_hash(posting), "allow", "A", 1, issued, issued + MINUTE_MS
    )
    return sign_together([made], signer)[0]


async def test_no_verdict(watch: Watch, root: asyncpg.Connection) -> None:
    since = time.monotonic()
    await forge(root, move(ANN, BEN, 100_00), None)
    await expect(watch, since, "verdict_missing", {ANN, BEN})


async def test_a_verdict_under_another_key(
    town: Town, watch: Watch, root: asyncpg.Connection, databases: Settings
) -> None:
    forger = FileSigner(databases.path("elsewhere"), "verdict")
    posting = move(ANN, BEN, 100_00)
    since = time.monotonic()
    await forge(root, posting, await verdict_for(town, posting, forger))
    await expect(watch, since, "verdict_invalid", {ANN, BEN})


async def test_a_verdict_of_another_posting(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    other = await verdict_for(town, move(ANN, BEN, 1), town.signer)
    since = time.monotonic()
    await forge(root, move(ANN, BEN, 100_00), other)
    await expect(watch, since, "verdict_invalid", {ANN, BEN})


async def test_a_verdict_that_had_expired(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    posting = move(ANN, BEN, 100_00)
    old = await verdict_for(town, posting, town.signer, age_ms=2 * MINUTE_MS)
    since = time.monotonic()
    await forge(root, posting, old)
    await expect(watch, since, "verdict_invalid", {ANN, BEN})


async def test_a_batch_dated_back_to_where_its_verdict_was_good(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    posting = move(ANN, BEN, 100_00)
    old = await verdict_for(town, posting, town.signer, age_ms=2 * MINUTE_MS)
    since = time.monotonic()
    await forge(root, posting, old, at_ms=old.verdict.issued_at_ms + 1)
    await expect(watch, since, "chain_broken", {ANN, BEN})


async def test_a_verdict_signed_with_a_stolen_key(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """Well signed, but the security system does not remember giving it."""
    posting = move(ANN, BEN, 100_00)
    stolen = await verdict_for(town, posting, town.signer, known=False)
    since = time.monotonic()
    await forge(root, posting, stolen)
    await expect(watch, since, "verdict_unknown", {ANN, BEN})


async def test_a_verdict_used_twice(town: Town, watch: Watch, root: asyncpg.Connection) -> None:
    await town.pay(ANN, SHOP, 9_00)
    await watch.caught_up()
    used = await root.fetchrow("select * from ledger.posting where journal_seq = 3")
    assert used is not None
    signed = chain.verdict_of(used["verdict"])
    posting = chain.posting_of(used["content"])
    await root.execute(
        "alter table ledger.posting drop constraint posting_once;"
        "drop index ledger.posting_verdict_once"
    )
    since = time.monotonic()
    await forge(root, posting, signed)
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "posting_reused"
    assert await watch.frozen() == {ANN, SHOP}
    assert "verdict" not in alarm["detail"]  # the first reason is enough


async def test_a_verdict_moved_to_another_posting_id(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """The id is part of what the verdict binds."""
    first = move(ANN, SHOP, 9_00)
    [signed] = await town.verdicts([first])
    since = time.monotonic()
    await forge(root, Posting(ids.new("pay"), "pay", first.transfers), signed)
    await expect(watch, since, "verdict_invalid", {ANN, SHOP})


async def test_a_hash_that_does_not_fit(watch: Watch, root: asyncpg.Connection) -> None:
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute(
            "insert into ledger.journal select batch_seq + 1, last_seq + 1, last_seq + 2,"
            " chain_hash, prev_hash, created_at from ledger.journal order by batch_seq desc limit 1"
        )
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "chain_broken"


async def test_rows_beyond_the_ledgers_form(watch: Watch, root: asyncpg.Connection) -> None:
    since = time.monotonic()
    async with root.transaction():
        await root.execute("set local session_replication_role = replica")
        await root.execute("alter table ledger.account alter account_id drop not null")
        await root.execute(
            "insert into ledger.account values (9, null, 'person', 'CNY', 0, 5, 0, 0, false, now())"
        )
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "unreadable"


async def test_after_a_forgery_lawful_work_goes_on_without_a_storm(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """The auditor's own balances stay right; what follows is judged from what tx shows."""
    since = time.monotonic()
    await forge(root, move(BANK, ANN, 500_00), None)
    await watch.alarm_after(since)
    for _ in range(20):
        await town.post(move(BANK, BEN, 1_00), move(BEN, SHOP, 1_00), move(ANN, SHOP, 1_00))
    await watch.caught_up()
    assert len(await watch.alarms()) == 1
    [theirs] = await LEDGER.query(
        "select posted_fen from ledger.account where account_id = $1", ANN
    )
    [ours] = await SEC.query("select posted_fen from risk.audit_account where account_id = $1", ANN)
    assert theirs["posted_fen"] - ours["posted_fen"] == 500_00


async def test_spending_what_was_never_lawfully_there_is_told(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """A verdict given before the alarm lets the false money on its way: whoever gets it is told."""
    await root.execute("set session_replication_role = replica")
    since = time.monotonic()
    await root.execute(
        "update ledger.account set posted_fen = posted_fen + 900000, entry_seq = entry_seq + 1"
        " where account_id = $1",
        ANN,
    )
    await watch.alarm_after(since)
    await town.pay(ANN, SHOP, 1)  # the writer finds its memory wrong and reads again
    await town.pay(ANN, SHOP, 5_000_00)  # more than ever was lawful
    alarm = await watch.alarm_after(time.monotonic(), count=2)
    assert alarm["kind"] == "floor_broken"
    assert set(alarm["accounts"]) == {ANN, SHOP}


@pytest.mark.parametrize("amount", [1, 99_00])
async def test_a_balance_set_right_again_ends_the_drift(
    town: Town, watch: Watch, root: asyncpg.Connection, amount: int
) -> None:
    await root.execute("set session_replication_role = replica")
    for change in (amount, -amount):
        await root.execute(
            "update ledger.account set posted_fen = posted_fen + $1 where account_id = $2",
            change,
            BEN,
        )
    await watch.alarm_after(time.monotonic(), count=2)
    [row] = await SEC.query(
        "select posted_fen = tx_posted_fen as same from risk.audit_account where account_id = $1",
        BEN,
    )
    assert row["same"]
