"""Transfers between people: at once or with a delay and recall; requests for money, split or not.

A transfer is an order of code "none" that the payer opens for the payee, paid like any other. A
delayed one is paid into a pot of its own ("escrow:<transfer_id>", floor 0), and arrives or is
recalled from there; the consent to both is in the intent's terms.
"""

from datetime import datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.payments import Confirm, Note, Quote
from backend.risk import Requirement

DELAYS = (timedelta(0), timedelta(hours=2), timedelta(hours=24))
MAX_SPLIT = 100  # people in one request
REQUEST_LIFE = timedelta(days=7)
REMIND_AFTER = timedelta(hours=12)  # between two reminders
MAX_NAME_TRIES = 5  # wrong first characters, per payee
NAME_TRIES_LIFE = timedelta(hours=24)  # after which one may try again
FOUND_LIFE = timedelta(hours=24)  # how long a number that was found may be sent to
MAX_REQUESTS = 30  # that a person makes in a day


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a transfer would go to. name: with its first character hidden, where the two are no
    friends; the payer then types that character (name check) on a first payment. by_number: all
    that the payer knows is a number: its name is the number, masked, and whether anybody has a
    wallet with it is told to nobody who does not know that character."""

    payee_id: str
    name: str
    is_friend: bool
    first_payment: bool
    by_number: bool = False

    @property
    def asks_name(self) -> bool:
        return self.first_payment and not self.is_friend


class StartTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """transfer_id has the prefix "trf". name_check: the first character of the payee's name, asked
    on a first payment to somebody who is no friend. request_id: the request that it pays."""

    transfer_id: Id
    payment_id: Id
    payer_id: Id
    payee_id: Id
    amount_fen: Amount
    note: Note = ""
    delay: timedelta = timedelta(0)
    name_check: str = ""
    request_id: str = ""
    device_secret: str = ""
    address: str = ""


class PayTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """Pay what `open` has stored."""

    transfer_id: Id
    payer_id: Id
    device_secret: str
    address: str = ""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created" (not paid yet), "waiting" (delayed: it can be recalled until arrives_at),
    "arrived", "recalled", "refused", "lapsed" (never paid)."""

    transfer_id: str
    payment_id: str
    payer_id: str
    payee_id: str
    payer_name: str
    payee_name: str
    amount_fen: int
    note: str
    status: str
    refusal_code: str
    created_at: datetime
    arrives_at: datetime | None
    ended_at: datetime | None
    request_id: str


class TransferStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Done (or waiting), or `requirement` says what it takes; a ceremony goes to `confirm`."""

    transfer: Transfer
    requirement: Requirement | None


class Somebody(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be asked for money, by the name that the asker knows."""

    person_id: str
    name: str


class NewRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Money asked of one or split among many: each (person, fen); people who are friends or in the
    group. group_id: shown to all of the group."""

    request_id: Id  # prefix "req"
    person_id: Id
    note: Note
    shares: Annotated[
        tuple[tuple[str, Amount], ...], msgspec.Meta(min_length=1, max_length=MAX_SPLIT)
    ]
    group_id: str = ""


class RequestShare(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "paid", "declined"."""

    person_id: str
    name: str
    amount_fen: int
    status: str
    transfer_id: str
    at: datetime | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "done" (all paid or declined), "withdrawn", "expired"."""

    request_id: str
    person_id: str
    name: str
    note: str
    group_id: str
    status: str
    shares: tuple[RequestShare, ...]
    created_at: datetime
    expires_at: datetime
    reminded_at: datetime | None


def evenly(total_fen: int, people: int, with_asker: bool) -> tuple[int, int]:
    """The same for everybody, in whole fen, and what stays with who asks: their part, if they take
    part, and then what is left over. 0 for each: less than a fen."""
    each_fen = total_fen // (people + with_asker)
    return each_fen, total_fen - each_fen * people if with_asker else 0


class Transfers(Protocol):
    async def payee(self, payer_id: str, to: str) -> Payee:
        """to: a person's id (friend, group or request only), or a phone number. Numbers with and
        without a wallet get the same answer, but those of friends. Refuses: PayeeUnknown,
        TooManyFinds, OwnSelf."""
        ...

    async def open(self, start: StartTransfer) -> Transfer:
        """Check and store it; nothing moves. Idempotent. Refuses: BadRequest, IdReused, OwnSelf,
        PayeeUnknown, Blocked, NameCheckFailed, and of a request NotFound, RequestEnded,
        AmountChanged."""
        ...

    async def quote(self, payer_id: str, transfer_id: str, device_secret: str) -> Quote:
        """What paying it would take. Refuses: NotFound, and as payments.quote."""
        ...

    async def pay(self, pay: PayTransfer) -> TransferStarted:
        """Refuses: NotFound, Blocked, and as payments.start. A transfer that has ended comes back
        as it is."""
        ...

    async def start(self, start: StartTransfer) -> TransferStarted:
        """`open`, then `pay`. Refuses: as both."""
        ...

    async def confirm(self, confirm: Confirm) -> Transfer:
        """Refuses: as payments.confirm."""
        ...

    async def transfer(self, person_id: str, transfer_id: str) -> Transfer:
        """Of either side. Refuses: NotFound."""
        ...

    async def waiting(self, person_id: str) -> tuple[Transfer, ...]:
        """Delayed ones on their way, of the payer and to the payee."""
        ...

    async def recall(self, payer_id: str, transfer_id: str, device_secret: str) -> Transfer:
        """Before it arrives. Refuses: NotFound, TooLate."""
        ...

    async def askable(self, person_id: str, group_id: str) -> tuple[Somebody, ...]:
        """Who may be asked: the group's members, or with "" friends. Refuses: NotFound (the
        group)."""
        ...

    async def request(self, new: NewRequest) -> Request:
        """Idempotent. Refuses: BadRequest, OwnSelf, PayeeUnknown (no friend, not in the group),
        Blocked, TooManyRequests, IdReused."""
        ...

    async def requests(self, person_id: str) -> tuple[Request, ...]:
        """Asked by and of the person, open ones first, newest first, at most 100."""
        ...

    async def find_request(self, person_id: str, request_id: str) -> Request:
        """Of who asked, who is asked, or the group. Refuses: NotFound."""
        ...

    async def decline(self, person_id: str, request_id: str) -> Request:
        """Idempotent. Refuses: NotFound, RequestEnded, OrderBusy (being paid just now)."""
        ...

    async def withdraw(self, person_id: str, request_id: str) -> Request:
        """Idempotent. What is being paid just now may still arrive. Refuses: NotFound,
        RequestEnded."""
        ...

    async def remind(self, person_id: str, request_id: str) -> Request:
        """Tell those who have not paid. Refuses: NotFound, RequestEnded, RemindedLately (hours)."""
        ...

    async def sweep(self) -> int:
        """Let arrive what is due, finish what stopped half-way, end what nobody paid."""
        ...


class PayeeUnknown(DomainError, code="payee_unknown"):
    """No wallet by that number, or nobody the payer may send to."""


class NameCheckFailed(DomainError, code="name_check_failed"):
    """It is not the first character of the payee's name; params: tries_left."""


class Blocked(DomainError, code="blocked"):
    """One of the two has blocked the other; nobody is told which."""


class TooLate(DomainError, code="too_late"):
    """It has arrived."""


class RequestEnded(DomainError, code="request_ended"):
    """Paid, declined, withdrawn or expired."""


class TooManyRequests(DomainError, code="too_many_requests"):
    """params: limit, of requests that a person makes in a day."""


class RemindedLately(DomainError, code="reminded_lately"):
    """params: hours."""
