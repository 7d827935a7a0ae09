"""Shops: stores, terminals, people, the till. Every call says who acts; permissions are checked
here, and the security system checks again what moves money."""

from typing import Protocol

from backend.errors import DomainError
from backend.ids import Id
from backend.merchant.shapes import *  # noqa: F403 — the shapes are part of the face
from backend.merchant.shapes import (
    Act,
    AskRefund,
    Change,
    Charge,
    ChargeShown,
    GiveBack,
    Invite,
    Invited,
    Label,
    Look,
    Member,
    OpenShop,
    PayStatic,
    RefundCase,
    RefundRequest,
    Seat,
    Shift,
    Shop,
    StaticCode,
    Store,
    Terminal,
    WaitingInvitation,
)
from backend.payments import Charged, Note, Order, Refund, RefundStarted
from backend.risk import Approval, Ceremony, Secret
from backend.shop_roles import Role


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
        Refuses: NotFound, RefundInstead, ReversalTooSoon, OrderBusy, as payments.refund."""
        ...

    async def order(self, seat: Seat, order_id: str) -> Order:
        """Of the shop; a cashier without ORDERS sees what they opened. Refuses: NotFound."""
        ...

    async def look(self, seat: Seat, order_id: str) -> Look:
        """What a till shows of an order, whichever way it is paid. Refuses: as `order`."""
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

    async def refund_case(self, seat: Seat, order_id: str) -> RefundCase:
        """Permission REFUND. Refuses: NotFound, for an order that was not paid too."""
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

    async def begin_inviting(self, seat: Seat, role: Role, store_id: str) -> Ceremony:
        """For the passkey of whoever invites. Refuses: BadRequest (the owner's role), NotFound
        (the store), NeedsPasskey."""
        ...

    async def begin_changing(
        self, seat: Seat, member_id: str, role: Role | None, store_id: str
    ) -> Ceremony:
        """For the passkey of whoever changes a member. Refuses: NotFound, MemberForbidden,
        NeedsPasskey."""
        ...

    async def waiting_invitations(self, seat: Seat) -> tuple[WaitingInvitation, ...]:
        """The next to expire first, as far as is known here."""
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

    async def change_member(self, seat: Seat, change: Change) -> None:
        """Refuses: NotFound, MemberForbidden, as risk."""
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
