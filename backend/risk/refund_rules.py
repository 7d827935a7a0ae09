"""The rules of refunds. Facts in, answer out."""

from datetime import datetime

import msgspec

from backend.fees import returned_fee
from backend.intent import Intent
from backend.risk.refusals import IntentInvalid, RefundTooLate, RefundTooMuch
from backend.risk.shapes_shop import REFUND_FREE_FEN, REFUND_WINDOW, REVERSAL_WINDOW


class Refund(msgspec.Struct, frozen=True):
    intent: Intent
    reversal: bool


class Paid(msgspec.Struct, frozen=True):
    """A payment as it was allowed. refunded_fen: by all other refunds that may still be posted;
    doubtful_fen: of these, what the transaction system says will not be."""

    intent: Intent
    allowed_at: datetime
    refunded_fen: int
    doubtful_fen: int


def check(refund: Refund, paid: Paid | None, now: datetime) -> None:
    """Refuses: IntentInvalid, RefundTooLate, RefundTooMuch."""
    if paid is None or not _same_people(refund.intent, paid.intent):
        raise IntentInvalid()
    amount_fen = refund.intent.amount_fen
    window = REVERSAL_WINDOW if refund.reversal else REFUND_WINDOW
    if now > paid.allowed_at + window:
        raise RefundTooLate()
    left_fen = paid.intent.amount_fen - paid.refunded_fen
    if amount_fen > left_fen:
        raise RefundTooMuch(left_fen=left_fen)
    if refund.reversal and amount_fen != paid.intent.amount_fen:
        raise IntentInvalid()
    if refund.intent.fee_fen not in _fees(paid, amount_fen):
        raise IntentInvalid()


def passkey_reasons(
    amount_fen: int, reversal: bool, trusted_at: datetime, now: datetime
) -> tuple[str, ...]:
    """Why the actor's passkey is asked for. A reversal has nobody at hand who could give it: it is
    of one payment, minutes old, and goes back to who paid."""
    if reversal:
        return ()
    over = ("refund_over_free",) if amount_fen > REFUND_FREE_FEN else ()
    return (*over, "new_device") if trusted_at > now else over


def _same_people(refund: Intent, paid: Intent) -> bool:
    return (refund.payer_id, refund.payee_id) == (paid.payee_id, paid.payer_id)


def _fees(paid: Paid, amount_fen: int) -> set[int]:
    """What of the fee comes back; a fen more or less while an earlier refund's end is not known."""
    return {
        returned_fee(paid.intent.fee_fen, paid.intent.amount_fen, before_fen, amount_fen)
        for before_fen in (paid.refunded_fen, paid.refunded_fen - paid.doubtful_fen)
    }
