"""A person's money on its way to their own card: always by passkey; back on the bank's word."""

from datetime import datetime

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    Authorize,
    AuthorizeTopUp,
    Ceremony,
    DeviceUnknown,
    IntentExpired,
    IntentInvalid,
    IntentUsed,
    PasskeyRequired,
    Prepare,
    Requirement,
    bank_cards,
    ceremonies,
    consent,
    decisions,
    intents,
    payouts,
    registry,
    reservations,
)
from backend.risk.consent import Answer, Signed
from backend.risk.decisions import Decision
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.top_up import check_word
from backend.risk.withdrawal_rules import Drawer, need, refuse_now, refuse_over
from backend.verdict import SignedVerdict, Verdict

CEREMONY = "withdrawal"

_DRAWER = """
select p.person_id, d.device_id, d.trusted_at, p.frozen_at, p.thaws_at,
    exists (select 1 from risk.frozen_account f
        where f.account_id = 'person:' || p.person_id) as alarmed,
    array(select credential_id from risk.credential c where c.person_id = p.person_id
        and c.removed_at is null and not c.backup_eligible order by c.created_at) as bound_keys,
    array(select credential_id from risk.credential c where c.person_id = p.person_id
        and c.removed_at is null and c.backup_eligible order by c.created_at) as synced_keys
from risk.device d join risk.person p using (person_id)
where d.device_id = $1 and d.removed_at is null
"""


async def prepare(parts: Parts, asked: Prepare) -> Requirement:
    now, intent = parts.clock.now(), asked.intent
    intents.check_withdrawal(intent, now)
    try:
        drawer = await _drawer(parts, intent.payer_id, asked.device_secret)
        await bank_cards.of_intent(intent, intent.payer_id, now)
        given = await _stored(intent, now)
        if given is not None:
            # It has its verdict: authorize gives it again, or says that it has ended.
            return Requirement("none", given.level, first_payment=False)
        return await _requirement(parts, intent, drawer, now)
    except DomainError as refusal:
        await _refused(intent, decisions.WITHDRAWAL_PREPARE, refusal, now)
        raise


async def authorize(parts: Parts, given: Authorize) -> SignedVerdict:
    now, intent = parts.clock.now(), await _intent_of(given.intent_id)
    try:
        drawer = await _drawer(parts, intent.payer_id, given.device_secret)
        refuse_now(drawer, now)
        verdict = await _standing(intent.intent_id, now)
        if verdict is None:
            verdict = await _decide(parts, given, intent, drawer)
    except DomainError as refusal:
        await _refused(intent, decisions.WITHDRAWAL, refusal, now)
        raise
    return parts.signatures.sign([verdict], to_ms(now))[0]


async def authorize_return(parts: Parts, asked: AuthorizeTopUp) -> SignedVerdict:
    """On the bank's word about a withdrawal that we allowed."""
    now, intent = parts.clock.now(), asked.intent
    intents.check_withdrawal_return(intent)
    try:
        out = await _withdrawal_of(intent)
        on_card_fen = out.amount_fen - out.fee_fen
        expected = (out.intent_id, out.payer_id, on_card_fen, payouts.REFUSED)
        check_word(parts.bank_keys, asked.word, expected, payouts.token_of(out))
    except DomainError as refusal:
        await _refused(intent, decisions.WITHDRAWAL_RETURN, refusal, now)
        raise
    async with SEC.transaction():
        verdict = await payouts.verdict_for(intent, decisions.WITHDRAWAL_RETURN, now)
        await reservations.come_back(out.intent_id, now)
    return parts.signatures.sign([verdict], to_ms(now))[0]


async def _drawer(parts: Parts, person_id: str, device_secret: str) -> Drawer:
    """Refuses: DeviceUnknown."""
    device = await registry.live_device(parts, device_secret, Operation.WITHDRAWAL, person_id)
    drawer = await SEC.one(Drawer, _DRAWER, device.device_id) if device else None
    if drawer is None:
        raise DeviceUnknown()
    return drawer


async def _stored(intent: Intent, now: datetime) -> Verdict | None:
    """The verdict that the intent got already, if any. Refuses: IdReused."""
    await intents.store([intent], now)
    rows = await SEC.query("select content from risk.intent where intent_id = $1", intent.intent_id)
    if rows[0]["content"] != intents.content(intent):
        raise IdReused()
    return await decisions.last_allowed(intent.intent_id)


