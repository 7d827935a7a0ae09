"""The rules of refunds. Facts in, answer out."""

from datetime import datetime, timedelta

import msgspec

from backend.fees import returned_fee
from backend.intent import Intent
from backend.risk.refusals import (
    IntentInvalid,
    MemberForbidden,
    PaymentNotSeen,
    RefundTooLate,
    RefundTooMuch,
    ReversalsExhausted,
)
from backend.risk.shapes_shop import (
    LATE_WINDOW,
    REFUND_FREE_FEN,
    REFUND_WINDOW,
    REVERSAL_WINDOW,
    TILL_PATIENCE,
)

SHOWN = "shown"
# Of one shop, in a day, by itself: more than an outage leaves behind at its tills. What is beyond
# moves by people's hands, and operators hear of it.
ALONE_DAY_COUNT = 20
ALONE_DAY_FEN = 10_000_00


class Refund(msgspec.Struct, frozen=True):
    """actor_id: "" of a reversal that nobody asks for. may_refund: the actor may do more than
    charge."""

    intent: Intent
    reversal: bool
    actor_id: str = ""
    may_refund: bool = True


class Paid(msgspec.Struct, frozen=True):
    """A payment as it was allowed. refunded_fen: by all other refunds that may still be posted;
    doubtful_fen: of these, what the transaction system says will not be. charged_by: who read the
    payer's code. seen: posted, as far as anybody follows the books."""

    intent: Intent
    allowed_at: datetime
    refunded_fen: int
    doubtful_fen: int
    charged_by: str = ""
    seen: bool = True


def check(refund: Refund, paid: Paid | None, now: datetime) -> Paid:
    """The payment. Refuses: IntentInvalid, MemberForbidden (of a reversal), PaymentNotSeen,
    RefundTooLate, RefundTooMuch."""
    if paid is None or not _same_people(refund.intent, paid.intent):
        raise IntentInvalid()
    if refund.reversal:
        _check_reversal(refund, paid, now)
    if not paid.seen:
        raise PaymentNotSeen()
    amount_fen = refund.intent.amount_fen
    if now > paid.allowed_at + _window(refund):
        raise RefundTooLate()
    left_fen = paid.intent.amount_fen - paid.refunded_fen
    if amount_fen > left_fen:
        raise RefundTooMuch(left_fen=left_fen)
    if refund.reversal and amount_fen != paid.intent.amount_fen:
        raise IntentInvalid()
    if refund.intent.fee_fen not in _fees(paid, amount_fen):
        raise IntentInvalid()
    return paid


class Alone(msgspec.Struct, frozen=True):
    """What went back by itself, of a shop on a day."""

    count: int
    fen: int


def check_alone(amount_fen: int, before: Alone) -> None:
    """Refuses: ReversalsExhausted."""
    if before.count >= ALONE_DAY_COUNT or before.fen + amount_fen > ALONE_DAY_FEN:
        raise ReversalsExhausted()


def passkey_reasons(
    together_fen: int, reversal: bool, trusted_at: datetime, now: datetime
) -> tuple[str, ...]:
    """Why the actor's passkey is asked for. together_fen: this refund and all others of its
    payment, or many small ones would pass for none. A reversal has nobody at hand who could give
    it: it is of one payment, minutes old, and goes back to who paid."""
    if reversal:
        return ()
    over = ("refund_over_free",) if together_fen > REFUND_FREE_FEN else ()
    return (*over, "new_device") if trusted_at > now else over


def _window(refund: Refund) -> timedelta:
    if not refund.reversal:
        return REFUND_WINDOW
    return REVERSAL_WINDOW if refund.actor_id else LATE_WINDOW


def _check_reversal(refund: Refund, paid: Paid, now: datetime) -> None:
    """A till that read a code and never learnt the truth, and nothing else. By itself a payment
    goes back only when no till can wait for it any more, and within a day, before the shop has
    checked its files: whoever could misuse this could as well have shown "paid" where nothing was
    paid. Refuses: IntentInvalid, MemberForbidden."""
    if paid.intent.code != SHOWN:
        raise IntentInvalid()
    if not refund.actor_id:
        if not paid.charged_by or now < paid.allowed_at + TILL_PATIENCE:
            raise IntentInvalid()
    elif refund.actor_id != paid.charged_by and not refund.may_refund:
        raise MemberForbidden()


def _same_people(refund: Intent, paid: Intent) -> bool:
    return (refund.payer_id, refund.payee_id) == (paid.payee_id, paid.payer_id)


def _fees(paid: Paid, amount_fen: int) -> set[int]:
    """What of the fee comes back; a fen more or less while an earlier refund's end is not known."""
    return {
        returned_fee(paid.intent.fee_fen, paid.intent.amount_fen, before_fen, amount_fen)
        for before_fen in (paid.refunded_fen, paid.refunded_fen - paid.doubtful_fen)
    }
