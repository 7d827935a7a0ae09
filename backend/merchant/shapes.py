"""What shops take and give: seats, stores, terminals, the till, refunds, staff."""

from datetime import datetime
from typing import Annotated

import msgspec

from backend.ids import Id
from backend.money import Amount
from backend.payments import Note, Order, Payment, Refund
from backend.risk import Approval, PayCode
from backend.shop_roles import Permission, Role

_ENDED = frozenset({"paid", "failed", "expired", "cancelled", "reversed"})
CATEGORIES = ("food", "retail", "services", "travel", "health", "education", "other")
Category = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(CATEGORIES)})$")]
ShopName = Annotated[str, msgspec.Meta(min_length=2, max_length=32)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
Zone = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]+(/[A-Za-z0-9_+-]+){0,2}$", max_length=40)]

MAX_STORES = 200
MAX_TERMINALS = 100  # of a store
MAX_MEMBERS = 100


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts for which shop, in which role; from `seat`, never made by a face. Staff calls take
    it first and refuse with PermissionMissing what its role does not allow."""

    shop_id: str
    shop_name: str
    zone: str  # IANA name; the shop's days begin by it
    owner_id: str
    person_id: str
    role: Role
    permissions: frozenset[Permission]
    store_id: str = ""  # a cashier's store, "" = all


class OpenShop(msgspec.Struct, frozen=True, kw_only=True):
    """device_secret: of the owner, who is thereby known to the security system too."""

    shop_id: Id
    owner_id: Id
    name: ShopName
    category: Category
    device_secret: str = ""
    zone: Zone = "Asia/Shanghai"


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "closed" (by its people: no new orders), "frozen"."""

    shop_id: str
    owner_id: str
    name: str
    category: str
    zone: str
    verified: bool
    status: str
    created_at: datetime


class Store(msgspec.Struct, frozen=True, kw_only=True):
    store_id: str
    shop_id: str
    name: str
    address: str
    closed: bool
    created_at: datetime


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """A till or a table. code_id: of its static code; short_code: typed by hand, 8 digits."""

    terminal_id: str
    store_id: str
    shop_id: str
    name: str
    code_id: str
    short_code: str
    closed: bool
    created_at: datetime


class StaticCode(msgspec.Struct, frozen=True, kw_only=True):
    """As a payer sees it."""

    code_id: str
    short_code: str
    shop_id: str
    owner_id: str
    shop_name: str
    verified: bool
    store_id: str
    store_name: str
    terminal_id: str
    terminal_name: str
    open: bool  # neither shop, store nor terminal is closed or frozen


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """An amount typed at the till, for a dynamic code."""

    order_id: Id
    amount_fen: Amount
    note: Note = ""
    terminal_id: str = ""
    event_at: datetime | None = None  # of the demo's history only


class ChargeShown(msgspec.Struct, frozen=True, kw_only=True):
    """An amount, and the payment code that the till has read."""

    order_id: Id
    payment_id: Id
    amount_fen: Amount
    pay_code: PayCode
    device_secret: str
    note: Note = ""
    terminal_id: str = ""


class PayStatic(msgspec.Struct, frozen=True, kw_only=True):
    """A payer typed an amount at a static code."""

    order_id: Id
    code_id: Id
    payer_id: Id
    amount_fen: Amount
    note: Note = ""
    event_at: datetime | None = None  # of the demo's history only


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its till sees it. state: its status; of a charged payment code also "failed"
    (refusal_code says why), "user_paying", "unknown", "reversed". waits_for: what keeps a payment
    from going back by itself. asked: whether its payer was asked for a passkey."""

    seat: Seat
    order: Order
    state: str
    refusal_code: str = ""
    waits_for: str = ""
    asked: bool = False

    @property
    def ended(self) -> bool:
        return self.state in _ENDED


class RefundCase(msgspec.Struct, frozen=True, kw_only=True):
    """A paid order and what came back of it. names: of who refunded, by person id."""

    seat: Seat
    order: Order
    payment: Payment
    refunds: tuple[Refund, ...]  # oldest first
    names: dict[str, str]

    @property
    def left_fen(self) -> int:
        """What may still be given back. One that waits for a passkey may never come."""
        taken = sum(r.amount_fen for r in self.refunds if r.status in {"authorized", "posted"})
        return self.payment.amount_fen - max(taken, self.payment.refunded_fen)

    def refund(self, refund_id: str) -> Refund | None:
        return next((r for r in self.refunds if r.refund_id == refund_id), None)

    def waits_for(self, refund: Refund) -> bool:
        """Whether it is theirs to go on with, with their passkey where one is asked for."""
        return refund.status == "created" and refund.actor_id == self.seat.person_id


class GiveBack(msgspec.Struct, frozen=True, kw_only=True):
    refund_id: Id
    payment_id: Id
    amount_fen: Amount
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    device_secret: str


class AskRefund(msgspec.Struct, frozen=True, kw_only=True):
    """A payer asks the shop. One open request per payment."""

    request_id: Id
    payment_id: Id
    payer_id: Id
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "granted" (a refund came), "declined"."""

    request_id: str
    shop_id: str
    payment_id: str
    order_id: str
    amount_fen: int
    reason: str
    status: str
    answer: str
    created_at: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    person_id: str
    name: str
    role: Role
    store_id: str
    joined_at: datetime


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """store_id: of a cashier, "" = all; other roles are of the whole shop."""

    invitation_id: Id
    role: Role
    store_id: str = ""
    device_secret: str
    approval: Approval  # of the ceremony that `begin_inviting` opened for this role and store


class WaitingInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody has joined by it yet, and it is still good."""

    invitation_id: str
    role: Role
    expires_at: datetime


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Of a member. role None: remove."""

    member_id: str
    role: Role | None
    store_id: str = ""
    device_secret: str
    approval: Approval  # of the ceremony that `begin_changing` opened for exactly this


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """secret: for the link and its QR code; shown once."""

    invitation_id: str
    shop_name: str
    role: Role
    store_id: str
    secret: str
    expires_at: datetime


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded action of staff. kind: a machine word such as "refund", "store_opened"."""

    act_id: int
    person_id: str
    person_name: str
    kind: str
    ref: str
    at: datetime


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """A cashier's own day so far, in the shop's zone."""

    since: datetime
    amount_fen: int
    count: int
    refund_fen: int
    last: tuple[Order, ...]
