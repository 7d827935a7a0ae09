"""What a payment costs its payee, and what of it a refund gives back. Half up to the fen."""

from backend.money import Fen, fen


def fee_of(amount_fen: int, bps: int, min_fen: int = 0, max_fen: int | None = None) -> Fen:
    """bps: hundredths of a percent. Within min and max, never above the amount."""
    fee = max((amount_fen * bps + 5_000) // 10_000, min_fen)
    if max_fen is not None:
        fee = min(fee, max_fen)
    return fen(min(fee, amount_fen))


def returned_fee(fee_fen: int, amount_fen: int, refunded_fen: int, refund_fen: int) -> Fen:
    """What this refund gives back of the fee, after refunds of `refunded_fen` before it.

    The parts add up to the whole fee when the whole amount has been refunded.
    """
    assert 0 <= refunded_fen < refunded_fen + refund_fen <= amount_fen
    return fen(
        _share(fee_fen, refunded_fen + refund_fen, amount_fen)
        - _share(fee_fen, refunded_fen, amount_fen)
    )


def _share(fee_fen: int, part_fen: int, amount_fen: int) -> int:
    return (2 * fee_fen * part_fen + amount_fen) // (2 * amount_fen)
