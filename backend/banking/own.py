"""Moves between the company's own accounts at the bank: no customer's money, so no verdict."""

from msgspec.structs import replace

from backend.ledger import AccountFrozen, Ledger, Post
from backend.posting import Posting

MAX_TRIES = 20


async def move(ledger: Ledger, posting: Posting) -> None:
    """Once. Where its id was refused for good, the next one. Refuses: AccountFrozen."""
    ends = {end for t in posting.transfers for end in (t.debit, t.credit)}
    if any(account.frozen for account in await ledger.balances(tuple(sorted(ends)))):
        raise AccountFrozen()
    for again in range(MAX_TRIES):
        suffix = f":{again}" if again else ""
        tried = replace(posting, posting_id=posting.posting_id + suffix)
        outcome = await ledger.outcome(tried.posting_id)
        if outcome is None:
            await ledger.post(Post(tried))
        if outcome is None or outcome.posted is not None:
            return
