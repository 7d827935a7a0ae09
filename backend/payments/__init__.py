"""Payments: orders, and the one way a person's money moves: intent, consent, verdict, posting."""

from datetime import date, datetime, timedelta
from typing import Annotated, Protocol

import msgspec

from backend.errors import DomainError
from backend.ids import Id
from backend.ledger import Balance
from backend.money import Amount
from backend.risk import FreezeState, PayCode, Requirement

ORDER_LIFE = timedelta(minutes=15)
CODE_ORDER_LIFE = timedelta(seconds=90)  # of an order by payment code: passkey included
REVERSAL_WAIT = timedelta(seconds=15)
MIN_ORDER_LIFE, MAX_ORDER_LIFE = timedelta(minutes=1), timedelta(hours=2)
SHORT_OF_DEADLINE = timedelta(seconds=45)  # after which a payment stopped half-way is driven on

Note = Annotated[str, msgspec.Meta(max_length=64)]


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request for money. The payee's name is what the payer will see.

    code: how the payer came to it: "dynamic", "static", "shown" (a payment code), "none".
    """

    order_id: Id  # made by the caller
    payee_id: Id  # a shop or a person
    owner_id: Id  # the person behind the payee, who may not pay it
    payee_name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    amount_fen: Amount
    note: Note = ""
    life: timedelta = ORDER_LIFE
    code: str = "dynamic"
    store_id: str = ""
    terminal_id: str = ""
    opened_by: str = ""  # the cashier, or the payer of a static code
    payer_id: str = ""  # nobody else may pay it; "" = whoever comes first


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """status: "open", "paying", "paid", "expired", "cancelled"."""

    order_id: str
    payee_id: str
    owner_id: str
    payee_name: str
    amount_fen: int
    fee_fen: int = 0  # what the payee will pay of it, by the schedule at the time of opening
    note: str
    status: str
    code: str = "dynamic"
    store_id: str = ""
    terminal_id: str = ""
    opened_by: str = ""
    payer_id: str = ""
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    payment_id: str | None


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """What paying an order would take and cost; nothing is stored."""

    order: Order
    requirement: Requirement
    balance: Balance
    short_fen: int  # how much is missing in the balance, 0 if it is enough


class StartPayment(msgspec.Struct, frozen=True, kw_only=True):
    """payment_id was made when the form was drawn; amount_fen is what the payer saw."""

    payment_id: Id
    order_id: Id
    payer_id: Id
    amount_fen: Amount
    device_secret: str
    address: str = ""
    event_at: datetime | None = None  # set by the demo's history only


class Confirm(msgspec.Struct, frozen=True, kw_only=True):
    """The assertion that `start` asked for."""

    payment_id: Id
    payer_id: Id
    device_secret: str
    ceremony_id: str
    response_json: bytes


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """status: "created", "authorized", "posted", "refused"; the last two are final.

    event_at: when it happened; differs from created_at in the demo's history only.
    """

    payment_id: str
    order_id: str
    payer_id: str
    payee_id: str
    payee_name: str
    amount_fen: int
    fee_fen: int
    refunded_fen: int = 0  # posted refunds so far
    level: str  # "" until authorized
    status: str
    refusal_code: str
    event_at: datetime
    created_at: datetime
    posted_at: datetime | None
    journal_seq: int | None


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """Either it is done (level C), or `requirement.ceremony` is to be answered by `confirm`."""

    payment: Payment
    requirement: Requirement | None


class ChargeCode(msgspec.Struct, frozen=True, kw_only=True):
    """A till has read a payer's code. Same ids and same code: the same answer, so a till whose
    answer was lost asks again. order.code is "shown"."""

    payment_id: Id
    order: OpenOrder
    pay_code: PayCode


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """state: "succeeded", "failed" (refusal_code says why; nothing moved), "user_paying" (the payer
    is asked for a passkey until order.expires_at), "unknown" (ask again; ends by itself)."""

    order: Order
    payment_id: str
    state: str
    refusal_code: str = ""


class StartRefund(msgspec.Struct, frozen=True, kw_only=True):
    """Back to where the money came from. reversal: of the whole, where the till never learnt the
    truth."""

    refund_id: Id
    payment_id: Id
    shop_id: Id
    actor_id: Id
    amount_fen: Amount
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    device_secret: str
    reversal: bool = False


class ConfirmRefund(msgspec.Struct, frozen=True, kw_only=True):
    refund_id: Id
    shop_id: Id
    actor_id: Id
    device_secret: str
    ceremony_id: str
    response_json: bytes


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """status: as of a payment. fee_fen: what the shop got back of the fee."""

    refund_id: str
    payment_id: str
    order_id: str
    shop_id: str
    payer_id: str  # who gets it
    actor_id: str
    amount_fen: int
    fee_fen: int
    reason: str
    reversal: bool
    status: str
    refusal_code: str
    created_at: datetime
    posted_at: datetime | None
    journal_seq: int | None


class RefundStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Done, or `requirement.ceremony` is to be answered by `confirm_refund`."""

    refund: Refund
    requirement: Requirement | None


