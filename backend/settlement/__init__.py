"""Settlement: what a shop took goes to its bank card on the next day; and the two files a day with
which it checks our books against its own.

A day is one of Asia/Shanghai, the bank's, whatever zone the shop keeps. Its batch is made an hour
after it ended, once, from the sums of its sales; what earlier batches could not pay, and sales
noted after their day was closed, are carried into it. The newest waiting batch is paid, at most
what the shop's account has: what it gave back since midnight is missing there, and in the next
batch.
So always: balance = unpaid of closed days + sales since.
"""

from datetime import date, datetime, timedelta
from typing import Protocol

import msgspec

from backend.errors import DomainError
from backend.merchant import Seat
from backend.risk import Approval

READY_HOUR = 10  # Asia/Shanghai, of the next day; files are made from 09:00
DOWNLOAD_LIFE = timedelta(minutes=5)
MAX_PAGE = 100
KINDS = ("trade", "fund")
FORMATS = ("csv", "json")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One shop's day. sent_fen: what was asked of the bank, less than net_fen where the shop has
    given money back since; paid_fen: what is on the card. books_fen: the shop's balance in the
    books when the day ended. carried_into: the batch that took what was left. status: "waiting"
    (no card yet, or net ≤ 0: carried into the next), "on_its_way" (the bank has it), "paid",
    "returned" (the bank refused; the money is back in the shop's account and in the next batch).
    net = amount − fees + returned fees − refunds + carried."""

    batch_id: str
    shop_id: str
    day: date
    amount_fen: int
    count: int
    fee_fen: int
    refund_fen: int
    refunds: int
    returned_fee_fen: int
    carried_fen: int
    net_fen: int
    status: str
    card_last4: str
    refusal_code: str
    due_on: date
    paid_at: datetime | None
    sent_fen: int
    paid_fen: int
    books_fen: int
    payout_id: str
    carried_into: str


class Next(msgspec.Struct, frozen=True, kw_only=True):
    """What is coming: of today so far, and when it will be on the card."""

    net_fen: int
    due_on: date
    card_id: str  # "" where none is set
    card_last4: str


class BillFile(msgspec.Struct, frozen=True, kw_only=True):
    """kind: "trade" or "fund"; format: "csv" or "json". sha256: hex of the file as downloaded."""

    shop_id: str
    day: date
    kind: str
    format: str
    sha256: str
    size: int
    rows: int
    made_at: datetime


class Download(msgspec.Struct, frozen=True, kw_only=True):
    file: BillFile
    token: str  # 43 characters, single shop, single file, lives DOWNLOAD_LIFE
    expires_at: datetime


class Settlement(Protocol):
    async def batches(self, shop_id: str, cursor: str, limit: int) -> tuple[tuple[Batch, ...], str]:
        """Newest first, and the next cursor. Refuses: BadRequest."""
        ...

    async def batch(self, shop_id: str, batch_id: str) -> Batch:
        """Refuses: NotFound."""
        ...

    async def next(self, shop_id: str) -> Next: ...

    async def choose_card(self, shop_id: str, owner_id: str, card_id: str) -> None:
        """The owner's bound card; `risk.set_payout_card` has the consent. Refuses: NotFound,
        CardNotBound."""
        ...

    async def set_card(
        self, seat: Seat, card_id: str, approval: Approval, device_secret: str
    ) -> None:
        """With the owner's standing consent, told to the security system and recorded; the purpose
        is "payout_card:<shop_id>:<card_id>". Permission PAYOUT. Refuses: as `choose_card` and
        risk.set_payout_card, DeviceUnknown."""
        ...

    async def files(self, shop_id: str, day: date) -> tuple[BillFile, ...]:
        """Of that day, all kinds and formats. Refuses: FileNotReady."""
        ...

    async def download(self, shop_id: str, day: date, kind: str, format_: str) -> Download:
        """Refuses: BadRequest, FileNotReady."""
        ...

    async def content(self, shop_id: str, token: str) -> tuple[BillFile, bytes]:
        """Refuses: DownloadExpired."""
        ...

    async def sweep(self) -> int:
        """Close yesterday's batches, pay out, follow the bank, make files; each once."""
        ...


class FileNotReady(DomainError, code="file_not_ready"):
    """Made from 09:00, ready by 10:00 of the next day; params: day."""


class DownloadExpired(DomainError, code="download_expired"):
    """The address lived five minutes; ask for a new one."""
