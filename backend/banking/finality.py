"""Posting what the ledger decides once: posted, or refused for good."""

from backend.errors import DomainError
from backend.ledger import Ledger, Post, Posted
from backend.posting import Posting
from backend.verdict import SignedVerdict


class Refused(Exception):
    """For good: nothing will ever move by this id."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def outcome(ledger: Ledger, posting_id: str) -> Posted | None:
    """None if the ledger has not decided it. Raises Refused."""
    found = await ledger.outcome(posting_id)
    if found is None:
        return None
    if found.posted is None:
        raise Refused(found.refusal_code)
    return found.posted


async def post(ledger: Ledger, posting: Posting, verdict: SignedVerdict | None) -> Posted:
    """Without a verdict customers' money is refused, and that is final: whoever may still hold a
    verdict can't post it any more. Raises Refused; refuses what may be otherwise later."""
    try:
        return await ledger.post(Post(posting, verdict))
    except DomainError as refusal:
        if refusal.retryable:
            raise
        decided = await outcome(ledger, posting.posting_id)
        if decided is None:
            raise
        return decided
