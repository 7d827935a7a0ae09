"""Bank cards and top-ups. The bank is behind `BankGateway`; the books show money in transit.

What the books say about a top-up (a debit makes a balance smaller, a credit larger):

| when                      | posting              | debit         | credit        | verdict      |
|---------------------------|----------------------|---------------|---------------|--------------|
| the bank says "paid"      | "arrival:<topup_id>" | bank:clearing | bank:transit  | none: ours   |
| the person is credited    | "<topup_id>"         | bank:transit  | person:<id>   | by its word  |
| it went back to the card  | "return:<topup_id>"  | bank:transit  | bank:clearing | none: ours   |

A payout to a shop's card goes the other way through bank:payout (floor 0):

| the shop's owner let it go     | "<payout_id>"        | shop:<id>     | bank:payout   | standing |
| the bank says "paid"           | "sent:<payout_id>"   | bank:payout   | bank:clearing | none     |
| the bank says "refused"        | "<payout_id>:return" | bank:payout   | shop:<id>     | its word |
| … and pays all the same later  | "disputed:<payout_id>" | bank:disputed | bank:clearing | none   |

A person's withdrawal goes the same way out of their wallet: see shapes_withdrawal.py.

So −bank:clearing is what the bank holds for us, and bank:transit what has arrived and is neither
credited nor given back yet. The bank's own total = −bank:clearing + what is paid there and not
known here yet: "pending" top-ups, each with a deadline (I8); less what it has paid out and not
told yet: part of bank:payout, each with a deadline too. bank:transit has the floor 0: nobody
is credited with money that has not arrived.

Money goes back to the card where it can't be credited any more: the ledger refused the top-up's id
(refusals are final), the security system refuses it until its deadline, or the bank took the money
after it had said "refused".
"""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.banking.shapes_withdrawal import *  # noqa: F403 — shapes and refusals of the face
from backend.banking.shapes_withdrawal import (
    ConfirmWithdrawal,
    StartWithdrawal,
    Withdrawal,
    WithdrawalPage,
    WithdrawalStarted,
    WithdrawalTerms,
)
from backend.bankleave import Leave
from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.risk import BankWord

MAX_TOPUP_FEN = 2_000_000  # each: 20,000 yuan
MAX_DAY_FEN = 5_000_000  # per person and day (Asia/Shanghai), refused ones not counted
MAX_IN_TRANSIT = 5  # top-ups of one person whose end is not known
MAX_CARDS = 10  # of one person
MAX_OFFERS = 10  # cards that one person tries to bind in 24 hours
TRANSIT_LIFE = timedelta(minutes=30)  # then an order that the bank has not decided is closed

CardNumber = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12,19}(?![\s\S])")]
MicroCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}$", max_length=4)]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """No card number: the bank's token stays inside. status: "pending", "bound", "refused"."""

    card_id: str
    person_id: str
    bank_name: str
    last4: str
    status: str
    created_at: datetime


class BindCard(msgspec.Struct, frozen=True, kw_only=True):
    card_id: Id
    person_id: Id
    number: CardNumber
    holder: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ConfirmCard(msgspec.Struct, frozen=True, kw_only=True):
    """The micro-code from the bank's one-fen deposit."""

    card_id: Id
    person_id: Id
    code: MicroCode


class StartTopUp(msgspec.Struct, frozen=True, kw_only=True):
    topup_id: Id
    person_id: Id
    card_id: Id
    amount_fen: Amount
    event_at: datetime | None = None  # set by the demo's history only


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created", "pending" (the bank's answer is not known yet), "paid" (by the bank, not
    in the books yet), "posted", "refused". Until one of the last two it is in transit, at most
    until deadline_at. refusal_code is the code of a refusal; reversal: "due" while a refused one's
    money goes back to the card, "returned" when it has."""

    topup_id: str
    person_id: str
    card_id: str
    amount_fen: int
    status: str
    refusal_code: str
    created_at: datetime
    deadline_at: datetime
    posted_at: datetime | None
    reversal: str = ""


class BankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """outcome: "paid", "refused" or "pending". word: signed, for the first two."""

    outcome: str
    reason: str = ""
    word: BankWord | None = None


class CardOffer(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    bank_name: str


class StartPayout(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's money to its owner's card, with the owner's standing consent."""

    payout_id: Id  # prefix "pyo"
    shop_id: Id
    owner_id: Id
    card_id: Id
    amount_fen: Amount


class Payout(msgspec.Struct, frozen=True, kw_only=True):
    """Ended by deadline_at where the bank answers. status: "created", "posted" (it has left the
    shop's account), "paid" (on the card), "returned" (the bank refused; it is back in the shop's
    account), "refused" (nothing moved)."""

    payout_id: str
    shop_id: str
    card_id: str
    last4: str
    amount_fen: int
    status: str
    refusal_code: str
    created_at: datetime
    deadline_at: datetime
    ended_at: datetime | None


