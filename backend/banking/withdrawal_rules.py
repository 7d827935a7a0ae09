"""What a withdrawal costs, when it goes, its intents and postings. Nothing is fetched here."""

from datetime import datetime, timedelta

import msgspec

from backend.banking import CONFIRM_LIFE, TRANSIT_LIFE
from backend.banking.rules import PAYOUT, day_start, person_account
from backend.fees import fee_of
from backend.intent import Intent
from backend.money import Fen
from backend.posting import Posting, Transfer

INSTANT, NEXT_DAY = "instant", "next_day"
SPEEDS = (INSTANT, NEXT_DAY)
HANDED_OVER_AT = timedelta(hours=9)  # of the next day, Asia/Shanghai
FEES = "fee:income"
OWN_NAME = "易支付"


class FeeLine(msgspec.Struct, frozen=True):
    """One line of the schedule: in force from `since` until the next."""

    bps: int
    min_fen: int
    max_fen: int | None


class Times(msgspec.Struct, frozen=True, kw_only=True):
    confirm_by: datetime
    hand_over_at: datetime
    deadline_at: datetime


def times(speed: str, now: datetime) -> Times:
    """One for the next day goes at nine, China's time, on the day after it was asked for."""
    confirm_by = now + CONFIRM_LIFE
    if speed == INSTANT:
        return Times(confirm_by=confirm_by, hand_over_at=now, deadline_at=confirm_by + TRANSIT_LIFE)
    nine = day_start(now) + timedelta(days=1) + HANDED_OVER_AT
    return Times(confirm_by=confirm_by, hand_over_at=nine, deadline_at=nine + TRANSIT_LIFE)


def fee(line: FeeLine, amount_fen: int) -> Fen:
    return fee_of(amount_fen, line.bps, line.min_fen, line.max_fen)


def posting(withdrawal_id: str, person_id: str, parts: tuple[int, int], at_ms: int) -> Posting:
    """parts: fen for the card, fen of the fee."""
    person, (on_card_fen, fee_fen) = person_account(person_id), parts
    transfers: tuple[Transfer, ...] = (Transfer(person, PAYOUT, on_card_fen),)
    if fee_fen:
        transfers += (Transfer(person, FEES, fee_fen),)
    return Posting(withdrawal_id, "withdrawal", transfers, at_ms)


def way_back(withdrawal_id: str, person_id: str, parts: tuple[int, int], at_ms: int) -> Posting:
    """The bank has refused it: all of it, the fee too."""
    person, (on_card_fen, fee_fen) = person_account(person_id), parts
    transfers: tuple[Transfer, ...] = (Transfer(PAYOUT, person, on_card_fen),)
    if fee_fen:
        transfers += (Transfer(FEES, person, fee_fen),)
    return Posting(f"{withdrawal_id}:return", "withdrawal_return", transfers, at_ms)


def returned(out: Intent, on_card_fen: int) -> Intent:
    """The intent of the way back of what went out by `out`."""
    parts = (on_card_fen, out.fee_fen)
    back = way_back(out.intent_id, out.payer_id, parts, out.posting.event_at_ms)
    return msgspec.structs.replace(
        out,
        intent_id=back.posting_id,
        kind="withdrawal_return",
        payer_id="bank",
        payee_id=out.payer_id,
        payee_name=OWN_NAME,
        source=PAYOUT,
        posting=back,
    )
