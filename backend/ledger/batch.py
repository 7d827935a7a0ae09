"""What waits to be written: a work is one posting, a batch is what one commit writes."""

import asyncio

import asyncpg

from backend.chain import account_key
from backend.clock import to_ms
from backend.errors import DomainError
from backend.ledger import Posted
from backend.posting import Posting, Transfer

NO_FLOOR = -(1 << 62)
FOREVER_MS = 1 << 62

After = tuple[int, int, int, int] | tuple[None, None, None, None]
"""Entry number and balance after of the debit, and of the credit."""

NOTHING = (None, None, None, None)

Entered = tuple[int, int, int, int | None, int | None, int | None, int | None, str, str | None]
"""Debit, credit, amount, the four of After, op, hold id."""

Row = tuple[
    int, int, int, int, int, int | None, int | None, int | None, int | None, str, str | None
]
"""The posting's place in the batch, line in the posting, and Entered."""


class Work:
    """A posting on its way, with all that is known of it without the books."""

    __slots__ = (
        "content", "content_hash", "expiry", "fault", "futures", "hold_ops", "keys", "posting",
        "spent", "tries", "valid_until_ms", "verdict", "verdict_hash", "verdict_id",
    )  # fmt: skip

    posting: Posting
    content: bytes
    content_hash: bytes
    keys: tuple[int, ...]  # debit, credit, debit, credit, … in the order of the transfers
    hold_ops: tuple[Transfer, ...]
    fault: type[DomainError] | None  # of the verdict, as far as the books are not asked
    verdict: bytes | None
    verdict_id: str | None
    verdict_hash: bytes
    valid_until_ms: int
    spent: bool  # the books know its verdict as used
    expiry: bool  # the ledger's own, ending a hold past its deadline
    tries: int
    futures: list[asyncio.Future[Posted]]


class Account:
    """As remembered, with where it stood when the open batch first touched it."""

    __slots__ = (
        "batch", "currency", "floor", "frozen", "frozen0", "held", "held0", "key", "posted",
        "posted0", "seq", "seq0",
    )  # fmt: skip

    def __init__(self, row: asyncpg.Record) -> None:
        self.key: int = row["account_key"]
        self.currency: str = row["currency"]
        self.floor: int = NO_FLOOR if row["floor_fen"] is None else row["floor_fen"]
        self.posted: int = row["posted_fen"]
        self.held: int = row["held_fen"]
        self.seq: int = row["entry_seq"]
        self.frozen: bool = row["frozen"]
        self.batch = 0
        self.posted0, self.held0, self.seq0 = self.posted, self.held, self.seq
        self.frozen0 = self.frozen

    def begin(self, batch: "Batch") -> None:
        self.batch = batch.number
        self.posted0, self.held0, self.seq0 = self.posted, self.held, self.seq
        self.frozen0 = self.frozen
        batch.touched.append(self)


class Hold:
    __slots__ = ("amount", "batch", "credit", "deadline_ms", "debit", "ended")

    def __init__(self, debit: int, credit: int, amount: int, deadline_ms: int) -> None:
        self.debit, self.credit = debit, credit
        self.amount, self.deadline_ms = amount, deadline_ms
        self.ended = False
        self.batch = 0

    @classmethod
    def made(cls, transfer: Transfer, batch: int) -> "Hold":
        debit, credit = account_key(transfer.debit), account_key(transfer.credit)
        hold = cls(debit, credit, transfer.amount_fen, transfer.deadline_ms)
        hold.batch = batch
        return hold

    @classmethod
    def read(cls, row: asyncpg.Record) -> "Hold":
        hold = cls(row["debit"], row["credit"], row["amount_fen"], to_ms(row["deadline_at"]))
        hold.ended = row["ended_seq"] is not None
        return hold


class Batch:
    """Postings accepted, rows to write, refusals to keep."""

    __slots__ = (
        "holds_ended", "holds_made", "number", "refused", "rows", "touched", "valid_until_ms",
        "works",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.works: list[Work] = []
        self.rows: list[Row] = []
        self.touched: list[Account] = []
        self.refused: list[tuple[Work, type[DomainError]]] = []
        self.holds_made: list[tuple[int, str, Hold]] = []
        self.holds_ended: list[tuple[int, str, int]] = []
        self.valid_until_ms = FOREVER_MS  # until when every verdict and hold in it is good

    def __bool__(self) -> bool:
        return bool(self.works or self.refused)

    def add(self, work: Work) -> None:
        self.works.append(work)
        if work.valid_until_ms < self.valid_until_ms:
            self.valid_until_ms = work.valid_until_ms

    def everything(self) -> list[Work]:
        return [*self.works, *(work for work, _ in self.refused)]