class BankGateway(Protocol):
    """What a bank does for us. The sandbox bank and real ones implement it."""

    async def offer_card(self, card_id: str, person_id: str, number: str, holder: str) -> CardOffer:
        """Starts the micro-code deposit. Refuses: CardRefused, BankUnavailable."""
        ...

    async def confirm_card(self, token: str, code: str) -> BankWord:
        """The bank's word that the card is the person's (`bankword.CardStatement`), for the
        security system. Refuses: MicroCodeWrong, CardRefused, BankUnavailable."""
        ...

    async def debit(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        """Take money from the card, once per order id. A time-out is "pending", never a refusal."""
        ...

    async def find(self, order_id: str) -> BankAnswer | None:
        """What became of an order; None if the bank never saw it. Refuses: BankUnavailable."""
        ...

    async def end(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        """Refuse for good what is not decided, unknown orders too; or say what it has become.
        Refuses: BankUnavailable."""
        ...

    async def pay_out(
        self, order_id: str, token: str, owner_id: str, amount_fen: int, leave: Leave
    ) -> BankAnswer:
        """Credit the card, once per order id, and never without the security system's leave for
        exactly this. A time-out is "pending". `find` says what became of it. Its word names
        owner_id, the shop, as the bank's person."""
        ...

    async def refund(self, order_id: str) -> None:
        """Give all of a paid order back to the card, once. Refuses: BankUnavailable."""
        ...


class Banking(Protocol):
    async def bind_card(self, bind: BindCard) -> Card:
        """Refuses: IdReused, CardRefused, TooManyCards, BankUnavailable."""
        ...

    async def confirm_card(self, confirm: ConfirmCard) -> Card:
        """Refuses: NotFound, MicroCodeWrong, CardRefused, BankUnavailable."""
        ...

    async def cards(self, person_id: str) -> tuple[Card, ...]: ...

    async def top_up(self, start: StartTopUp) -> TopUp:
        """What the bank refuses is no refusal here but the top-up's end. Refuses: IdReused,
        NotFound (the card), CardNotBound, LimitExceeded ("topup_each", "topup_day",
        "topup_in_transit"), BadRequest (an event_at outside the demo)."""
        ...

    async def topup(self, person_id: str, topup_id: str) -> TopUp:
        """Refuses: NotFound."""
        ...

    async def bank_said(self, word: BankWord) -> None:
        """A call-back of the bank: duplicate, late or early. Refuses: BankWordInvalid."""
        ...

    async def pay_out(self, start: StartPayout) -> Payout:
        """Idempotent; ends by `sweep` where the bank is slow. What risk and the ledger refuse is
        no refusal here but its end. Refuses: IdReused, NotFound (the card), CardNotBound,
        CardNotProven."""
        ...

    async def payout(self, shop_id: str, payout_id: str) -> Payout:
        """Refuses: NotFound."""
        ...

    async def withdrawal_terms(
        self, person_id: str, amount_fen: int, device_secret: str
    ) -> WithdrawalTerms:
        """When it would arrive by each speed, for what fee, and what is left of the limits; 0 fen
        asks for the limits alone. Refuses: BadRequest, NotFound (no live device)."""
        ...

    async def start_withdrawal(self, start: StartWithdrawal) -> WithdrawalStarted:
        """Store it and say what it takes; the same again while it is "created" opens a new
        ceremony. Refuses: BadRequest, IdReused, NotFound (the card), CardNotBound, CardNotProven,
        BalanceTooLow, WithdrawalTooSmall, TooManyUnconfirmed, WithdrawalLapsed, and as
        risk.prepare_withdrawal."""
        ...

    async def confirm_withdrawal(self, confirm: ConfirmWithdrawal) -> Withdrawal:
        """Idempotent. "authorized" or "posted" where the books or the bank are slow: `sweep` goes
        on. Refuses: NotFound, WithdrawalLapsed, as risk.authorize_withdrawal, and why the ledger
        refused it, which is final."""
        ...

    async def withdrawal(self, person_id: str, withdrawal_id: str) -> Withdrawal:
        """Refuses: NotFound."""
        ...

    async def withdrawals(
        self, person_id: str, cursor: str, limit: Annotated[int, msgspec.Meta(ge=1, le=100)]
    ) -> WithdrawalPage:
        """Those agreed to, newest first. Refuses: BadRequest (a foreign cursor)."""
        ...

    async def sweep(self) -> int:
        """Settle what is in transit; how many were touched."""
        ...


class CardRefused(DomainError, code="card_refused"):
    """The bank does not take this card; params: reason."""


class MicroCodeWrong(DomainError, code="micro_code_wrong"):
    """params: tries_left."""


class CardNotBound(DomainError, code="card_not_bound"):
    """The card is not confirmed yet."""


class CardNotProven(DomainError, code="card_not_proven"):
    """It was bound before the bank proved cards to the security system: to be bound anew."""


class BankUnavailable(DomainError, code="bank_unavailable", retryable=True):
    """The bank does not answer; nothing was asked of it."""


class TooManyCards(DomainError, code="too_many_cards"):
    """params: limit, the most cards of a person, or tries to bind one in a day."""


# Never raised: kept in the top-up and its bill as the reason.


class TopUpRefused(DomainError, code="topup_refused"):
    """The bank said no, and not why."""


class TopUpClosed(DomainError, code="topup_closed"):
    """The bank did not decide in time; the order was closed and nothing was taken."""


class CardFunds(DomainError, code="card_funds"):
    """The card has not enough money."""


class CardBlocked(DomainError, code="card_blocked"):
    """The bank has blocked the card."""


class PayoutRefused(DomainError, code="payout_refused"):
    """The bank did not pay, and said not why."""


class PayoutClosed(DomainError, code="payout_closed"):
    """The bank did not decide in time; the payout was closed and the money came back."""
