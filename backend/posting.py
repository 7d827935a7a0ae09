"""A posting: transfers that succeed or fail together. The ledger moves it, risk signs it."""

from enum import StrEnum
from typing import Annotated

import msgspec

from backend.canonical import digest
from backend.money import Amount

AccountId = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+:[A-Za-z0-9_:-]{1,60}$")]
"""Kind, colon, owner: "person:usr_…", "shop:mch_…", "bank:clearing", "packet:red_…"."""

MAX_TRANSFERS = 100


class Op(StrEnum):
    """What a transfer does. hold reserves; capture and void end the hold they name."""

    MOVE = "move"
    HOLD = "hold"
    CAPTURE = "capture"
    VOID = "void"


class Transfer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One debit and one credit. A capture may be of less than was held; the rest is released."""

    debit: AccountId
    credit: AccountId
    amount_fen: Amount
    op: Op = Op.MOVE
    hold_id: str = ""  # of the hold that this transfer makes or ends
    deadline_ms: int = 0  # for a hold: when it is voided by itself


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The caller's id is the idempotency key. `reason` is a short machine word such as "pay"."""

    posting_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    reason: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,24}$")]
    transfers: Annotated[tuple[Transfer, ...], msgspec.Meta(min_length=1, max_length=MAX_TRANSFERS)]
    event_at_ms: int = 0  # when it happened outside, 0 if now
    currency: str = "CNY"


def posting_hash(posting: Posting) -> bytes:
    """32 bytes that a verdict binds, so that it is good for exactly these transfers."""
    return digest("posting/v1", posting)


def kind_of(account_id: str) -> str:
    return account_id.partition(":")[0]


CUSTOMER_KINDS = frozenset({"person", "shop", "packet", "escrow", "campaign", "guarantee"})
"""Accounts whose money is not the company's: no posting touches one without a verdict."""


def needs_verdict(posting: Posting) -> bool:
    return any(
        kind_of(t.debit) in CUSTOMER_KINDS or kind_of(t.credit) in CUSTOMER_KINDS
        for t in posting.transfers
        if t.op is not Op.VOID
    )
