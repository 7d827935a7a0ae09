"""Lawful work raises no alarm, and stopping or killing the auditor loses and doubles nothing."""

import asyncio
import secrets

import asyncpg
import pytest

from backend import ids
from backend.chain import account_key
from backend.db import LEDGER, SEC
from backend.ledger import NewAccount, Posted
from backend.posting import Op, Posting, Transfer
from backend.risk.auditor.stream import StreamLost
from backend.settings import Settings
from tests.risk.auditor.conftest import ANN, BANK, BEN, SHOP, Town, Watch, hold, move, posting

FEES = "fee:income"


def some_posting(people: list[str]) -> Posting:
    """Anything people do: pay with a fee, hold, try what they can't afford."""
    payer, payee = secrets.choice(people), secrets.choice(people)
    while payee == payer:
        payee = secrets.choice(people)
    amount = secrets.randbelow(900) + 1
    return secrets.choice(
        (
            lambda: move(payer, payee, amount),
            lambda: posting(Transfer(payer, payee, amount), Transfer(payee, FEES, 1)),
            lambda: hold(payer, payee, amount, ids.new("hld")),
            lambda: move(payer, payee, 10_000_000),
            lambda: move(BANK, payer, amount),
            lambda: move(BANK, FEES, 1),
            lambda: posting(Transfer(payer, payee, 5), Transfer(payee, payer, 5)),
        )
    )()


async def work(town: Town, rounds: int, size: int) -> int:
    """Rounds of postings at once; some holds are ended in the next round. How many were posted."""
    people = [f"person:p{i}" for i in range(20)] + [ANN, BEN, SHOP]
    await town.ledger.open_accounts(tuple(NewAccount(p) for p in people))
    await town.ledger.open_accounts((NewAccount(FEES, None),))
    standing: list[Transfer] = []
    done = 0
    for _ in range(rounds):
        postings = [some_posting(people) for _ in range(size)] + [ended(t) for t in standing]
        results = await town.post(*postings)
        moved = [p for p, r in zip(postings, results, strict=True) if isinstance(r, Posted)]
        standing = [t for p in moved for t in p.transfers if t.op is Op.HOLD]
        done += len(moved)
        frozen = secrets.choice(people)
        await town.ledger.set_frozen((frozen,), True)
        await town.post(move(ANN, frozen, 1))
        await town.ledger.set_frozen((frozen,), False)
    return done


def ended(held: Transfer) -> Posting:
    part = secrets.randbelow(held.amount_fen) + 1
    return secrets.choice(
        (
            posting(Transfer(held.debit, held.credit, part, Op.CAPTURE, held.hold_id)),
            posting(Transfer(held.debit, held.credit, held.amount_fen, Op.VOID, held.hold_id)),
        )
    )


async def books_agree() -> None:
    """The auditor's books are the ledger's, account by account and hold by hold."""
    columns = "account_key, posted_fen, held_fen, entry_seq"
    theirs = await LEDGER.query(f"select {columns} from ledger.account order by 1")
    ours = await SEC.query(f"select {columns} from risk.audit_account order by 1")
    assert [tuple(r) for r in theirs] == [tuple(r) for r in ours]
    shown = "account_key, tx_posted_fen, tx_held_fen, tx_entry_seq"
    drift = await SEC.query(f"select {shown} from risk.audit_account order by 1")
    assert [tuple(r) for r in drift] == [tuple(r) for r in ours]
    columns = "hold_id, debit, credit, amount_fen, made_seq, ended_seq, captured_fen"
    theirs = await LEDGER.query(f"select {columns} from ledger.hold order by 1")
    ours = await SEC.query(f"select {columns} from risk.audit_hold order by 1")
    assert [tuple(r) for r in theirs] == [tuple(r) for r in ours]
    columns = "posting_id, journal_seq, verdict_id"
    theirs = await LEDGER.query(
        f"select {columns} from ledger.posting union all"
        " select posting_id, 0, null from ledger.refusal order by 1"
    )
    ours = await SEC.query(f"select {columns} from risk.audit_posting order by 1")
    assert [tuple(r) for r in theirs] == [tuple(r) for r in ours]
    columns = "batch_seq, last_seq, chain_hash"
    theirs = await LEDGER.query(f"select {columns} from ledger.journal order by 1")
    ours = await SEC.query(f"select {columns} from risk.audit_batch order by 1")
    assert [tuple(r) for r in theirs] == [tuple(r) for r in ours]


async def test_a_busy_town_raises_no_alarm(town: Town, watch: Watch) -> None:
    await work(town, rounds=12, size=250)
    head = await town.ledger.head()
    assert head.journal_seq > 2_000
    await watch.caught_up()
    assert await watch.alarms() == []
    await books_agree()


async def test_books_that_exist_already_are_read(
    town: Town, databases: Settings, root: asyncpg.Connection
) -> None:
    await work(town, rounds=3, size=100)
    watch = Watch(databases, town.signer)
    await watch.start()
    await watch.caught_up()
    await work(town, rounds=1, size=100)
    await watch.caught_up()
    await watch.stop()
    assert await watch.alarms() == []


async def test_stopping_at_any_moment_loses_and_doubles_nothing(town: Town, watch: Watch) -> None:
    working = asyncio.create_task(work(town, rounds=10, size=100))
    while not working.done():
        await asyncio.sleep(secrets.randbelow(200) / 1000)
        await watch.stop()
        await watch.start()
    await working
    await watch.caught_up()
    assert await watch.alarms() == []
    await books_agree()


async def test_a_lost_connection_is_opened_again(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    for _ in range(3):
        await work(town, rounds=1, size=50)
        await root.execute(
            "select pg_terminate_backend(active_pid) from pg_replication_slots"
            " where database = current_database()"
        )
    await watch.caught_up()
    assert await watch.alarms() == []
    await books_agree()


async def test_what_was_stored_but_not_confirmed_is_not_judged_twice(
    town: Town, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash between the commit of the findings and the word to the server."""
    await watch.stop()

    def crash(self: object, lsn: int) -> None:
        raise StreamLost("crashed")

    with monkeypatch.context() as patch:
        patch.setattr("backend.risk.auditor.Stream.confirm", crash)
        await town.pay(ANN, SHOP, 5_00)
        with pytest.raises(StreamLost):
            await watch.auditor.step()
    await town.pay(ANN, SHOP, 5_00)
    await watch.start()
    await watch.caught_up()
    assert await watch.alarms() == []
    await books_agree()


async def test_holds_end_by_themselves(town: Town, watch: Watch) -> None:
    await town.post(hold(ANN, SHOP, 7_00, "h1", seconds=1))
    await asyncio.sleep(1.1)
    await town.ledger.expire_due()
    await watch.caught_up()
    assert await watch.alarms() == []
    [row] = await SEC.query(
        "select held_fen from risk.audit_account where account_key = $1", account_key(ANN)
    )
    assert row["held_fen"] == 0
