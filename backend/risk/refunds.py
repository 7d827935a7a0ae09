"""Refunds and reversals: never more than was paid, by who may, against our own record of it."""

from datetime import UTC, datetime

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    AuthorizeRefund,
    IntentExpired,
    IntentUsed,
    MemberForbidden,
    NeedsPasskey,
    PasskeyRequired,
    PayerFrozen,
    PrepareRefund,
    Requirement,
    ReversalsExhausted,
    ceremonies,
    consent,
    decisions,
    intents,
    registry,
    reservations,
    shops,
)
from backend.risk.auditor.alarms import raise_unless_known
from backend.risk.auditor.findings import Finding
from backend.risk.consent import Answer, Signed
from backend.risk.decisions import Decision
from backend.risk.holders import Use, spend
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.refund_rules import Paid, Refund, check, check_alone, passkey_reasons
from backend.risk.refunded import Asked, alone_of, asked_of, await_posting, payment_of, stored_of
from backend.risk.rules import day_of
from backend.risk.shops import Actor
from backend.shop_roles import Permission, may
from backend.verdict import SignedVerdict, Verdict

CEREMONY = "refund"

# Of a reversal that nobody asks for.
_NOBODY = Actor(person_id="", device_id="", role="", trusted_at=datetime.min.replace(tzinfo=UTC))


async def prepare(parts: Parts, asked: PrepareRefund) -> Requirement:
    """The same refund again opens a new ceremony."""
    now, intent = parts.clock.now(), asked.intent
    intents.check_refund(intent, now)
    try:
        by = _use(asked.device_secret, intent.intent_id, asked.reversal)
        actor = await _actor(parts, intent.payer_id, asked.actor_id, by)
        await await_posting(asked.payment_id)
        async with SEC.transaction():
            await spend(parts, by)
            known = await stored_of(intent.intent_id)
            if known is not None and known != Asked.of(asked):
                raise IdReused()
            given = await decisions.last_allowed(intent.intent_id)
            if given is not None:
                return Requirement("none", given.level, first_payment=False)
            paid = await _check(Asked.of(asked), actor, now)
            if known is None:
                await _store(asked, now)
        reasons = _reasons(Asked.of(asked), paid, actor, now)
        return await _requirement(parts, asked.intent, reasons, actor)
    except DomainError as refusal:
        await _refused(intent, decisions.REFUND_PREPARE, refusal, now)
        raise


async def authorize(parts: Parts, given: AuthorizeRefund) -> SignedVerdict:
    now = parts.clock.now()
    asked = await asked_of(given.intent_id)
    try:
        by = _use(given.device_secret, given.intent_id, asked.reversal)
        actor = await _actor(parts, asked.intent.payer_id, given.actor_id, by)
        if given.actor_id != asked.actor_id:
            raise MemberForbidden()
        verdict = await _standing(given.intent_id, now)
        if verdict is None:
            verdict = await _decide(parts, given, asked, actor)
    except DomainError as refusal:
        await _refused(asked.intent, decisions.REFUND, refusal, now)
        raise
    return parts.signatures.sign([verdict], to_ms(now))[0]


def _use(device: str, intent_id: str, reversal: bool) -> Use:
    return Use(device, Operation.REVERSAL if reversal else Operation.REFUND, intent_id)


async def _actor(parts: Parts, shop_id: str, person_id: str, by: Use) -> Actor:
    """Refuses: DeviceUnknown, MemberForbidden, PayerFrozen."""
    reverses = by.operation is Operation.REVERSAL
    if reverses and not person_id:
        found = _NOBODY
    else:
        permission = Permission.CHARGE if reverses else Permission.REFUND
        found = await shops.actor(parts, shop_id, person_id, by, permission)
    if await shops.is_stopped(shop_id, parts.clock.now()):
        raise PayerFrozen()
    return found


async def _check(asked: Asked, actor: Actor, now: datetime) -> Paid:
    """Refuses: IntentInvalid, MemberForbidden, PaymentNotSeen, RefundTooLate, RefundTooMuch,
    ReversalsExhausted."""
    paid = await payment_of(asked.payment_id, asked.intent.intent_id)
    may_refund = bool(actor.role) and may(actor.role, Permission.REFUND)
    found = check(Refund(asked.intent, asked.reversal, actor.person_id, may_refund), paid, now)
    if not asked.actor_id:
        check_alone(asked.intent.amount_fen, await alone_of(asked.intent.payer_id, now))
    return found


def _reasons(asked: Asked, paid: Paid, actor: Actor, now: datetime) -> tuple[str, ...]:
    together_fen = paid.refunded_fen + asked.intent.amount_fen
    return passkey_reasons(together_fen, asked.reversal, actor.trusted_at, now)


