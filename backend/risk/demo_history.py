"""Leave for the demo's history: each of its movements is checked in form, stored, decided, recorded
and signed as any other, but counts against nobody's limits, for it is told of a year at once.

Served in demo mode only; outside it nobody can call this.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import IdReused
from backend.ids import Id
from backend.intent import Intent
from backend.risk import IntentInvalid, decisions, intents
from backend.risk.decisions import Decision
from backend.risk.parts import Parts
from backend.risk.rules import day_of
from backend.verdict import SignedVerdict, Verdict

MAX_TOLD = 1000  # movements in one call

LEVEL = "C"  # nobody confirmed them with a passkey
STAGES = {
    intents.PAY: decisions.AUTHORIZE,
    intents.REFUND: decisions.REFUND,
    intents.TOP_UP: decisions.TOP_UP,
}


class Told(msgspec.Struct, frozen=True, array_like=True):
    """payment_id, actor_id: of a refund."""

    intent: Intent
    payment_id: str = ""
    actor_id: Id | None = None


async def allow(parts: Parts, told: Sequence[Told]) -> list[SignedVerdict]:
    """Again for what was allowed before: a living verdict as it is, else a new one; the ledger
    posts an id once in any case. Refuses: IntentInvalid, IntentExpired, IdReused."""
    now, asked = parts.clock.now(), [each.intent for each in told]
    for intent in asked:
        _check(intent, now)
    async with SEC.transaction():
        await intents.store(asked, now)
        await _compare(asked)
        given = await _standing(asked, now)
        asked_anew = [intent for intent in asked if intent.intent_id not in given]
        fresh = {intent.intent_id: _verdict(intent, now) for intent in asked_anew}
        await _reserve(told, now)
        await decisions.record([_decision(i, fresh[i.intent_id], now) for i in asked_anew], now)
    verdicts = given | fresh
    return parts.signatures.sign([verdicts[i.intent_id] for i in asked], to_ms(now))


def _check(intent: Intent, now: datetime) -> None:
    match intent.kind:
        case intents.PAY:
            intents.check_payment(intent, now)
        case intents.REFUND:
            intents.check_refund(intent, now)
        case intents.TOP_UP:
            intents.check_top_up(intent)
        case _:
            raise IntentInvalid()


async def _compare(asked: Sequence[Intent]) -> None:
    stored = await SEC.query(
        "select intent_id, content from risk.intent where intent_id = any($1)",
        [intent.intent_id for intent in asked],
    )
    known = {row["intent_id"]: row["content"] for row in stored}
    if any(known[intent.intent_id] != intents.content(intent) for intent in asked):
        raise IdReused()


async def _standing(asked: Sequence[Intent], now: datetime) -> dict[str, Verdict]:
    rows = await SEC.query(
        "select intent_id, content from risk.decision"
        " where intent_id = any($1) and decision = 'allow' order by decision_seq",
        [intent.intent_id for intent in asked],
    )
    found = {row["intent_id"]: decisions.parse(row["content"]).verdict for row in rows}
    return {k: v for k, v in found.items() if v is not None and v.expires_at_ms > to_ms(now)}


def _verdict(intent: Intent, now: datetime) -> Verdict:
    return decisions.allow(intent, "S" if intent.kind == intents.TOP_UP else LEVEL, now)


def _decision(intent: Intent, verdict: Verdict, now: datetime) -> Decision:
    return Decision(
        intent_id=intent.intent_id,
        intent_hash=verdict.intent_hash,
        stage=STAGES[intent.kind],
        level=verdict.level,
        verdict=verdict,
        at_ms=to_ms(now),
    )


async def _reserve(told: Sequence[Told], now: datetime) -> None:
    """What a refund is held against: the payment it is of, and those before it."""
    moved = [each for each in told if each.intent.kind != intents.TOP_UP]
    if not moved:
        return
    await SEC.query(
        "insert into risk.reservation (intent_id, person_id, payee_id, amount_fen, free, synced,"
        " static, new_device, day, refund_of) select id, payer, payee, fen, false, false, false,"
        " false, $6, nullif(of, '') from unnest($1::text[], $2::text[], $3::text[], $4::bigint[],"
        " $5::text[]) as u (id, payer, payee, fen, of) on conflict (intent_id) do nothing",
        [each.intent.intent_id for each in moved],
        [each.intent.payer_id for each in moved],
        [each.intent.payee_id for each in moved],
        [each.intent.amount_fen for each in moved],
        [each.payment_id for each in moved],
        day_of(now),
    )
    refunds = [each for each in moved if each.payment_id]
    await SEC.query(
        "insert into risk.refund (intent_id, payment_id, actor_id, reversal)"
        " select u.*, false from unnest($1::text[], $2::text[], $3::text[]) u"
        " on conflict (intent_id) do nothing",
        [each.intent.intent_id for each in refunds],
        [each.payment_id for each in refunds],
        [each.actor_id for each in refunds],
    )
