"""The course of a payment as steps, for the payer's bill and for the shop's order.

Templates draw them with `{% with steps = … %}{% include "_timeline.html" %}{% endwith %}`.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from backend.banking import Withdrawal
from backend.bills import Bill
from backend.merchant import RefundRequest
from backend.payments import Refund
from backend.transfers import Transfer

DONE, NOW, BAD = "done", "now", "bad"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """kind: a machine word with a text `step.<kind>`; state: "done", "now" or "bad".

    amount_fen: of a refund, else 0. said: a reason or an answer, as somebody typed it.
    """

    kind: str
    state: str = DONE
    at: datetime | None = None
    amount_fen: int = 0
    said: str = ""


def of_bill(
    bill: Bill, refunds: Iterable[Refund] = (), request: RefundRequest | None = None
) -> tuple[Step, ...]:
    """From the beginning to the last refund."""
    steps = (Step(kind="begun", at=bill.event_at), _settled(bill))
    return steps + of_request(request) + of_refunds(refunds)


def of_transfer(bill: Bill, transfer: Transfer) -> tuple[Step, ...]:
    """Of money that was sent with a delay: on its way, arrived or recalled."""
    begun = Step(kind="begun", at=transfer.created_at)
    if bill.status != "succeeded":
        return (begun, _settled(bill))
    put_aside = Step(kind="put_aside", at=bill.settled_at)
    if transfer.status == "waiting":
        return (begun, put_aside, Step(kind="arrives", state=NOW, at=transfer.arrives_at))
    kind = "came_back" if transfer.status == "recalled" else "transfer_arrived"
    return (begun, put_aside, Step(kind=kind, at=transfer.ended_at))


def of_withdrawal(found: Withdrawal) -> tuple[Step, ...]:
    """Out of the wallet, at the bank, on the card or back."""
    begun = Step(kind="begun", at=found.created_at)
    if found.status == "refused":
        return (begun, Step(kind="refused", state=BAD, at=found.ended_at))
    if found.posted_at is None:
        return (begun, Step(kind="under_way", state=NOW))
    left = (begun, Step(kind="left_wallet", at=found.posted_at))
    if found.status == "paid":
        return (*left, Step(kind="on_card", at=found.ended_at))
    if found.status == "returned":
        refused = Step(kind="bank_refused", state=BAD, at=found.ended_at)
        return (*left, refused, Step(kind="came_back", at=found.ended_at))
    return (*left, Step(kind="with_bank", state=NOW, at=found.hand_over_at))


def of_refunds(refunds: Iterable[Refund], refused_too: bool = False) -> tuple[Step, ...]:
    """Oldest first. A refund that the books refused is the shop's concern alone."""
    return tuple(_refund(refund) for refund in refunds if refused_too or refund.status != "refused")


def of_request(request: RefundRequest | None) -> tuple[Step, ...]:
    """The payer asked the shop; what the shop granted shows as a refund."""
    if request is None:
        return ()
    asked = Step(kind="refund_asked", at=request.created_at, said=request.reason)
    if request.status == "open":
        return (asked, Step(kind="refund_considered", state=NOW))
    if request.status == "declined":
        return (asked, Step(kind="refund_declined", state=BAD, said=request.answer))
    return (asked,)


def _settled(bill: Bill) -> Step:
    if bill.status == "pending":
        return Step(kind="under_way", state=NOW)
    if bill.status == "refused":
        return Step(kind="refused", state=BAD, at=bill.settled_at)
    kinds = {
        "topup": "arrived",
        "income": "received",
        "packet_out": "packet_sent",
        "packet_in": "packet_opened",
        "packet_return": "came_back",
    }
    kind = kinds.get(bill.kind, "received" if bill.direction == "in" else "paid")
    return Step(kind=kind, at=bill.settled_at)


def _refund(refund: Refund) -> Step:
    kind, state = "refund_under_way", NOW
    if refund.status == "posted":
        kind, state = "refunded", DONE
    elif refund.status == "refused":
        kind, state = "refund_refused", BAD
    return Step(
        kind=kind,
        state=state,
        at=refund.posted_at or refund.created_at,
        amount_fen=refund.amount_fen,
        said="" if refund.reversal else refund.reason,  # a machine word is nobody's
    )
