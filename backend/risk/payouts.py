"""A shop's money on its way to its owner's card, and back where the bank refused it."""

from datetime import datetime

from backend import ids
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    AuthorizeTopUp,
    IntentInvalid,
    IntentUsed,
    PayerFrozen,
    PayoutCardUnknown,
    bank_cards,
    decisions,
    intents,
    reservations,
    shops,
)
from backend.risk.decisions import Decision
from backend.risk.parts import Parts
from backend.risk.top_up import LEVEL, check_word
from backend.verdict import SignedVerdict, Verdict

RETURN_SUFFIX = ":return"
REFUSED = "refused"


async def authorize(parts: Parts, intent: Intent) -> SignedVerdict:
    """The owner's standing consent. Again after the verdict ended: a new one, unless released."""
    now = parts.clock.now()
    intents.check_payout(intent)
    try:
        await _refuse(intent, now)
    except DomainError as refusal:
        await record(intent, decisions.PAYOUT, None, now, refusal.code)
        raise
    async with SEC.transaction():
        verdict = await verdict_for(intent, decisions.PAYOUT, now)
        await reservations.take_of_shop(intent, now)
    return parts.signatures.sign([verdict], to_ms(now))[0]


async def authorize_return(parts: Parts, asked: AuthorizeTopUp) -> SignedVerdict:
    """On the bank's word about a payout that we allowed."""
    now, intent = parts.clock.now(), asked.intent
    intents.check_payout_return(intent)
    try:
        payout = await _payout_of(intent)
        check_word(
            parts.bank_keys,
            asked.word,
            (payout.intent_id, payout.payer_id, payout.amount_fen, REFUSED),
            token_of(payout),
        )
    except DomainError as refusal:
        await record(intent, decisions.PAYOUT_RETURN, None, now, refusal.code)
        raise
    async with SEC.transaction():
        verdict = await verdict_for(intent, decisions.PAYOUT_RETURN, now)
    return parts.signatures.sign([verdict], to_ms(now))[0]


async def _refuse(intent: Intent, now: datetime) -> None:
    """Refuses: PayoutCardUnknown, CardMismatch, PayerFrozen, IntentUsed."""
    rows = await SEC.query(
        "select owner_id, payout_card_id from risk.shop where shop_id = $1", intent.payer_id
    )
    # Consents from before the bank told us its cards name none that we know: they are renewed.
    if not rows or await bank_cards.find(rows[0]["payout_card_id"]) is None:
        raise PayoutCardUnknown()
    card = await bank_cards.of_intent(intent, rows[0]["owner_id"], now)
    if card.card_id != rows[0]["payout_card_id"]:
        raise PayoutCardUnknown()
    if await shops.is_stopped(intent.payer_id, now):
        raise PayerFrozen()
    if await reservations.release_asked(intent.intent_id):
        raise IntentUsed()


async def _payout_of(intent: Intent) -> Intent:
    """The payout that comes back, whole. Refuses: IntentInvalid."""
    payout_id = intent.intent_id.removesuffix(RETURN_SUFFIX)
    rows = await SEC.query(
        "select content from risk.intent where intent_id = $1 and kind = $2",
        payout_id,
        intents.PAYOUT,
    )
    if not rows or payout_id == intent.intent_id:
        raise IntentInvalid()
    payout = intents.parse(rows[0]["content"])
    if (payout.payer_id, payout.amount_fen) != (intent.payee_id, intent.amount_fen):
        raise IntentInvalid()
    return payout


def token_of(out: Intent) -> str:
    """Of the card that it went to; "" of those that were allowed before intents named tokens."""
    return "" if ids.is_id(out.payee_id, "crd") else out.payee_id


async def verdict_for(intent: Intent, stage: str, now: datetime) -> Verdict:
    """The last one while it lives, or a new one. Refuses: IdReused."""
    await intents.store([intent], now)
    rows = await SEC.query("select content from risk.intent where intent_id = $1", intent.intent_id)
    if rows[0]["content"] != intents.content(intent):
        raise IdReused()
    given = await decisions.last_allowed(intent.intent_id)
    if given is not None and given.expires_at_ms > to_ms(now):
        return given
    verdict = decisions.allow(intent, LEVEL, now)
    await record(intent, stage, verdict, now)
    return verdict


async def record(
    intent: Intent, stage: str, verdict: Verdict | None, now: datetime, code: str = ""
) -> None:
    decision = Decision(
        intent_id=intent.intent_id,
        intent_hash=intent_hash(intent),
        stage=stage,
        code=code,
        level=LEVEL if verdict else "",
        verdict=verdict,
        at_ms=to_ms(now),
    )
    await decisions.record([decision], now)
