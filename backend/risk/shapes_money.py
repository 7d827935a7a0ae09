"""Money that moves: what it takes, leave for it, limits, and freezing."""

from datetime import datetime
from typing import Annotated

import msgspec

from backend.intent import Intent
from backend.risk.shapes import Ceremony


class Prepare(msgspec.Struct, frozen=True, array_like=True):
    intent: Intent
    device_secret: str
    address: str = ""


class Requirement(msgspec.Struct, frozen=True, array_like=True):
    """What the intent takes: "none" (level C or D), "passkey", "wait" (until `wait_until`).

    `ceremony` is set for "passkey" from `prepare`, never from `assess`; nor for a payment code that
    a till prepares without the payer's device_secret: the payer's own `prepare` opens it.
    Reasons for "passkey": over_free_each, over_free_day, over_free_count, over_static_day,
    new_device, digits_revealed; of a refund: refund_over_free, new_device; withdrawal (always);
    for "wait": known_payees_only, new_device_day, thawing; of a withdrawal: thawing, new_device.
    """

    takes: str
    level: str
    first_payment: bool  # to this payee
    reasons: tuple[str, ...] = ()  # machine words, each with a text
    wait_until: datetime | None = None
    ceremony: Ceremony | None = None


class Assess(msgspec.Struct, frozen=True, array_like=True):
    """The facts of an intent that is not made yet.

    kind: "pay" (to a shop), "transfer" (to a person), "packet" or "delayed" (into a pot: then `to`
    is its terms' `to`). code: as of an intent; for "shown" the
    answer does not know whether the digits were shown or the code was issued ahead.
    """

    payer_id: str
    payee_id: str
    amount_fen: int
    code: str
    device_secret: str
    kind: str = "pay"
    to: str = ""


class Authorize(msgspec.Struct, frozen=True, array_like=True):
    """Of a prepared intent: with the assertion asked for, or with the bound device alone."""

    intent_id: str
    device_secret: str = ""
    ceremony_id: str = ""
    response_json: Annotated[bytes, msgspec.Meta(max_length=16_384)] = b""


class BankWord(msgspec.Struct, frozen=True, array_like=True):
    """The bank's signed statement about one order; see `backend.bankword`."""

    message: bytes
    key_id: str
    signature: bytes


class AuthorizeTopUp(msgspec.Struct, frozen=True, array_like=True):
    """The bank, not the transaction system, says that money came in."""

    intent: Intent
    word: BankWord


class Limit(msgspec.Struct, frozen=True, array_like=True):
    """One limit, as the limits page shows it. Amounts in fen; counts where it counts."""

    # free_each, free_day, free_count, static_day, synced_day, packet_new (while the account
    # is), packet_day, packet_machine (by all on this machine), tier_year,
    # withdraw_each, withdraw_instant, withdraw_next_day, withdraw_synced (by day),
    # new_device_day, opened_count, opened_day, opened_year
    name: str
    level: str
    period: str  # "each", "day", "year"
    limit: int
    used: int
    counts: bool  # True: the numbers are a count, not fen


class FreezeState(msgspec.Struct, frozen=True, array_like=True):
    """thaws_at: set once undoing was approved; the wait until then is shown."""

    frozen: bool
    since: datetime | None = None
    reason: str = ""  # "self", "alarm"
    thaws_at: datetime | None = None
