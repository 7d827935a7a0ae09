"""What banking decides without asking anybody: numbers, limits, words, and the postings."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend import bankword
from backend.banking import MAX_DAY_FEN, MAX_IN_TRANSIT, MAX_TOPUP_FEN
from backend.bankword import BankStatement
from backend.ledger import NewAccount
from backend.money import CURRENCY
from backend.posting import Posting, Transfer
from backend.risk import BankWord, LimitExceeded

CLEARING, TRANSIT = "bank:clearing", "bank:transit"
PAYOUT, DISPUTED = "bank:payout", "bank:disputed"

BANK_ACCOUNTS = (
    NewAccount(CLEARING, None),
    NewAccount(TRANSIT, 0),
    NewAccount(PAYOUT, 0),
    NewAccount(DISPUTED, None),  # −balance: what a bank owes us that did what it had refused
)

REASONS = frozenset({"card_funds", "card_blocked"})
"""Reasons of a bank that have a text of their own; any other is "topup_refused"."""

_SHANGHAI = ZoneInfo("Asia/Shanghai")


class Used(msgspec.Struct, frozen=True):
    """What a person has topped up today, and how many top-ups are in transit."""

    day_fen: int
    in_transit: int


def luhn(number: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    doubled = (2 * int(d) for d in number[-2::-2])
    total = sum(int(d) for d in number[-1::-2]) + sum(d - 9 if d > 9 else d for d in doubled)
    return total % 10 == 0


def check_limits(amount_fen: int, used: Used) -> None:
    """Refuses: LimitExceeded."""
    if amount_fen > MAX_TOPUP_FEN:
        raise LimitExceeded(limit="topup_each", left_fen=MAX_TOPUP_FEN)
    if used.in_transit >= MAX_IN_TRANSIT:
        raise LimitExceeded(limit="topup_in_transit", left_fen=0)
    left = max(MAX_DAY_FEN - used.day_fen, 0)
    if amount_fen > left:
        raise LimitExceeded(limit="topup_day", left_fen=left)


def day_start(now: datetime) -> datetime:
    """Midnight in Asia/Shanghai."""
    return now.astimezone(_SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


def statement_in(word: BankWord, keys: Mapping[str, bytes]) -> BankStatement | None:
    """What the bank says, or None if it isn't the bank who says it."""
    key = keys.get(word.key_id)
    if key is None:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(word.signature, word.message)
    except InvalidSignature:
        return None
    statement = bankword.parse(word.message)
    if statement is None or statement.outcome not in ("paid", "refused"):
        return None
    return statement if statement.currency == CURRENCY else None


def unverified(word: BankWord) -> BankStatement | None:
    """What a word says, whoever signed it."""
    return bankword.parse(word.message)


def person_account(person_id: str) -> str:
    return f"person:{person_id}"


def arrival(topup_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    """The bank has it for us; nobody is credited yet."""
    return _move(f"arrival:{topup_id}", "arrival", (CLEARING, TRANSIT), amount_fen, event_at_ms)


def credit(topup_id: str, person_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    ends = (TRANSIT, person_account(person_id))
    return _move(topup_id, "topup", ends, amount_fen, event_at_ms)


def give_back(topup_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    """The bank has given it back to the card."""
    return _move(f"return:{topup_id}", "return", (TRANSIT, CLEARING), amount_fen, event_at_ms)


def shop_account(shop_id: str) -> str:
    return f"shop:{shop_id}"


def payout(payout_id: str, shop_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    ends = (shop_account(shop_id), PAYOUT)
    return _move(payout_id, "payout", ends, amount_fen, event_at_ms)


def payout_sent(payout_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    """The bank has paid it to the card."""
    return _move(f"sent:{payout_id}", "payout_sent", (PAYOUT, CLEARING), amount_fen, event_at_ms)


def payout_return(payout_id: str, shop_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    """The bank has refused it."""
    ends = (PAYOUT, shop_account(shop_id))
    return _move(f"{payout_id}:return", "payout_return", ends, amount_fen, event_at_ms)


def payout_disputed(payout_id: str, amount_fen: int, event_at_ms: int) -> Posting:
    """The bank paid after it had refused, and the shop has its money back: the bank's loss."""
    ends = (DISPUTED, CLEARING)
    return _move(f"disputed:{payout_id}", "payout_disputed", ends, amount_fen, event_at_ms)


def _move(
    posting_id: str, reason: str, ends: tuple[str, str], amount_fen: int, event_at_ms: int
) -> Posting:
    return Posting(posting_id, reason, (Transfer(*ends, amount_fen),), event_at_ms)