async def _store(asked: PrepareRefund, now: datetime) -> None:
    await intents.store([asked.intent], now)
    rows = await SEC.query(
        "insert into risk.refund (intent_id, payment_id, actor_id, reversal) "
        "select intent_id, $2, $3, $4 from risk.intent where intent_id = $1 and content = $5 "
        "on conflict (intent_id) do nothing returning intent_id",
        asked.intent.intent_id,
        asked.payment_id,
        asked.actor_id,
        asked.reversal,
        intents.content(asked.intent),
    )
    if not rows and await stored_of(asked.intent.intent_id) != Asked.of(asked):
        raise IdReused()  # an id that another intent has, or the same refund prepared just now


async def _requirement(
    parts: Parts, intent: Intent, reasons: tuple[str, ...], actor: Actor
) -> Requirement:
    if not reasons:
        return Requirement("none", "C", first_payment=False)
    keys = await registry.credential_ids(actor.person_id)
    if not keys:
        raise NeedsPasskey()
    challenge = intent_hash(intent)
    opening = ceremonies.Opening(
        kind=CEREMONY,
        options=ceremonies.assertion_options(parts.party, challenge, keys),
        challenge=challenge,
        person_id=actor.person_id,
        subject=intent.intent_id,
    )
    ceremony = await ceremonies.open_one(opening, parts.clock.now())
    return Requirement("passkey", "A", first_payment=False, reasons=reasons, ceremony=ceremony)


async def _standing(intent_id: str, now: datetime) -> Verdict | None:
    """The verdict it got, while it lives. Refuses: IntentUsed."""
    given = await decisions.last_allowed(intent_id)
    if given is None:
        return None
    if given.expires_at_ms <= to_ms(now) or await reservations.release_asked(intent_id):
        raise IntentUsed()
    return given


async def _decide(parts: Parts, given: AuthorizeRefund, asked: Asked, actor: Actor) -> Verdict:
    now, intent = parts.clock.now(), asked.intent
    if intent.expires_at_ms <= to_ms(now):
        raise IntentExpired()
    signed = await _signed(parts, given, intent) if given.response_json else None
    level = signed.level if signed else "C"
    async with SEC.transaction():
        if not asked.actor_id:
            await reservations.lock_shop(intent.payer_id)
        await reservations.lock_paid(asked.payment_id)
        await spend(parts, _use(given.device_secret, intent.intent_id, asked.reversal))
        standing = await _standing(intent.intent_id, now)
        if standing is not None:  # the same call, at the same time
            return standing
        paid = await _check(asked, actor, now)
        if _reasons(asked, paid, actor, now) and signed is None:
            raise PasskeyRequired()
        verdict = decisions.allow(intent, level, now)
        await reservations.take_of_shop(intent, now, refund_of=asked.payment_id)
        await decisions.record([_allowed(intent, verdict, actor, signed)], now)
    return verdict


async def _signed(parts: Parts, given: AuthorizeRefund, intent: Intent) -> Signed:
    """The actor's passkey over this intent. Refuses: CeremonyInvalid, PasskeyRefused."""
    answer = Answer(
        kind=CEREMONY,
        person_id=given.actor_id,
        ceremony_id=given.ceremony_id,
        response_json=given.response_json,
    )
    return await consent.signed(parts, answer, intent)


async def _refused(intent: Intent, stage: str, refusal: DomainError, now: datetime) -> None:
    decision = Decision(
        intent_id=intent.intent_id,
        intent_hash=intent_hash(intent),
        stage=stage,
        code=refusal.code,
        at_ms=to_ms(now),
    )
    await decisions.record([decision], now)
    if isinstance(refusal, ReversalsExhausted):
        # Nothing is frozen: an outage at a busy till looks the same. But whoever speaks for the
        # transaction system could give away a shop's money so, and people should look.
        finding = Finding("reversals_exhausted", f"{intent.payer_id} on {day_of(now)}")
        async with SEC.transaction():
            await raise_unless_known(finding, now)


def _allowed(intent: Intent, verdict: Verdict, actor: Actor, signed: Signed | None) -> Decision:
    return Decision(
        intent_id=intent.intent_id,
        intent_hash=verdict.intent_hash,
        stage=decisions.REFUND,
        level=verdict.level,
        verdict=verdict,
        device_id=actor.device_id,
        credential_id=signed.owned.credential.credential_id if signed else b"",
        signals=signed.asserted.signals if signed else (),
        at_ms=verdict.issued_at_ms,
    )
