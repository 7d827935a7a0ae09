"""Attacks that go around the code, under the services' own roles: the database refuses."""

import asyncpg
import pytest

from backend.chain import account_key
from backend.ids import new
from backend.ledger.service import LedgerService
from backend.settings import Settings
from tests.ledger.conftest import BANK, Person, move
from tests.ledger.signing import Authority
from tests.ledger.test_holds import hold

TABLES = ("account", "journal", "posting", "transfer", "entry", "hold", "refusal")
APPEND_ONLY = ("journal", "posting", "transfer", "entry", "refusal")

NOT_ALLOWED = "42501"  # insufficient privilege


@pytest.fixture
async def payer(service: LedgerService, person: Person, authority: Authority) -> str:
    account_id = await person(balance=100_00)
    await service.post(authority.post(hold(account_id, BANK, 1_00, "h1")))
    return account_id


async def refused(url: str, sql: str) -> str:
    """The SQLSTATE with which the database refuses it."""
    connection = await asyncpg.connect(url)
    try:
        with pytest.raises(asyncpg.PostgresError) as error:
            async with connection.transaction():
                await connection.execute(sql)
    finally:
        await connection.close()
    return error.value.sqlstate or ""


@pytest.mark.parametrize("table", TABLES)
async def test_the_app_has_no_business_in_the_books(
    table: str, databases: Settings, payer: str
) -> None:
    for sql in (
        f"select * from ledger.{table}",
        f"insert into ledger.{table} select * from ledger.{table}",
        f"delete from ledger.{table}",
        f"truncate ledger.{table}",
    ):
        assert await refused(databases.tx_url, sql) == NOT_ALLOWED
    assert await refused(databases.tx_url, "update ledger.account set posted_fen = 1") == (
        NOT_ALLOWED
    )


@pytest.mark.parametrize("table", TABLES)
async def test_the_auditor_only_reads(table: str, databases: Settings, payer: str) -> None:
    for sql in (f"insert into ledger.{table} default values", f"delete from ledger.{table}"):
        assert await refused(databases.books_url, sql) == NOT_ALLOWED


@pytest.mark.parametrize("table", TABLES)
async def test_the_ledger_itself_deletes_nothing(
    table: str, databases: Settings, payer: str
) -> None:
    for sql in (f"delete from ledger.{table}", f"truncate ledger.{table}"):
        assert await refused(databases.ledger_url, sql) == NOT_ALLOWED


@pytest.mark.parametrize("table", APPEND_ONLY)
async def test_what_is_written_stays_as_it_is(table: str, databases: Settings, payer: str) -> None:
    """The ledger's role may not; the owner, who may, is stopped by a trigger."""
    column = {"journal": "first_seq", "refusal": "code"}.get(table, "journal_seq")
    for sql in (
        f"update ledger.{table} set {column} = {column}",
        f"delete from ledger.{table}",
        f"truncate ledger.{table}",
    ):
        assert await refused(databases.ledger_url, sql) == NOT_ALLOWED
        assert await refused(databases.tx_owner_url, sql) == "YP002"


@pytest.mark.parametrize("table", ["account", "hold"])
async def test_accounts_and_holds_stay(table: str, databases: Settings, payer: str) -> None:
    for sql in (f"delete from ledger.{table}", f"truncate ledger.{table}"):
        assert await refused(databases.tx_owner_url, sql) == "YP002"


async def test_accounts_keep_name_floor_and_currency(databases: Settings, payer: str) -> None:
    for change in ("floor_fen = null", "account_id = 'x'", "currency = 'USD'", "kind = 'bank'"):
        sql = f"update ledger.account set {change}"
        assert await refused(databases.ledger_url, sql) == NOT_ALLOWED


async def test_the_database_itself_holds_the_books_together(
    databases: Settings, payer: str, service: LedgerService
) -> None:
    key, bank = account_key(payer), account_key(BANK)
    head = await service.head()
    batch, seq = head.batch_seq + 1, head.journal_seq + 1
    zero, chain = "decode(repeat('00', 32), 'hex')", f"'\\x{head.chain_hash.hex()}'"
    attacks = {
        # money from nowhere
        "update ledger.account set posted_fen = posted_fen + 1": "YP004",
        # below the floor, though the sum stays
        "update ledger.account set posted_fen = posted_fen +"
        f" case account_key when {key} then -99999 else 99999 end": "23514",
        # more reserved than there is; less than nothing
        f"update ledger.account set held_fen = 999999 where account_key = {key}": "23514",
        "update ledger.account set held_fen = -1": "23514",
        # one-sided, unbalanced and empty entries
        f"insert into ledger.entry values ({key}, 9, 2, 0, {bank}, 5, 5)": "YP005",
        f"insert into ledger.entry values ({key}, 9, 2, 0, {bank}, -5, 5),"
        f" ({bank}, 9, 2, 0, {key}, 6, 5)": "YP005",
        f"insert into ledger.entry values ({key}, 9, 2, 0, {bank}, 0, 5)": "23514",
        # a second entry under a number
        f"insert into ledger.entry values ({key}, 1, 2, 0, {bank}, -5, 5),"
        f" ({bank}, 9, 2, 0, {key}, 5, 5)": "23505",
        # a journal with a gap, with another past, out of time
        f"insert into ledger.journal values ({batch + 1}, {seq}, {seq}, {chain}, {zero}, now())": (
            "YP006"
        ),
        f"insert into ledger.journal values ({batch}, {seq + 1}, {seq + 1}, {chain}, {zero}, now())"
        "": "YP006",
        f"insert into ledger.journal values ({batch}, {seq}, {seq}, {zero}, {zero}, now())": (
            "YP006"
        ),
        f"insert into ledger.journal values ({batch}, {seq}, {seq}, {chain}, {zero}, 'epoch')": (
            "YP006"
        ),
        # a posting outside the journal, a posting and a verdict twice
        f"insert into ledger.posting values ({seq}, {batch}, 'p', '', null, null, now())": "YP007",
        f"insert into ledger.posting select {seq}, {batch}, posting_id, content, null, null,"
        " posted_at from ledger.posting": "23505",
        f"insert into ledger.posting select {seq}, {batch}, 'p', content, verdict_id, verdict,"
        " posted_at from ledger.posting limit 1": "23505",
        # an account that starts with money, or under another's key
        "insert into ledger.account values"
        f" ({account_key('person:x')}, 'person:x', 'person', 'CNY', 0, 5, 0, 0, false, now())": (
            "YP003"
        ),
        "insert into ledger.account values"
        " (1, 'person:x', 'person', 'CNY', 0, 0, 0, 0, false, now())": "YP003",
    }
    for sql, sqlstate in attacks.items():
        assert await refused(databases.ledger_url, sql) == sqlstate, sql


async def test_a_refused_id_never_posts(
    databases: Settings, payer: str, service: LedgerService, authority: Authority
) -> None:
    head = await service.head()
    posting_id = new("pay")
    seq, batch = head.journal_seq + 1, head.batch_seq + 1
    chain = f"'\\x{head.chain_hash.hex()}'"
    sql = (
        f"insert into ledger.refusal values ('{posting_id}', '', 'insufficient_funds', now());"
        f" insert into ledger.journal values ({batch}, {seq}, {seq}, {chain}, {chain}, now());"
        f" insert into ledger.posting values"
        f" ({seq}, {batch}, '{posting_id}', '', null, null, now())"
    )
    assert await refused(databases.ledger_url, sql) == "YP008"
    await service.post(authority.post(move(payer, BANK, 1, posting_id)))
