"""Bank cards and top-ups. The bank is behind `BankGateway`; the books show money in transit."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.risk import BankWord

CardNumber = Annotated[str, msgspec.Meta(pattern=r"^\d{12,19}$")]
MicroCode = Annotated[str, msgspec.Meta(pattern=r"^\d{4}$")]


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


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created", "pending" (the bank's answer is not known yet), "paid" (by the bank, not
    in the books yet), "posted", "refused"."""

    topup_id: str
    person_id: str
    card_id: str
    amount_fen: int
    status: str
    refusal_code: str
    created_at: datetime
    deadline_at: datetime
    posted_at: datetime | None


class BankAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """outcome: "paid", "refused" or "pending". word: signed, for the first two."""

    outcome: str
    reason: str = ""
    word: BankWord | None = None


class CardOffer(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    bank_name: str


class BankGateway(Protocol):
    """What a bank does for us. The sandbox bank and real ones implement it."""

    async def offer_card(self, card_id: str, number: str, holder: str) -> CardOffer:
        """Starts the micro-code deposit. Refuses: CardRefused, BankUnavailable."""
        ...

    async def confirm_card(self, token: str, code: str) -> None:
        """Refuses: MicroCodeWrong, CardRefused, BankUnavailable."""
        ...

    async def debit(self, order_id: str, token: str, person_id: str, amount_fen: int) -> BankAnswer:
        """Take money from the card, once per order id. A time-out is "pending", never a refusal."""
        ...

    async def find(self, order_id: str) -> BankAnswer | None:
        """What became of an order; None if the bank never saw it. Refuses: BankUnavailable."""
        ...


class Banking(Protocol):
    async def bind_card(self, bind: BindCard) -> Card:
        """Refuses: IdReused, CardRefused, BankUnavailable."""
        ...

    async def confirm_card(self, confirm: ConfirmCard) -> Card:
        """Refuses: NotFound, MicroCodeWrong, CardRefused, BankUnavailable."""
        ...

    async def cards(self, person_id: str) -> tuple[Card, ...]: ...

    async def top_up(self, start: StartTopUp) -> TopUp:
        """Refuses: NotFound (the card), CardNotBound, IdReused, LimitExceeded."""
        ...

    async def topup(self, person_id: str, topup_id: str) -> TopUp:
        """Refuses: NotFound."""
        ...

    async def bank_said(self, word: BankWord) -> None:
        """A call-back of the bank: duplicate, late or early. Refuses: BankWordInvalid."""
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


class BankUnavailable(DomainError, code="bank_unavailable", retryable=True):
    """The bank does not answer; nothing was asked of it."""


class TopUpRefused(DomainError, code="topup_refused"):
    """The bank said no; kept in the top-up as its reason."""
