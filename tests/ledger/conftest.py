"""A ledger in both forms, and a little bank to play with."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from backend import rpc
from backend.ids import new
from backend.ledger import Ledger, NewAccount, Post
from backend.ledger.service import LedgerService, running
from backend.posting import Posting, Transfer
from backend.settings import Settings
from tests.ledger.signing import Authority

BANK = "bank:clearing"

Person = Callable[..., Awaitable[str]]


@pytest.fixture
def authority(settings: Settings) -> Authority:
    return Authority(settings)


@pytest.fixture
async def service(databases: Settings, authority: Authority) -> AsyncIterator[LedgerService]:
    async with running(databases) as started:
        await started.open_accounts((NewAccount(BANK, None),))
        yield started


@pytest.fixture(params=["local", "remote"])
async def ledger(
    request: pytest.FixtureRequest, service: LedgerService, databases: Settings
) -> AsyncIterator[Ledger]:
    """The same books, called directly and from across a socket."""
    if request.param == "local":
        yield service
        return
    close = await rpc.serve(Ledger, service, databases.ledger_rpc, databases)
    remote, client = rpc.connect(Ledger, databases.ledger_rpc, databases)
    yield remote
    await client.close()
    await close()


@pytest.fixture
def person(service: LedgerService, authority: Authority) -> Person:
    """Open a wallet with so much in it."""

    async def make(balance: int = 0) -> str:
        account_id = f"person:{new('usr')}"
        await service.open_accounts((NewAccount(account_id),))
        if balance:
            await service.post(authority.post(move(BANK, account_id, balance)))
        return account_id

    return make


def move(debit: str, credit: str, amount: int, posting_id: str = "") -> Posting:
    return Posting(posting_id or new("pay"), "pay", (Transfer(debit, credit, amount),))


def company(debit: str, credit: str, amount: int, posting_id: str = "") -> Post:
    """Between the company's own accounts: no verdict needed."""
    return Post(move(debit, credit, amount, posting_id))


async def balance(ledger: Ledger, account_id: str) -> tuple[int, int]:
    """Posted and held."""
    [found] = await ledger.balances((account_id,))
    return found.posted_fen, found.held_fen
