"""What a posting must look like, whatever the books say; and what its accounts are called there."""

import re
from functools import lru_cache

from backend.chain import account_key
from backend.ledger import PRECEDENCE
from backend.money import MAX_AMOUNT_FEN
from backend.posting import CUSTOMER_KINDS, MAX_TRANSFERS, Op, Posting, Transfer, kind_of

EXPIRY_PREFIX = "expired:"  # ids of the ledger's own postings, which end holds past their deadline
MAX_ID = 64
MAX_EVENT_AT_MS = 253_402_300_799_000  # the last second of the year 9999
MAX_KNOWN = 262_144

RANK = {refusal.code: place for place, refusal in enumerate(PRECEDENCE)}

MOVE = Op.MOVE  # looked up once: enum members are slow to reach

_ACCOUNT_ID = re.compile(r"[a-z]+:[A-Za-z0-9_:-]{1,60}", re.ASCII)
_REASON = re.compile(r"[a-z_]{1,24}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class Side:
    """One account of a transfer. Kept per account id, so it is worked out once."""

    __slots__ = ("customer", "key")

    def __init__(self, account_id: str) -> None:
        self.key = account_key(account_id)
        self.customer = kind_of(account_id) in CUSTOMER_KINDS


@lru_cache(maxsize=MAX_KNOWN)
def side(account_id: str) -> Side | None:
    """None for what is no account id."""
    return Side(account_id) if _ACCOUNT_ID.fullmatch(account_id) else None


def malformed(posting: Posting) -> bool:
    """Whether the posting could never be posted, at any time."""
    posting_id = posting.posting_id
    if not 0 < len(posting_id) <= MAX_ID or posting_id.startswith(EXPIRY_PREFIX):
        return True
    if not 0 <= posting.event_at_ms <= MAX_EVENT_AT_MS:
        return True
    return not _words(posting.reason, posting.currency) or bad_transfers(posting.transfers)


def bad_transfers(transfers: tuple[Transfer, ...]) -> bool:
    if not 0 < len(transfers) <= MAX_TRANSFERS:
        return True
    for transfer in transfers:
        if _bad_transfer(transfer):
            return True
    if len(transfers) == 1:
        return False
    holds = [t.hold_id for t in transfers if t.hold_id]
    return len(holds) != len(set(holds))


@lru_cache(maxsize=1024)
def _words(reason: str, currency: str) -> bool:
    return bool(_REASON.fullmatch(reason) and _CURRENCY.fullmatch(currency))


def _bad_transfer(transfer: Transfer) -> bool:
    amount = transfer.amount_fen
    if type(amount) is not int or not 0 < amount <= MAX_AMOUNT_FEN:
        return True
    debit, credit = transfer.debit, transfer.credit
    if debit == credit or side(debit) is None or side(credit) is None:
        return True
    if transfer.op is MOVE:
        return bool(transfer.hold_id or transfer.deadline_ms)
    if not 0 < len(transfer.hold_id) <= MAX_ID:
        return True
    return (transfer.op is Op.HOLD) != (0 < transfer.deadline_ms <= MAX_EVENT_AT_MS)