class NewReceiveCode(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own code. Without an amount the payer types it. amount_fen None: any."""

    code_id: Id  # prefix "rcv"
    person_id: Id
    amount_fen: Amount | None = None
    note: Note = ""


class ReceiveCode(msgspec.Struct, frozen=True, kw_only=True):
    """As a payer may see it: the name masked."""

    code_id: str
    person_id: str
    name: str
    amount_fen: int | None
    note: str


class OpenReceived(msgspec.Struct, frozen=True, kw_only=True):
    """The payer of a personal code typed an amount (or took the code's)."""

    order_id: Id
    code_id: Id
    payer_id: Id
    amount_fen: Amount


class FeeRule(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the schedule. shop_id "" and product "" = any; the most exact line that is in
    force wins. product: "dynamic", "static", "shown"."""

    shop_id: str = ""
    product: str = ""
    since: datetime
    until: datetime | None = None
    bps: int
    min_fen: int = 0
    max_fen: int | None = None


class ShopDay(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's posted payments of one day in Asia/Shanghai."""

    day: date
    amount_fen: int
    count: int


class Payments(Protocol):
    async def open_order(self, new: OpenOrder) -> Order:
        """Idempotent. Refuses: BadRequest (a life below a minute or above two hours), IdReused."""
        ...

    async def cancel_order(self, shop_id: str, order_id: str) -> Order:
        """Refuses: NotFound, OrderPaid, OrderBusy."""
        ...

    async def order(self, order_id: str) -> Order:
        """As anybody who has the code may see it. Refuses: NotFound."""
        ...

    async def quote(self, order_id: str, payer_id: str, device_secret: str) -> Quote:
        """Refuses: as `start`, but for the balance."""
        ...

    async def start(self, start: StartPayment) -> Started:
        """Refuses: BadRequest, NotFound, IdReused, OrderPaid, OrderExpired, OrderCancelled,
        OrderBusy, OwnShop, AmountChanged, PayeeFrozen, InsufficientBalance, what risk and ledger
        refuse, PaymentAbandoned, and RiskUnavailable or LedgerUnavailable where they don't answer,
        PaymentPending where an answer was lost; money_moved tells the truth."""
        ...

    async def confirm(self, confirm: Confirm) -> Payment:
        """Refuses: as `start`."""
        ...

    async def charge_code(self, charge: ChargeCode) -> Charged:
        """Open the order, burn the code, pay if no passkey is needed; else the payer is asked
        (event "payment_asked" on person:<payer>) and pays by `start` with the same payment id and
        order. Refuses: BadRequest, IdReused, PayCodeInvalid, TooManyGuesses, OwnShop, PayeeFrozen,
        RiskUnavailable, LedgerUnavailable. What refuses the payment itself is state "failed"."""
        ...

    async def charged(self, payee_id: str, order_id: str) -> Charged:
        """What became of it, for a till that asks again. Refuses: NotFound."""
        ...

    async def asked(self, payer_id: str) -> tuple[Order, ...]:
        """Orders by payment code that wait for this person's passkey, newest first; each order's
        payment_id is the payment to `start`."""
        ...

    async def refund(self, start: StartRefund) -> RefundStarted:
        """Refuses: BadRequest, IdReused, NotFound (no such posted payment of the shop),
        InsufficientBalance (of the shop), ReversalTooSoon, what risk and ledger refuse, and
        RiskUnavailable, LedgerUnavailable, PaymentPending as for payments."""
        ...

    async def confirm_refund(self, confirm: ConfirmRefund) -> Refund:
        """Refuses: as `refund`."""
        ...

    async def refunds(self, viewer_id: str, payment_id: str) -> tuple[Refund, ...]:
        """Oldest first; viewer_id is the payer, the owner, or the shop. Refuses: NotFound."""
        ...

    async def new_receive_code(self, new: NewReceiveCode) -> ReceiveCode:
        """Idempotent. A person's code without amount is always the same one. Refuses: IdReused,
        TooManyReceiveCodes."""
        ...

    async def receive_code(self, code_id: str) -> ReceiveCode:
        """Refuses: NotFound."""
        ...

    async def open_received(self, opened: OpenReceived) -> Order:
        """An order of code "static" for this payer only; the payee is the person. Refuses:
        NotFound, OwnCode, AmountChanged, IdReused, PayeeFrozen."""
        ...

    async def fees(self, shop_id: str) -> tuple[FeeRule, ...]:
        """The schedule in force, the most exact line of each product."""
        ...

    async def payment(self, person_id: str, payment_id: str) -> Payment:
        """Of the payer or of the shop's owner. Refuses: NotFound."""
        ...

    async def shop_payments(self, shop_id: str, limit: int) -> tuple[Payment, ...]:
        """The newest posted ones."""
        ...

    async def shop_days(self, shop_id: str, days: int) -> tuple[ShopDay, ...]:
        """The last `days` days, oldest first, today last."""
        ...

    async def open_wallet(self, person_id: str) -> None:
        """A person's account in the books. Idempotent; opened later by `sweep` if the ledger is
        away."""
        ...

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        """A shop's account, likewise."""
        ...

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        """The security system's freeze, and the ledger's own for the person's accounts; `sweep`
        lifts the latter when the former is over. Refuses: DeviceUnknown, RiskUnavailable."""
        ...

    async def sweep(self) -> int:
        """Drive on what stopped half-way and expire orders; how many were touched."""
        ...

    async def resume(self, payment_id: str) -> None:
        """A job: find out what became of a payment. Refuses: PaymentPending (try again)."""
        ...

    async def give_back(self, payment_id: str) -> None:
        """A job: limits that a refused payment had used. Refuses: RiskUnavailable."""
        ...


class OrderPaid(DomainError, code="order_paid"):
    """Somebody has paid it already; params: by_you ("yes" or "no")."""


class OrderExpired(DomainError, code="order_expired"):
    """Too late; the shop shows a new code."""


class OrderCancelled(DomainError, code="order_cancelled"):
    """The shop took it back."""


class OrderBusy(DomainError, code="order_busy", retryable=True):
    """Another payment of it is under way."""


class OwnShop(DomainError, code="own_shop"):
    """The payer owns the shop."""


class OwnCode(DomainError, code="own_code"):
    """It is the payer's own personal code."""


class NotForYou(DomainError, code="not_for_you"):
    """The order was opened for another person."""


class TooManyReceiveCodes(DomainError, code="too_many_receive_codes"):
    """params: limit, of codes with an amount that a person makes in a day."""


class ReversalTooSoon(DomainError, code="reversal_too_soon", retryable=True):
    """Less than 15 s after the debit; params: seconds."""


class AmountChanged(DomainError, code="amount_changed"):
    """The amount shown is not the order's."""


class InsufficientBalance(DomainError, code="insufficient_balance"):
    """params: short_fen."""


class RiskUnavailable(DomainError, code="risk_unavailable", retryable=True):
    """The security system does not answer. Nothing has moved and nothing will."""


class LedgerUnavailable(DomainError, code="ledger_unavailable", retryable=True):
    """The ledger can't be reached. Nothing has moved."""


class PaymentAbandoned(DomainError, code="payment_abandoned"):
    """It was not confirmed in time and is closed; nothing has moved. Start again."""


class PaymentPending(DomainError, code="payment_pending", retryable=True, money_moved="unknown"):
    """The answer of the ledger was lost; the sweeper finds out within a minute."""
