"""What payments take and give: orders, payments, refunds, personal codes, fees."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from backend.ids import Id
from backend.intent import PotTerms
from backend.ledger import Balance
from backend.money import Amount
from backend.risk import TILL_PATIENCE, PayCode, Requirement

ORDER_LIFE = timedelta(minutes=15)
CODE_ORDER_LIFE = timedelta(seconds=90)  # of an order by payment code: passkey included
# So long a till waits for the truth. A charge that is not in the books by then is not paid; one
# that is, but nobody knew, goes back. Who is asked for a passkey has the order's life.
CHARGE_PATIENCE = TILL_PATIENCE
REVERSAL_WAIT = timedelta(seconds=15)
MIN_ORDER_LIFE, MAX_ORDER_LIFE = timedelta(minutes=1), timedelta(hours=2)
SHORT_OF_DEADLINE = timedelta(seconds=45)  # after which a payment stopped half-way is driven on

REVERSAL = "reversal"  # the reason of one, a machine word that pages put into words

Note = Annotated[str, msgspec.Meta(max_length=64)]


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A request for money. The payee's name is what the payer will see.

    code: how the payer came to it: "dynamic", "static", "shown" (a payment code), "none".
    Of money put aside the payee is a pot ("red_…", "trf_…") with terms, nobody owns it, the payer
    is given, and the code is "none".
    """

    order_id: Id  # made by the caller
    payee_id: Id  # a shop, a person or a pot
    owner_id: str  # the person behind the payee, who may not pay it
    payee_name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    amount_fen: Amount
    note: Note = ""
    life: timedelta = ORDER_LIFE
    code: str = "dynamic"
    store_id: str = ""
    terminal_id: str = ""
    opened_by: str = ""  # the cashier, or the payer of a static code
    payer_id: str = ""  # nobody else may pay it; "" = whoever comes first
    terms: PotTerms | None = None
    event_at: datetime | None = None  # when it was opened; set by the demo's history only


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
    terms: PotTerms | None = None
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
    device_secret: str  # of who charges: order.opened_by


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """state: "succeeded", "failed" (refusal_code says why; nothing moved), "user_paying" (the payer
    is asked for a passkey until order.expires_at), "unknown" (ask again; ends by itself: a charge
    that is not settled in its time, two minutes at most, fails or goes back). What was reversed
    since is "failed" with code "reversed". An order that the payer scanned instead is "user_paying"
    until its end. waits_for: the code of what is in the way of one that goes back by itself.
    asked: whether the payer was asked for a passkey."""

    order: Order
    payment_id: str
    state: str
    refusal_code: str = ""
    waits_for: str = ""
    asked: bool = False


class StartRefund(msgspec.Struct, frozen=True, kw_only=True):
    """Back to where the money came from. reversal: of the whole, where the till never learnt the
    truth; actor_id "": by itself, because it came too late for the till."""

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
