"""Leave for the bank to pay out what has left its account, as our own books show it."""

from datetime import datetime

from backend import bankleave
from backend.bankleave import LEAVE_LIFE_MS, Leave, LeaveStatement
from backend.clock import to_ms
from backend.db import SEC
from backend.intent import Intent
from backend.risk import (
    CardMismatch,
    IntentInvalid,
    IntentUsed,
    PayerFrozen,
    PayoutCardUnknown,
    PostingNotSeen,
    bank_cards,
    decisions,
    intents,
    payouts,
    reservations,
)
from backend.risk.parts import Parts

PAID_FROM = "bank:payout"

# The auditor notes the verdict of a lawful posting alone, so this one moved exactly what was
# allowed: another posting under the order's id is not it.
_SEEN = """
select (not $2 and (select system_id = '' from risk.audit_state)) or exists (
    select 1 from risk.audit_posting p join risk.decision d on d.verdict_id = p.verdict_id
    where p.posting_id = $1 and p.journal_seq > 0
        and d.intent_id = $1 and d.decision = 'allow') as seen"""


async def give(parts: Parts, order_id: str, token: str) -> Leave:
    """As often as it is asked for: the bank takes an order once."""
    intent, now = await _allowed(order_id), parts.clock.now()
    await _check_card(intent, token, now)
    if await _is_over(order_id):
        raise IntentUsed()
    if await SEC.query("select 1 from risk.frozen_account where account_id = $1", intent.source):
        raise PayerFrozen()
    [row] = await SEC.query(_SEEN, order_id, parts.audited)
    if not row["seen"]:
        raise PostingNotSeen()
    if not await reservations.leave_given(order_id, now):
        raise IntentUsed()
    return _signed(parts, intent, token, to_ms(now))


async def _allowed(order_id: str) -> Intent:
    """Refuses: IntentInvalid."""
    rows = await SEC.query(
        "select content from risk.intent where intent_id = $1 and kind = any($2)",
        order_id,
        [intents.PAYOUT, intents.WITHDRAWAL],
    )
    if not rows or await decisions.last_allowed(order_id) is None:
        raise IntentInvalid()
    return intents.parse(rows[0]["content"])


async def _check_card(intent: Intent, token: str, now: datetime) -> None:
    """Refuses: PayoutCardUnknown; CardMismatch, with an alarm."""
    agreed = payouts.token_of(intent)
    if not agreed:
        # Allowed when intents still named cards by our own id. One that the bank has not told us
        # of is nobody's theft: its money goes back.
        card = await bank_cards.find(intent.payee_id)
        if card is None or card.person_id != await _owner(intent):
            raise PayoutCardUnknown()
        agreed = card.token
    if token != agreed:
        await bank_cards.alarm(intent, now)
        raise CardMismatch()


async def _owner(intent: Intent) -> str:
    if intent.kind == intents.WITHDRAWAL:
        return intent.payer_id
    rows = await SEC.query("select owner_id from risk.shop where shop_id = $1", intent.payer_id)
    return str(rows[0]["owner_id"]) if rows else ""


async def _is_over(order_id: str) -> bool:
    """Asked back, or on its way back."""
    back = await decisions.last_allowed(f"{order_id}{payouts.RETURN_SUFFIX}")
    return back is not None or await reservations.release_asked(order_id)


def _signed(parts: Parts, intent: Intent, token: str, now_ms: int) -> Leave:
    statement = LeaveStatement(
        order_id=intent.intent_id,
        token=token,
        owner_id=intent.payer_id,
        amount_fen=sum(t.amount_fen for t in intent.posting.transfers if t.credit == PAID_FROM),
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + LEAVE_LIFE_MS,
    )
    signature = parts.signer.sign(bankleave.message(statement))
    return Leave(statement, parts.signer.key_id, signature)
