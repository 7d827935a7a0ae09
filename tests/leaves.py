"""What the security system would give for an order to a bank, signed as it signs."""

import secrets

from msgspec.structs import replace

from backend.bankleave import Leave, Order
from backend.intent import Intent, intent_hash
from backend.posting import Posting, Transfer
from backend.settings import Settings
from tests.ledger.signing import Authority


def leave_for(settings: Settings, order: Order, *, published: bool = True) -> Leave:
    """published: by the key that banks know; else by a stranger's."""
    shop = f"shop:{order.owner_id}"
    posting = Posting(order.order_id, "payout", (Transfer(shop, "bank:payout", order.amount_fen),))
    intent = Intent(
        intent_id=order.order_id,
        kind="payout",
        payer_id=order.owner_id,
        payee_id=order.token,
        payee_name="演示银行 0001",
        amount_fen=order.amount_fen,
        fee_fen=0,
        source=shop,
        code="none",
        posting=posting,
        expires_at_ms=2_000_000_000_000,
        nonce=secrets.token_bytes(32),
    )
    authority = Authority(settings, published=published)
    verdict = replace(authority.allow(posting).verdict, intent_hash=intent_hash(intent))
    return Leave(intent, authority.sign([verdict])[0])
