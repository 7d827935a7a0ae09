"""The face of shops, put together; and whose calls they are: permissions are checked here."""

from backend.merchant import (
    Act,
    AskRefund,
    Change,
    Charge,
    ChargeShown,
    GiveBack,
    Invite,
    Invited,
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
from backend.merchant import acts as told
from backend.merchant.guard import need
from backend.merchant.parts import Parts
from backend.merchant.people import People
from backend.merchant.refunds import Refunds
from backend.merchant.seats import Seats
from backend.merchant.shops import Shops
from backend.merchant.stores import Stores
from backend.merchant.till import Till
from backend.merchant.waiting import waiting
from backend.payments import Charged, ConfirmRefund, Order, Refund, RefundStarted
from backend.risk import Approval, Ceremony
from backend.shop_roles import Permission, Role


class MerchantService:
    def __init__(self, parts: Parts) -> None:
        self._clock = parts.clock
        self._seats = Seats(parts.clock)
        self._stores = Stores(parts.clock)
        self._shops = Shops(parts)
        self._till = Till(parts, self._shops, self._stores)
        self._refunds = Refunds(parts, self._shops)
        self._people = People(parts, self._shops, self._stores, self._seats)

    # -- shops and seats ------------------------------------------------------------------------

    async def open_shop(self, new: OpenShop) -> Shop:
        return await self._shops.open(new)

    async def shop(self, shop_id: str) -> Shop:
        return await self._shops.shop(shop_id)

    async def all_shops(self, after: str, limit: int) -> tuple[Shop, ...]:
        return await self._shops.all(after, limit)

    async def seats(self, person_id: str) -> tuple[Seat, ...]:
        return await self._seats.all(person_id)

    async def seat(self, person_id: str) -> Seat:
        return await self._seats.last(person_id)

    async def take_seat(self, person_id: str, shop_id: str) -> Seat:
        return await self._seats.take(person_id, shop_id)

    async def set_open(self, seat: Seat, is_open: bool) -> Shop:
        need(seat, Permission.STORES)
        return await self._shops.set_open(seat, is_open)

    # -- stores and terminals -------------------------------------------------------------------

    async def names(self, seat: Seat) -> dict[str, str]:
        return await self._stores.names(seat)

    async def stores(self, seat: Seat) -> tuple[Store, ...]:
        return await self._stores.stores(seat)

    async def terminals(self, seat: Seat, store_id: str = "") -> tuple[Terminal, ...]:
        return await self._stores.terminals(seat, store_id)

    async def open_store(self, seat: Seat, store_id: str, name: str, address: str) -> Store:
        need(seat, Permission.STORES)
        return await self._stores.open_store(seat, store_id, name, address)

    async def change_store(self, seat: Seat, store_id: str, name: str, closed: bool) -> Store:
        need(seat, Permission.STORES)
        return await self._stores.change_store(seat, store_id, name, closed)

    async def open_terminal(
        self, seat: Seat, terminal_id: str, store_id: str, name: str
    ) -> Terminal:
        need(seat, Permission.STORES)
        return await self._stores.open_terminal(seat, terminal_id, store_id, name)

    async def change_terminal(
        self, seat: Seat, terminal_id: str, name: str, closed: bool
    ) -> Terminal:
        need(seat, Permission.STORES)
        return await self._stores.change_terminal(seat, terminal_id, name, closed)

    async def static_code(self, code_id: str) -> StaticCode:
        return await self._stores.static_code(code_id)

    async def place(self, store_id: str, terminal_id: str) -> tuple[str, str]:
        return await self._stores.place(store_id, terminal_id)

    # -- the till -------------------------------------------------------------------------------

    async def charge(self, seat: Seat, charge: Charge) -> Order:
        need(seat, Permission.CHARGE)
        return await self._till.charge(seat, charge)

    async def charge_shown(self, seat: Seat, charge: ChargeShown) -> Charged:
        need(seat, Permission.CHARGE)
        return await self._till.charge_shown(seat, charge)

    async def charged(self, seat: Seat, order_id: str) -> Charged:
        need(seat, Permission.CHARGE)
        return await self._till.charged(seat, order_id)

    async def reverse(self, seat: Seat, order_id: str, device_secret: str) -> Charged:
        need(seat, Permission.CHARGE)
        return await self._till.reverse(seat, order_id, device_secret)

    async def order(self, seat: Seat, order_id: str) -> Order:
        need(seat, Permission.CHARGE, Permission.ORDERS)
        return await self._till.order(seat, order_id)

    async def look(self, seat: Seat, order_id: str) -> Look:
        need(seat, Permission.CHARGE, Permission.ORDERS)
        return await self._till.look(seat, order_id)

    async def cancel(self, seat: Seat, order_id: str) -> Order:
        need(seat, Permission.CHARGE)
        return await self._till.cancel(seat, order_id)

    async def shift(self, seat: Seat) -> Shift:
        need(seat, Permission.CHARGE)
        return await self._till.shift(seat)

    # -- paying and refunding -------------------------------------------------------------------

    async def pay_static(self, pay: PayStatic) -> Order:
        return await self._till.pay_static(pay)

    async def refund_case(self, seat: Seat, order_id: str) -> RefundCase:
        need(seat, Permission.REFUND)
        return await self._refunds.case(seat, await self._till.order(seat, order_id))

    async def refund(self, seat: Seat, give_back: GiveBack) -> RefundStarted:
        need(seat, Permission.REFUND)
        return await self._refunds.refund(seat, give_back)

    async def confirm_refund(
        self, seat: Seat, refund_id: str, device_secret: str, ceremony_id: str, response_json: bytes
    ) -> Refund:
        need(seat, Permission.REFUND)
        confirm = ConfirmRefund(
            refund_id=refund_id,
            shop_id=seat.shop_id,
            actor_id=seat.person_id,
            device_secret=device_secret,
            ceremony_id=ceremony_id,
            response_json=response_json,
        )
        return await self._refunds.confirm(confirm)

    async def ask_refund(self, ask: AskRefund) -> RefundRequest:
        return await self._refunds.ask(ask)

    async def decline_refund(self, seat: Seat, request_id: str, answer: str) -> RefundRequest:
        need(seat, Permission.REFUND)
        return await self._refunds.decline(seat, request_id, answer)

    async def refund_requests(self, seat: Seat) -> tuple[RefundRequest, ...]:
        need(seat, Permission.REFUND, Permission.ORDERS)
        return await self._refunds.open_requests(seat)

    async def refund_request(self, payer_id: str, payment_id: str) -> RefundRequest | None:
        return await self._refunds.request(payer_id, payment_id)

    # -- people ---------------------------------------------------------------------------------

    async def members(self, seat: Seat) -> tuple[Member, ...]:
        need(seat, Permission.STAFF)
        return await self._people.members(seat)

    async def invite(self, seat: Seat, invite: Invite) -> Invited:
        need(seat, Permission.STAFF)
        return await self._people.invite(seat, invite)

    async def waiting_invitations(self, seat: Seat) -> tuple[WaitingInvitation, ...]:
        need(seat, Permission.STAFF)
        return await waiting(seat.shop_id, self._clock.now())

    async def invitation(self, secret: str) -> Invited:
        return await self._people.invitation(secret)

    async def begin_joining(self, person_id: str, secret: str) -> Ceremony:
        return await self._people.begin_joining(person_id, secret)

    async def join(self, approval: Approval, secret: str) -> Seat:
        return await self._people.join(approval, secret)

    async def begin_inviting(self, seat: Seat, role: Role, store_id: str) -> Ceremony:
        need(seat, Permission.STAFF)
        return await self._people.begin_inviting(seat, role, store_id)

    async def begin_changing(
        self, seat: Seat, member_id: str, role: Role | None, store_id: str
    ) -> Ceremony:
        need(seat, Permission.STAFF)
        return await self._people.begin_changing(seat, member_id, role, store_id)

    async def change_member(self, seat: Seat, change: Change) -> None:
        need(seat, Permission.STAFF)
        await self._people.change(seat, change)

    async def acts(self, seat: Seat, before: int, limit: int) -> tuple[Act, ...]:
        need(seat, Permission.STAFF)
        return await told.page(seat.shop_id, before, limit)

    async def record(self, seat: Seat, kind: str, ref: str) -> None:
        await told.tell(seat.shop_id, seat.person_id, kind, ref, self._clock.now())
