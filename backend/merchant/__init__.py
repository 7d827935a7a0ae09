"""Shops: stores, terminals, people, the till. Every call says who acts; permissions are checked
here, and the security system checks again what moves money."""

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.money import Amount
from backend.payments import Charged, Note, Order, Refund, RefundStarted
from backend.risk import Approval, Ceremony, PayCode, Secret
from backend.shop_roles import Permission, Role

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


class Merchant(Protocol):
    # shops and seats
    async def open_shop(self, new: OpenShop) -> Shop:
        """With a first store and terminal. Idempotent. Refuses: BadRequest (no such zone),
        IdReused, HasShop, DeviceUnknown."""
        ...

    async def shop(self, shop_id: str) -> Shop:
        """As anybody may see it. Refuses: NotFound."""
        ...

    async def all_shops(self, after: str, limit: int) -> tuple[Shop, ...]:
        """For settlement, no face asks: by id, those after that one."""
        ...

    async def seats(self, person_id: str) -> tuple[Seat, ...]:
        """Of every shop the person belongs to; the one sat in last comes first."""
        ...

    async def seat(self, person_id: str) -> Seat:
        """The one sat in last. Refuses: NoShop."""
        ...

    async def take_seat(self, person_id: str, shop_id: str) -> Seat:
        """Refuses: NotFound."""
        ...

    async def set_open(self, seat: Seat, is_open: bool) -> Shop:
        """Permission STORES."""

    async def names(self, seat: Seat) -> dict[str, str]:
        """By id: of stores and terminals, as seen by any member; of people, with STAFF."""

    # stores and terminals: permission STORES
    async def stores(self, seat: Seat) -> tuple[Store, ...]:
        """Any member; a cashier of one store sees that one."""

    async def terminals(self, seat: Seat, store_id: str = "") -> tuple[Terminal, ...]: ...

    async def open_store(self, seat: Seat, store_id: Id, name: Label, address: str) -> Store:
        """Idempotent. Refuses: IdReused, TooMany."""
        ...

    async def change_store(self, seat: Seat, store_id: str, name: Label, closed: bool) -> Store:
        """Refuses: NotFound."""
        ...

    async def open_terminal(
        self, seat: Seat, terminal_id: Id, store_id: str, name: Label
    ) -> Terminal:
        """With a static code of its own. Refuses: NotFound, IdReused, TooMany."""
        ...

    async def change_terminal(
        self, seat: Seat, terminal_id: str, name: Label, closed: bool
    ) -> Terminal:
        """Refuses: NotFound."""
        ...

    async def static_code(self, code_id: str) -> StaticCode:
        """By its id or its 8 digits, for anybody. Refuses: NotFound."""
        ...

    async def place(self, store_id: str, terminal_id: str) -> tuple[str, str]:
        """Names of both for whoever pays there; "" where there is none."""

    # the till: permission CHARGE
    async def charge(self, seat: Seat, charge: Charge) -> Order:
        """Refuses: NotFound (the terminal), ShopClosed, ShopFrozen, IdReused."""
        ...

    async def charge_shown(self, seat: Seat, charge: ChargeShown) -> Charged:
        """Refuses: as `charge`, and as payments.charge_code."""
        ...

    async def charged(self, seat: Seat, order_id: str) -> Charged:
        """Refuses: NotFound."""
        ...

    async def reverse(self, seat: Seat, order_id: str, device_secret: str) -> Charged:
        """The till gives up: an unpaid order is cancelled, a paid one goes back whole, once.
        Refuses: NotFound, ReversalTooSoon, OrderBusy, as payments.refund."""
        ...

    async def order(self, seat: Seat, order_id: str) -> Order:
        """Of the shop; a cashier without ORDERS sees what they opened. Refuses: NotFound."""
        ...

    async def cancel(self, seat: Seat, order_id: str) -> Order:
        """Refuses: NotFound, OrderPaid, OrderBusy."""
        ...

    async def shift(self, seat: Seat) -> Shift: ...

    # paying and refunding
    async def pay_static(self, pay: PayStatic) -> Order:
        """An order of code "static" for this payer only. Refuses: NotFound, ShopClosed, ShopFrozen,
        OwnShop, IdReused."""
        ...

    async def refund(self, seat: Seat, give_back: GiveBack) -> RefundStarted:
        """Permission REFUND. Refuses: as payments.refund."""
        ...

    async def confirm_refund(
        self, seat: Seat, refund_id: str, device_secret: str, ceremony_id: str, response_json: bytes
    ) -> Refund:
        """Refuses: as payments.confirm_refund."""
        ...

    async def ask_refund(self, ask: AskRefund) -> RefundRequest:
        """Idempotent. Refuses: NotFound, IdReused, RefundAsked (one is open), BadRequest."""
        ...

    async def decline_refund(self, seat: Seat, request_id: str, answer: Note) -> RefundRequest:
        """Permission REFUND. Refuses: NotFound."""
        ...

    async def refund_requests(self, seat: Seat) -> tuple[RefundRequest, ...]:
        """Open ones, oldest first. Permission REFUND or ORDERS."""

    async def refund_request(self, payer_id: str, payment_id: str) -> RefundRequest | None:
        """The newest of a payment, for its payer."""
        ...

    # people: permission STAFF
    async def members(self, seat: Seat) -> tuple[Member, ...]: ...

    async def invite(self, seat: Seat, invite: Invite) -> Invited:
        """Refuses: BadRequest (the owner's role), NotFound (the store), TooMany, as risk."""
        ...

    async def invitation(self, secret: Secret) -> Invited:
        """For the invited. Refuses: InvitationInvalid."""
        ...

    async def begin_joining(self, person_id: str, secret: Secret) -> Ceremony:
        """Refuses: InvitationInvalid, NeedsPasskey."""
        ...

    async def join(self, approval: Approval, secret: Secret) -> Seat:
        """Refuses: as risk.join_shop."""
        ...

    async def change_member(
        self, seat: Seat, member_id: str, role: Role | None, store_id: str, device_secret: str
    ) -> None:
        """role None: remove. Refuses: NotFound, MemberForbidden."""
        ...

    async def acts(self, seat: Seat, before: int, limit: int) -> tuple[Act, ...]:
        """Newest first; act_id < before (0 = from the newest)."""
        ...

    async def record(self, seat: Seat, kind: str, ref: str) -> None:
        """For what other modules do on behalf of staff: an export, a download."""
        ...


class HasShop(DomainError, code="has_shop"):
    """A person opens one shop for now; being a member of others is free."""


class NoShop(DomainError, code="no_shop"):
    """The person belongs to no shop."""


class ShopFrozen(DomainError, code="shop_frozen"):
    """The shop or its owner is frozen."""


class ShopClosed(DomainError, code="shop_closed"):
    """The shop, store or terminal takes no payments now."""


class PermissionMissing(DomainError, code="permission_missing"):
    """params: permission, role, holders (the permission again: a page names who has it)."""


class RefundAsked(DomainError, code="refund_asked"):
    """The shop has a request for this payment already."""


class TooMany(DomainError, code="too_many"):
    """params: limit."""
