"""Payments: orders, and the one way a person's money moves: intent, consent, verdict, posting."""

from typing import Protocol

from backend.errors import DomainError
from backend.payments.shapes import *  # noqa: F403 — the shapes are part of the face
from backend.payments.shapes import (
    ChargeCode,
    Charged,
    Confirm,
    ConfirmRefund,
    FeeRule,
    NewReceiveCode,
    OpenOrder,
    OpenReceived,
    Order,
    Payment,
    Quote,
    ReceiveCode,
    Refund,
    RefundStarted,
    Started,
    StartPayment,
    StartRefund,
)
from backend.risk import FreezeState


class Payments(Protocol):
    async def open_order(self, new: OpenOrder) -> Order:
        """Idempotent. Refuses: BadRequest (a life below a minute or above two hours), IdReused."""
        ...

    async def cancel_order(self, shop_id: str, order_id: str) -> Order:
        """An order by payment code whose payer is still being asked is cancelled too. Refuses:
        NotFound, OrderPaid, OrderBusy."""
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

    async def kept(self, shop_id: str) -> tuple[str, ...]:
        """Orders whose payment came too late for the till and could not go back by itself, oldest
        first; until somebody has given back some of it."""
        ...

    async def asked(self, payer_id: str) -> tuple[Order, ...]:
        """Orders by payment code that wait for this person's passkey, newest first; each order's
        payment_id is the payment to `start`."""
        ...

    async def going_back(self, payment_ids: tuple[str, ...]) -> frozenset[str]:
        """Those of them that came too late for their till: they go back by themselves, or have."""
        ...

    async def refund(self, start: StartRefund) -> RefundStarted:
        """refund_id: prefix "rfd". Refuses: BadRequest, IdReused, NotFound (no such posted payment
        of the shop), RefundTooMuch, ReversalTooSoon, RefundBusy, InsufficientBalance (of the shop),
        what risk and ledger refuse, and RiskUnavailable, LedgerUnavailable, PaymentPending as for
        payments."""
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

    async def open_wallet(self, person_id: str) -> None:
        """A person's account in the books. Idempotent; opened later by `sweep` if the ledger is
        away."""
        ...

    async def open_till(self, shop_id: str, owner_id: str) -> None:
        """A shop's account, likewise."""
        ...

    async def open_pot(self, account_id: str) -> None:
        """The account of money put aside, "packet:red_…" or "escrow:trf_…", likewise; its order
        can't be paid before. Refuses: BadRequest."""
        ...

    async def freeze(self, person_id: str, device_secret: str) -> FreezeState:
        """The security system's freeze, and the ledger's own for the person's accounts; `sweep`
        lifts the latter when the former is over. Refuses: DeviceUnknown, RiskUnavailable."""
        ...

    async def sweep(self) -> int:
        """Drive on what stopped half-way and expire orders; how many were touched."""
        ...

    async def resume(self, ref: str) -> None:
        """A job: find out what became of a payment or refund. Refuses: PaymentPending (try
        again)."""
        ...

    async def give_back(self, ref: str) -> None:
        """A job: limits that a refused payment or refund had used. Refuses: RiskUnavailable."""
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


class RefundBusy(DomainError, code="refund_busy", retryable=True):
    """Another refund of the payment is under way, or came between: start again."""


class Reversed(DomainError, code="reversed"):
    """The till gave up and the whole amount went back. Never raised: a state of `charged`."""


class RefundInstead(DomainError, code="refund_instead"):
    """The customer scanned what the shop showed, and saw it paid: it goes back by a refund."""


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
