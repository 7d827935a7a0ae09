"""The security system's leave for one order of ours to pay out; a bank pays on nothing less."""

from collections.abc import Mapping

import msgspec

from backend.intent import Intent, intent_hash
from backend.verdict import SignedVerdict
from backend.verdict import fault as verdict_fault

KINDS = frozenset({"payout", "withdrawal"})
PAID_FROM = "bank:payout"


class Order(msgspec.Struct, frozen=True):
    """What the bank is asked for. owner_id: whom its word names."""

    order_id: str
    token: str  # of the card, the bank's own
    owner_id: str
    amount_fen: int


class Leave(msgspec.Struct, frozen=True, array_like=True):
    """The intent that was allowed, whole, and its verdict."""

    intent: Intent
    verdict: SignedVerdict


def fault(leave: Leave, order: Order, keys: Mapping[str, bytes]) -> str:
    """Why it is no leave for this order, or "". `keys`: raw Ed25519 keys by key id.

    One of "order", "token", "amount", "intent", and those of verdicts but for "expired": what was
    allowed yesterday may be handed over today.
    """
    intent, verdict = leave.intent, leave.verdict.verdict
    if intent.kind not in KINDS or (intent.intent_id, intent.payer_id) != (
        order.order_id,
        order.owner_id,
    ):
        return "order"
    if intent.payee_id != order.token:
        return "token"
    if sum(t.amount_fen for t in intent.posting.transfers if t.credit == PAID_FROM) != (
        order.amount_fen
    ):
        return "amount"
    if verdict.intent_hash != intent_hash(intent):
        return "intent"
    return verdict_fault(leave.verdict, intent.posting, keys, verdict.issued_at_ms)
