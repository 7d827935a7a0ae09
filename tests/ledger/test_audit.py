"""The audit finds nothing in clean books, and each way of tampering by a superuser."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from backend import db, keys
from backend.chain import account_key
from backend.ledger.audit import Proof, audit
from backend.ledger.service import LedgerService
from backend.posting import Op
from backend.settings import Settings
from tests.conftest import Servers
from tests.ledger.conftest import Person, move
from tests.ledger.signing import Authority
from tests.ledger.test_holds import end, hold

TAMPERINGS = {
    "balance raised": ("balance", "update ledger.account set posted_fen = posted_fen + 1"),
    "balance moved": (
        "balance",
        "update ledger.account set posted_fen = posted_fen +"
        " case account_key when $1 then 1 when $2 then -1 else 0 end",
    ),
    "held dropped": ("balance", "update ledger.account set held_fen = 0"),
    "entry altered": (
        "entries",
        "update ledger.entry set balance_fen = balance_fen + 1 where entry_seq = 1",
    ),
    "entry deleted": ("entries", "delete from ledger.entry where entry_seq = 2"),
    "entry added": (
        "outside_journal",
        "insert into ledger.entry values ($1, 99, 99, 0, $2, 5, 5), ($2, 99, 99, 0, $1, -5, -5)",
    ),
    "transfer altered": ("transfers", "update ledger.transfer set amount_fen = 1"),
    "posting altered": (
        "chain_hash",
        "update ledger.posting set content = overlay(content placing 'q' from 21)",
    ),
    "posting deleted": ("journal_gap", "delete from ledger.posting where journal_seq = 2"),
    "verdict altered": (
        "verdict",
        "update ledger.posting set verdict = overlay(verdict placing '\\x00' from 9 for 1)",
    ),
    "verdict removed": (
        "verdict_missing",
        "update ledger.posting set verdict = null, verdict_id = null",
    ),
    "batch altered": (
        "chain_hash",
        "update ledger.journal set created_at = created_at + interval '1 ms'",
    ),
    "batch deleted": ("journal_link", "delete from ledger.journal where batch_seq = 1"),
    "hold reopened": ("hold", "update ledger.hold set ended_seq = null, captured_fen = null"),
    "hold deleted": ("hold", "delete from ledger.hold"),
    "floor lifted": ("below_floor", "update ledger.account set floor_fen = posted_fen + 1"),
    "refused and posted": (
        "refused_and_posted",
        "insert into ledger.refusal select posting_id, '', 'x', now() from ledger.posting",
    ),
    "uniqueness dropped": (
        "index_missing",
        "alter table ledger.posting drop constraint posting_once",
    ),
    "account renamed": ("account_key", "update ledger.account set account_id = account_id || 'x'"),
}


@pytest.fixture
async def books(
    service: LedgerService, person: Person, authority: Authority, databases: Settings
) -> tuple[str, str]:
    """Two people with moves, a standing hold, a captured one; their account ids."""
    payer, payee = await person(balance=100_00), await person(balance=1_00)
    await asyncio.gather(
        *(service.post(authority.post(move(payer, payee, n))) for n in range(1, 20))
    )
    for hold_id in ("h1", "h2"):
        await service.post(authority.post(hold(payer, payee, 500, hold_id)))
    await service.post(authority.post(end(Op.CAPTURE, payer, payee, 300, "h1")))
    return payer, payee


async def prove(settings: Settings) -> Proof:
    return await audit(db.BOOKS, keys.published(Path(settings.verdict_keys)))


async def test_clean_books_are_proven(books: tuple[str, str], databases: Settings) -> None:
    proof = await prove(databases)
    assert proof.faults == ()
    assert proof.clean
    assert (proof.postings, proof.entries, proof.accounts) == (24, 44, 3)


@pytest.mark.parametrize("name", TAMPERINGS)
async def test_each_tampering_is_found(
    name: str, books: tuple[str, str], databases: Settings, servers: Servers
) -> None:
    kind, sql = TAMPERINGS[name]
    database = databases.tx_url.partition("@/")[2].partition("?")[0]
    admin = await asyncpg.connect(servers.admin_url(servers.tx, database))
    # A superuser can switch every guard off: then only recomputing finds it.
    await admin.execute("set session_replication_role = replica")
    constraints = await admin.fetch(
        "select conrelid::regclass::text as t, conname from pg_constraint"
        " where contype = 'c' and connamespace = 'ledger'::regnamespace"
    )
    for row in constraints:
        await admin.execute(f"alter table {row['t']} drop constraint {row['conname']}")
    keys_of_both = [account_key(account_id) for account_id in books]
    await admin.execute(sql, *keys_of_both[: sql.count("$") and 2])
    await admin.close()
    proof = await prove(databases)
    assert kind in {fault.kind for fault in proof.faults}
    assert not proof.clean


async def test_a_verdict_of_an_unknown_key_is_found(
    books: tuple[str, str], databases: Settings
) -> None:
    proof = await audit(db.BOOKS, {})
    assert {fault.kind for fault in proof.faults} == {"verdict"}
