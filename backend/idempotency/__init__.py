"""Writes that are asked for twice: whoever repeats a request gets the first answer, bit for bit.

A write belongs to an account, a route and the key that its client chose. The row says nothing by
itself: what was asked is a keyed hash, the answer is sealed, and both keys come from the client's.
"""

from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from backend.errors import DomainError

KEPT_FOR = timedelta(days=30)
LEASE = timedelta(seconds=30)  # longer than any request; a process that died blocks no longer
# Of writes that do no harm when two run them at once: nobody waits long after a crash.
SHORT_LEASE = timedelta(seconds=2)
MIN_KEY_CHARS, MAX_KEY_CHARS = 16, 255  # what seals the answer must not be guessed
MAX_ANSWER_BYTES = 1024 * 1024


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """account: whose key it is. content: what is asked, in one form only."""

    account: str
    route: str
    key: str
    content: bytes


class Answer(msgspec.Struct, frozen=True, array_like=True):
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right to carry a write out, until the lease ends. Whose lease it is, its end tells:
    whoever takes the write over has a later one."""

    write: Write
    lookup: bytes
    fingerprint: bytes
    leased_until: datetime


class Idempotency(Protocol):
    async def begin(self, write: Write, lease: timedelta = LEASE) -> Claim | Answer:
        """The first to come carries it out, whoever comes later gets the kept answer.

        Refuses: WriteRunning, KeyReused.
        """
        ...

    async def keep(self, claim: Claim, answer: Answer) -> Answer:
        """The answer that stands from now on: of two, the first."""
        ...

    async def release(self, claim: Claim) -> None:
        """Not done for good: the same write may be tried again, another under its key not. Nothing,
        where somebody else has taken it over."""
        ...

    async def forget(self, claim: Claim) -> None:
        """Never begun: the key is free. Nothing, where somebody else has taken it over."""
        ...

    async def sweep(self) -> int:
        """Forget what is older than 30 days."""
        ...


class KeyMissing(DomainError, code="idempotency_key_missing"):
    """A write without an Idempotency-Key."""


class KeyInvalid(DomainError, code="idempotency_key_invalid"):
    """An Idempotency-Key that is shorter than 16 or longer than 255 characters, or not printable
    ASCII."""


class KeyReused(DomainError, code="idempotency_mismatch"):
    """The key was used for a write with other content."""


class WriteRunning(DomainError, code="write_running", retryable=True, money_moved="unknown"):
    """The same write is still being carried out."""
