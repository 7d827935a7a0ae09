"""What the security system would give for an order to a bank, signed as it signs."""

from backend.bankleave import LEAVE_LIFE_MS, Leave, LeaveStatement, Order, message
from backend.clock import SystemClock, to_ms
from backend.settings import Settings
from tests.ledger.signing import Authority


def leave_for(
    settings: Settings, order: Order, *, published: bool = True, age_ms: int = 0
) -> Leave:
    """published: by the key that banks know; else by a stranger's."""
    issued_at_ms = to_ms(SystemClock().now()) - age_ms
    statement = LeaveStatement(
        order_id=order.order_id,
        token=order.token,
        owner_id=order.owner_id,
        amount_fen=order.amount_fen,
        issued_at_ms=issued_at_ms,
        expires_at_ms=issued_at_ms + LEAVE_LIFE_MS,
    )
    signer = Authority(settings, published=published).signer
    return Leave(statement, signer.key_id, signer.sign(message(statement)))
