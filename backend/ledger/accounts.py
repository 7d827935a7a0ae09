"""Opening accounts, freezing them, and what stands in them."""

from collections.abc import Sequence

from backend.chain import account_key
from backend.clock import Clock
from backend.db import LEDGER
from backend.errors import BadRequest, IdReused, NotFound
from backend.ledger import MAX_ACCOUNTS, Balance, NewAccount
from backend.ledger.rules import side
from backend.posting import kind_of


async def open_accounts(accounts: tuple[NewAccount, ...], clock: Clock) -> None:
    if len(accounts) > MAX_ACCOUNTS or any(side(a.account_id) is None for a in accounts):
        raise BadRequest()
    await LEDGER.query(
        "insert into ledger.account"
        " (account_key, account_id, kind, currency, floor_fen, opened_at)"
        " select *, $6 from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[])"
        " on conflict do nothing",
        [account_key(a.account_id) for a in accounts],
        [a.account_id for a in accounts],
        [kind_of(a.account_id) for a in accounts],
        [a.currency for a in accounts],
        [a.floor_fen for a in accounts],
        clock.now(),
    )
    rows = await LEDGER.query(
        "select account_id, floor_fen, currency from ledger.account"
        " where account_key = any($1::bigint[])",
        [account_key(a.account_id) for a in accounts],
    )
    opened = {NewAccount(row["account_id"], row["floor_fen"], row["currency"]) for row in rows}
    for account in accounts:
        if account not in opened:
            raise IdReused(account=account.account_id)


async def set_frozen(account_id: str, frozen: bool) -> int:
    """One account at a time: several rows of one statement could meet the writer's crosswise."""
    key = account_key(account_id)
    rows = await LEDGER.query(
        "update ledger.account set frozen = $2 where account_key = $1 returning account_id",
        key,
        frozen,
    )
    if not rows:
        raise NotFound(account=account_id)
    return key


async def balances(asked: Sequence[tuple[str, ...]]) -> list[tuple[Balance, ...]]:
    """For all who ask at once."""
    found = await LEDGER.query_as(
        Balance,
        "select account_id, posted_fen, held_fen, entry_seq, frozen from ledger.account"
        " where account_key = any($1::bigint[])",
        list({account_key(account_id) for ids in asked for account_id in ids}),
    )
    by_id = {balance.account_id: balance for balance in found}
    return [tuple(by_id[each] for each in ids if each in by_id) for ids in asked]
