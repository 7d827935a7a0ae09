"""Withdrawals: a person's money to their own card, at once or on the next day.

| when                     | posting                    | debit         | credit        | verdict  |
|--------------------------|----------------------------|---------------|---------------|----------|
| the passkey agreed       | "<withdrawal_id>"          | person:<id>   | bank:payout   | its own  |
| … with a fee             |                            | person:<id>   | fee:income    |          |
| the bank says "paid"     | "sent:<withdrawal_id>"     | bank:payout   | bank:clearing | none     |
| the bank says "refused"  | "<withdrawal_id>:return"   | bank:payout   | person:<id>   | its word |
| … with the fee           |                            | fee:income    | person:<id>   |          |
| … and pays all the same  | "disputed:<withdrawal_id>" | bank:disputed | bank:clearing | none     |
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.risk import Requirement

__all__ = [
    "CONFIRM_LIFE",
    "MAX_UNCONFIRMED",
    "USUAL_ARRIVAL",
    "BalanceTooLow",
    "ConfirmWithdrawal",
    "Speed",
    "SpeedTerms",
    "StartWithdrawal",
    "TooManyUnconfirmed",
    "Withdrawal",
    "WithdrawalClosed",
    "WithdrawalLapsed",
    "WithdrawalPage",
    "WithdrawalRefused",
    "WithdrawalStarted",
    "WithdrawalTerms",
    "WithdrawalTooSmall",
]

CONFIRM_LIFE = timedelta(minutes=15)  # then one that nobody confirmed is over
USUAL_ARRIVAL = timedelta(minutes=2)  # after the bank has it
MAX_UNCONFIRMED = 20  # of one person at a time

Speed = Literal["instant", "next_day"]


class SpeedTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What one speed means now. The bank gets the order at hand_over_at, the card its money by
    arrives_by, or the wallet has it back. left_fen: of the day's limit."""

    speed: str
    fee_fen: int
    hand_over_at: datetime
    arrives_by: datetime
    left_fen: int
    day_fen: int


class WithdrawalTerms(msgspec.Struct, frozen=True, kw_only=True):
    amount_fen: int
    available_fen: int
    each_fen: int
    speeds: tuple[SpeedTerms, ...]


class StartWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """amount_fen leaves the wallet; a fee is part of it."""

    withdrawal_id: Id  # prefix "wdr"
    person_id: Id
    card_id: Id
    amount_fen: Amount
    speed: Speed
    device_secret: str
    address: str = ""


class ConfirmWithdrawal(msgspec.Struct, frozen=True, kw_only=True):
    withdrawal_id: Id
    person_id: Id
    device_secret: str
    ceremony_id: str
    response_json: Annotated[bytes, msgspec.Meta(max_length=16_384)]


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (nobody has agreed yet; over at confirm_by), "authorized" (agreed, not in
    the books yet), "posted" (out of the wallet, on its way), "paid" (on the card), "returned" (the
    bank refused; back in the wallet), "refused" (nothing moved). Ended by deadline_at."""

    withdrawal_id: str
    person_id: str
    card_id: str
    bank_name: str
    last4: str
    amount_fen: int
    fee_fen: int
    speed: Speed
    status: str
    refusal_code: str
    created_at: datetime
    confirm_by: datetime
    hand_over_at: datetime
    deadline_at: datetime
    posted_at: datetime | None
    ended_at: datetime | None

    def begun_again(self, device_secret: str, address: str) -> StartWithdrawal:
        """The same, for a fresh ceremony."""
        return StartWithdrawal(
            withdrawal_id=self.withdrawal_id,
            person_id=self.person_id,
            card_id=self.card_id,
            amount_fen=self.amount_fen,
            speed=self.speed,
            device_secret=device_secret,
            address=address,
        )


class WithdrawalStarted(msgspec.Struct, frozen=True, kw_only=True):
    """requirement: None where nothing is left to agree to."""

    withdrawal: Withdrawal
    requirement: Requirement | None


class WithdrawalPage(msgspec.Struct, frozen=True, kw_only=True):
    withdrawals: tuple[Withdrawal, ...]
    next_cursor: str  # "" at the end


class BalanceTooLow(DomainError, code="balance_too_low"):
    """More than is available; params: available_fen."""


class WithdrawalTooSmall(DomainError, code="withdrawal_too_small"):
    """The fee would take all of it; params: fee_fen."""


class WithdrawalLapsed(DomainError, code="withdrawal_lapsed"):
    """Nobody confirmed it in time, or the verdict ended before the books had it."""


class TooManyUnconfirmed(DomainError, code="too_many_unconfirmed"):
    """Withdrawals that were begun and not confirmed; params: limit, minutes."""


# Never raised: kept in the withdrawal and its bill as the reason.


class WithdrawalRefused(DomainError, code="withdrawal_refused"):
    """The bank did not pay, and said not why. The money is back."""


class WithdrawalClosed(DomainError, code="withdrawal_closed"):
    """The bank did not decide in time; the money is back."""
