"""The ledger's face: double entry, one writer, gapless chained journal, all balances."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.posting import AccountId, Posting
from backend.verdict import SignedVerdict

MAX_PAGE = 100
MAX_ACCOUNTS = 500
MAX_LOOKUP = 1000  # postings


class NewAccount(msgspec.Struct, frozen=True, array_like=True):
    """floor_fen: the balance can't go below it; None = no floor (bank clearing, company)."""

    account_id: AccountId
    floor_fen: int | None = 0
    currency: str = "CNY"


class Balance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Fen. available = posted − held."""

    account_id: str
    posted_fen: int
    held_fen: int
    entry_seq: int  # number of entries so far
    frozen: bool

    @property
    def available_fen(self) -> int:
        return self.posted_fen - self.held_fen


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a statement. amount_fen is negative for a debit."""

    account_id: str
    entry_seq: int  # 1, 2, 3 … per account, gapless
    posting_id: str
    counterparty: str  # the other account of the transfer
    reason: str
    amount_fen: int
    balance_fen: int  # posted balance after this entry
    event_at: datetime
    posted_at: datetime


class Post(msgspec.Struct, frozen=True, array_like=True, gc=False):
    posting: Posting
    verdict: SignedVerdict | None = None


class Posted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    posting_id: str
    journal_seq: int
    posted_at: datetime


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of an id: posted, or refused for good with that code."""

    posted: Posted | None
    refusal_code: str = ""


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """A posting as the journal keeps it. content: its canonical bytes. verdict: None where no
    customer's money was touched."""

    content: bytes
    verdict: SignedVerdict | None
    posted: Posted


class JournalHead(msgspec.Struct, frozen=True, array_like=True):
    """The newest journal batch: its number, last posting's seq, and chain hash (32 bytes)."""

    batch_seq: int
    journal_seq: int
    chain_hash: bytes


class Ledger(Protocol):
    """Own transactions; every write is idempotent by the caller's id."""

    async def open_accounts(self, accounts: tuple[NewAccount, ...]) -> None:
        """Open what is not open yet. Refuses: IdReused (other floor or currency)."""
        ...

    async def post(self, post: Post) -> Posted:
        """Move money once. Refuses: IdReused, then PRECEDENCE in its order; final for the id."""
        ...

    async def outcome(self, posting_id: str) -> Outcome | None:
        """What became of a posting; None if the ledger never saw it."""
        ...

    async def sealed(self, posting_id: str) -> Sealed | None:
        """A posting with its verdict; None if nothing of that id was posted."""
        ...

    async def balances(
        self, account_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ACCOUNTS)]
    ) -> tuple[Balance, ...]:
        """Of the accounts that exist, in the order asked."""
        ...

    async def balance_at(self, account_id: str, at: datetime) -> int:
        """Posted fen at a past moment, by one index. 0 before the first entry."""
        ...

    async def statement(
        self,
        account_id: str,
        before_seq: int,
        limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)],
    ) -> tuple[Entry, ...]:
        """Newest first, entries with entry_seq < before_seq (0 = from the newest)."""
        ...

    async def balances_after(
        self,
        account_id: str,
        journal_seqs: Annotated[tuple[int, ...], msgspec.Meta(max_length=MAX_LOOKUP)],
    ) -> tuple[tuple[int, int], ...]:
        """(journal_seq, posted fen after it) of those that touched the account, in any order."""
        ...

    async def set_frozen(self, account_ids: tuple[str, ...], frozen: bool) -> None:
        """Nothing leaves a frozen account. Belt to the security system's braces."""
        ...

    async def head(self) -> JournalHead: ...

    async def ping(self) -> None: ...


# Refusals of `post`, in their fixed order of precedence; the first that applies is the answer.
# Before them: the same id with other content is errors.IdReused, with the same content the first
# answer again. Only refusals below that are marked final are stored; a malformed posting is not.


class MalformedPosting(DomainError, code="malformed_posting"):
    """Debit equals credit, two ops for one hold, mixed currencies, deadline missing or past."""


class VerdictRequired(DomainError, code="verdict_required"):
    """It touches customers' money and brings no verdict."""


class VerdictInvalid(DomainError, code="verdict_invalid"):
    """Wrong key, signature, posting or decision."""


class VerdictExpired(DomainError, code="verdict_expired"):
    """Too late: ask again with a new id."""


class VerdictUsed(DomainError, code="verdict_used"):
    """That verdict has posted something already."""


class UnknownAccount(DomainError, code="unknown_account"):
    """No such account."""


class CurrencyMismatch(DomainError, code="currency_mismatch"):
    """The posting's currency is not that of the account."""


class AccountFrozen(DomainError, code="account_frozen"):
    """An account that is frozen would pay; money may still come in."""


class UnknownHold(DomainError, code="unknown_hold"):
    """No hold of that id between those accounts."""


class HoldEnded(DomainError, code="hold_ended"):
    """The hold was captured, voided or has passed its deadline."""


class HoldExceeded(DomainError, code="hold_exceeded"):
    """The capture asks for more than was held."""


class InsufficientFunds(DomainError, code="insufficient_funds"):
    """The available balance would go below the account's floor."""


PRECEDENCE: tuple[type[DomainError], ...] = (
    MalformedPosting,
    VerdictRequired,
    VerdictInvalid,
    VerdictExpired,
    VerdictUsed,
    UnknownAccount,
    CurrencyMismatch,
    AccountFrozen,
    UnknownHold,
    HoldEnded,
    HoldExceeded,
    InsufficientFunds,
)
