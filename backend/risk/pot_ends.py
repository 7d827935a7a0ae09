"""The one end of a pot: what is left goes back to its owner, or arrives where its terms say."""

from datetime import datetime

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import decisions, intents, pots, registry
from backend.risk.decisions import Decision
from backend.risk.holders import Use, spend
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.pot_forms import PACKET, POT_ARRIVAL
from backend.risk.pots import Pot
from backend.risk.refusals import (
    DeviceUnknown,
    IntentInvalid,
    PayeeFrozen,
    PayerFrozen,
    PotEnded,
    PotRunning,
    PotUnknown,
)
from backend.risk.shapes_pot import EndPot
from backend.risk.standing import Standing, standing_of
from backend.verdict import SignedVerdict, Verdict

LEVEL = "S"


async def authorize(parts: Parts, asked: EndPot) -> SignedVerdict:
    """Again after the verdict ended: a new one, until it is seen in the books or asked back."""
    now, intent = parts.clock.now(), asked.intent
    intents.check_pot_end(intent)
    try:
        async with SEC.transaction():
            pot = (await pots.lock([intent.payer_id], now)).get(intent.payer_id)
            standing = (await standing_of([intent.intent_id])).get(intent.intent_id)
            verdict, new = await _decide(parts, asked, pot, standing)
            if new:
                await decisions.record([_decision(intent, verdict, "", now)], now)
    except DomainError as refusal:
        await decisions.record([_decision(intent, None, refusal.code, now)], now)
        raise
    return parts.signatures.sign([verdict], to_ms(now))[0]


async def _decide(
    parts: Parts, asked: EndPot, pot: Pot | None, standing: Standing | None
) -> tuple[Verdict, bool]:
    """The verdict, and whether it is a new one."""
    now, intent = parts.clock.now(), asked.intent
    if pot is None or pot.unfunded:
        raise PotUnknown()
    if standing is not None:
        if standing.content != intents.content(intent):
            raise IdReused()
        given = standing.verdict_at(now)
        return given or decisions.allow(intent, LEVEL, now), given is None
    if pot.end_id is not None:
        raise PotEnded()
    await _refuse(parts, asked, pot)
    if intent.amount_fen != pot.left_fen:
        raise IntentInvalid()
    pot.end_id = intent.intent_id
    await intents.store([intent], now)
    await pots.count({pot.pot_id: pot})
    await pots.reserve([intent], now)
    if intent.kind == POT_ARRIVAL:
        await _know(intent, pot)
    return decisions.allow(intent, LEVEL, now), True


async def _refuse(parts: Parts, asked: EndPot, pot: Pot) -> None:
    """Refuses: IntentInvalid, PotRunning, PotEnded, DeviceUnknown, PayerFrozen, PayeeFrozen."""
    now = parts.clock.now()
    arrives = asked.intent.kind == POT_ARRIVAL
    if asked.intent.payee_id != (pot.to_id if arrives else pot.owner_id):
        raise IntentInvalid()
    if pot.kind == PACKET:
        if now < pot.until_at and pot.taken < pot.shares:
            raise PotRunning()
    elif arrives:
        await _refuse_arrival(pot, now)
    else:
        await _refuse_recall(parts, asked, pot)


async def _refuse_arrival(pot: Pot, now: datetime) -> None:
    if now < pot.until_at:
        raise PotRunning()
    if pot.owner_frozen:
        raise PayerFrozen()
    if await registry.is_stopped(pot.to_id, now):
        raise PayeeFrozen()


async def _refuse_recall(parts: Parts, asked: EndPot, pot: Pot) -> None:
    """Home comes also, whoever asks, what can't arrive: what is frozen on either side."""
    now = parts.clock.now()
    over = now >= pot.until_at
    if await registry.is_stopped(pot.to_id, now) or (over and pot.owner_frozen):
        return
    if over:
        raise PotEnded()
    by = Use(asked.device_secret, Operation.RECALL, asked.intent.intent_id)
    if await registry.live_device(parts, by.device, by.operation, pot.owner_id) is None:
        raise DeviceUnknown()
    await spend(parts, by)


async def _know(intent: Intent, pot: Pot) -> None:
    """Whoever got money from a person is known to them; a recalled transfer makes nobody known."""
    await SEC.query(
        "insert into risk.known_payee (person_id, payee_id, intent_id) values ($1, $2, $3) "
        "on conflict (person_id, payee_id) do nothing",
        pot.owner_id,
        pot.to_id,
        intent.intent_id,
    )


def _decision(intent: Intent, verdict: Verdict | None, code: str, now: datetime) -> Decision:
    return Decision(
        intent_id=intent.intent_id,
        intent_hash=intent_hash(intent),
        stage=decisions.POT_END,
        code=code,
        level=LEVEL if verdict else "",
        verdict=verdict,
        at_ms=to_ms(now),
    )