async def _requirement(parts: Parts, intent: Intent, drawer: Drawer, now: datetime) -> Requirement:
    """Refuses: PayerFrozen, NeedsPasskey, LimitExceeded."""
    used = await reservations.withdrawn(intent.payer_id, now)
    needed = need(drawer, intent.amount_fen, used, now)
    refuse_over(intent.amount_fen, intent.code, used)
    known = await SEC.query(
        "select 1 from risk.known_payee where person_id = $1 and payee_id = $2",
        intent.payer_id,
        intent.payee_id,
    )
    ceremony = await _ceremony(parts, intent, needed.keys, now) if needed.keys else None
    return Requirement(
        needed.takes, needed.level, not known, needed.reasons, needed.wait_until, ceremony
    )


async def _ceremony(
    parts: Parts, intent: Intent, keys: tuple[bytes, ...], now: datetime
) -> Ceremony:
    """The challenge is the hash of the intent: good for the bank's token of this card, its name,
    this amount and this speed alone."""
    challenge = intent_hash(intent)
    opening = ceremonies.Opening(
        kind=CEREMONY,
        options=ceremonies.assertion_options(parts.party, challenge, keys),
        challenge=challenge,
        person_id=intent.payer_id,
        subject=intent.intent_id,
    )
    return await ceremonies.open_one(opening, now)


async def _intent_of(intent_id: str) -> Intent:
    """Refuses: IntentInvalid."""
    rows = await SEC.query(
        "select content from risk.intent where intent_id = $1 and kind = $2",
        intent_id,
        intents.WITHDRAWAL,
    )
    if not rows:
        raise IntentInvalid()
    return intents.parse(rows[0]["content"])


async def _standing(intent_id: str, now: datetime) -> Verdict | None:
    """The verdict it got, while it lives. Refuses: IntentUsed."""
    given = await decisions.last_allowed(intent_id)
    if given is None:
        return None
    if given.expires_at_ms <= to_ms(now) or await reservations.release_asked(intent_id):
        raise IntentUsed()
    return given


async def _decide(parts: Parts, given: Authorize, intent: Intent, drawer: Drawer) -> Verdict:
    now = parts.clock.now()
    if intent.expires_at_ms <= to_ms(now):
        raise IntentExpired()
    if not given.response_json:
        raise PasskeyRequired()
    answer = Answer(
        kind=CEREMONY,
        person_id=intent.payer_id,
        ceremony_id=given.ceremony_id,
        response_json=given.response_json,
    )
    signed = await consent.signed(parts, answer, intent)
    async with SEC.transaction():
        # The person's counters, locked: of two at once the second counts the first.
        await reservations.lock([intent.intent_id])
        standing = await _standing(intent.intent_id, now)
        if standing is not None:  # the same call, at the same time
            return standing
        used = await reservations.withdrawn(intent.payer_id, now)
        refuse_over(intent.amount_fen, intent.code, used, signed.level)
        verdict = decisions.allow(intent, signed.level, now)
        await reservations.take_of_withdrawal(intent, signed.level == "B", now)
        await decisions.record([_allowed(intent, verdict, drawer, signed)], now)
    return verdict


async def _withdrawal_of(intent: Intent) -> Intent:
    """The withdrawal that comes back, whole, if it was allowed. Refuses: IntentInvalid."""
    withdrawal_id = intent.intent_id.removesuffix(payouts.RETURN_SUFFIX)
    if withdrawal_id == intent.intent_id:
        raise IntentInvalid()
    out = await _intent_of(withdrawal_id)
    same = (out.payer_id, out.amount_fen, out.fee_fen)
    allowed = await decisions.last_allowed(withdrawal_id)
    if allowed is None or same != (intent.payee_id, intent.amount_fen, intent.fee_fen):
        raise IntentInvalid()
    return out


async def _refused(intent: Intent, stage: str, refusal: DomainError, now: datetime) -> None:
    await payouts.record(intent, stage, None, now, refusal.code)


def _allowed(intent: Intent, verdict: Verdict, drawer: Drawer, signed: Signed) -> Decision:
    return Decision(
        intent_id=intent.intent_id,
        intent_hash=verdict.intent_hash,
        stage=decisions.WITHDRAWAL,
        level=verdict.level,
        verdict=verdict,
        device_id=drawer.device_id,
        credential_id=signed.owned.credential.credential_id,
        signals=signed.asserted.signals,
        at_ms=verdict.issued_at_ms,
    )
