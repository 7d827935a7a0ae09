"""What an intent takes: before it is made (`assess`), and when it is stored (`prepare`)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend import ids
from backend.clock import from_ms, to_ms
from backend.db import SEC
from backend.errors import BadRequest, DomainError, IdReused
from backend.intent import intent_hash
from backend.risk import (
    Assess,
    Ceremony,
    IntentInvalid,
    Prepare,
    Requirement,
    ceremonies,
    decisions,
    intents,
)
from backend.risk.decisions import Decision
from backend.risk.facts import Asked, gather
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.pot_forms import PACKET, POTS
from backend.risk.rules import Facts, Need, need


class _Stored(msgspec.Struct, frozen=True):
    """An intent that is there already. level: of the verdict it got, or None."""

    content: bytes
    level: str | None


async def assess(parts: Parts, asked: Assess) -> Requirement:
    if asked.kind not in intents.PAYEES or asked.code not in intents.CODES:
        raise BadRequest()
    now = parts.clock.now()
    wanted = Asked(
        Operation.QUOTE,
        asked.payer_id,
        _judged(asked),
        asked.amount_fen,
        asked.code,
        asked.device_secret,
        packet=asked.kind == PACKET,
    )
    [facts] = await gather(parts, [wanted])
    return _requirement(wanted, facts, need(facts, now), None)


def _judged(asked: Assess) -> str:
    if asked.kind not in POTS:
        return asked.payee_id
    return asked.to if ids.is_id(asked.to, "usr") else ""


async def prepare(parts: Parts, asked: Sequence[Prepare]) -> list[Requirement | DomainError]:
    """All that wait, in one transaction; no two have the same intent id."""
    now = parts.clock.now()
    answers: dict[str, Requirement | DomainError] = {}
    for each in asked:
        try:
            intents.check_payment(each.intent, now)
        except DomainError as refusal:
            answers[each.intent.intent_id] = refusal
    sound = [each for each in asked if each.intent.intent_id not in answers]
    if sound:
        answers.update(await _decide(parts, sound, now))
    return [answers[each.intent.intent_id] for each in asked]


async def _decide(
    parts: Parts, asked: list[Prepare], now: datetime
) -> dict[str, Requirement | DomainError]:
    answers: dict[str, Requirement | DomainError] = {}
    refused: list[Decision] = []
    openings: list[tuple[Prepare, Ceremony]] = []
    async with SEC.transaction(by_key=True):
        stored = await _stored([each.intent.intent_id for each in asked])
        facts = await gather(parts, [_asked(each) for each in asked])
        fresh = []
        for each, known in zip(asked, facts, strict=True):
            intent_id = each.intent.intent_id
            answer = _answer(each, known, stored.get(intent_id), now)
            if isinstance(answer, Need):
                ceremony = _ceremony(parts, each, answer, now)
                if ceremony is not None:
                    openings.append((each, ceremony))
                answer = _requirement(_asked(each), known, answer, ceremony)
            elif isinstance(answer, DomainError):
                refused.append(_refusal(each, answer, known, now))
            # What does not fit its payment code takes the id from nobody.
            sound = known.device_id and not isinstance(answer, IntentInvalid)
            if intent_id not in stored and sound:
                fresh.append(each.intent)
            answers[intent_id] = answer
        if fresh:
            await intents.store(fresh, now)
        await _open(openings)
        await decisions.record(refused, now)
    return answers


def _answer(
    each: Prepare, facts: Facts, stored: _Stored | None, now: datetime
) -> Need | Requirement | DomainError:
    if stored is not None and stored.content != intents.content(each.intent):
        return IdReused()
    if stored is not None and stored.level is not None and facts.device_id:
        # It has its verdict: authorize gives it again, or says that it has ended.
        return Requirement("none", stored.level, first_payment=False)
    try:
        return need(facts, now)
    except DomainError as refusal:
        return refusal


def _asked(each: Prepare) -> Asked:
    i = each.intent
    return Asked(
        Operation(i.kind),
        i.payer_id,
        intents.judged_payee(i),
        i.amount_fen,
        i.code,
        each.device_secret,
        i.intent_id,
        i.kind == PACKET,
    )


async def _stored(intent_ids: list[str]) -> dict[str, _Stored]:
    rows = await SEC.query(
        "select q.intent_id, i.content, (select d.level from risk.decision d "
        "where d.intent_id = q.intent_id and d.decision = 'allow' limit 1) as level "
        "from unnest($1::text[]) as q (intent_id) cross join lateral "
        "(select content from risk.intent where intent_id = q.intent_id limit 1) i",
        intent_ids,
    )
    return {row["intent_id"]: _Stored(row["content"], row["level"]) for row in rows}


def _requirement(
    asked: Asked, facts: Facts, needed: Need, ceremony: Ceremony | None
) -> Requirement:
    return Requirement(
        needed.takes,
        needed.level,
        asked.payee_id != "" and not facts.known_payee,
        needed.reasons,
        needed.wait_until,
        ceremony,
    )


def _ceremony(parts: Parts, each: Prepare, needed: Need, now: datetime) -> Ceremony | None:
    """The challenge is the hash of the intent: the assertion is good for it and nothing else."""
    if needed.takes != "passkey" or not each.device_secret:  # a till can't answer it
        return None
    options = ceremonies.assertion_options(parts.party, intent_hash(each.intent), needed.keys)
    expires_at = min(now + ceremonies.CEREMONY_LIFE, from_ms(each.intent.expires_at_ms))
    return Ceremony(ids.new("cer"), options, expires_at)


async def _open(openings: list[tuple[Prepare, Ceremony]]) -> None:
    if openings:
        await SEC.query(
            f"{ceremonies.INSERT} select u.ceremony_id, '{ceremonies.PAY}', u.person_id, "  # noqa: S608
            "u.intent_id, '', u.options, u.expires_at from unnest($1::text[], $2::text[], "
            "$3::text[], $4::bytea[], $5::timestamptz[]) "
            "as u (ceremony_id, person_id, intent_id, options, expires_at)",
            [c.ceremony_id for _, c in openings],
            [p.intent.payer_id for p, _ in openings],
            [p.intent.intent_id for p, _ in openings],
            [c.options_json for _, c in openings],
            [c.expires_at for _, c in openings],
        )


def _refusal(each: Prepare, refusal: DomainError, facts: Facts, now: datetime) -> Decision:
    return Decision(
        intent_id=each.intent.intent_id,
        intent_hash=intent_hash(each.intent),
        stage=decisions.PREPARE,
        code=refusal.code,
        device_id=facts.device_id,
        at_ms=to_ms(now),
    )
