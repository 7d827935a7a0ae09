"""Consent becomes a verdict: verified, decided and reserved for a whole batch at once."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import (
    Authorize,
    CeremonyInvalid,
    IntentExpired,
    IntentInvalid,
    IntentUsed,
    PasskeyRefused,
    decisions,
    intents,
    machines,
    pots,
    reservations,
)
from backend.risk.decisions import Decision
from backend.risk.facts import Asked, gather
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.passkeys import (
    Asserted,
    Assertion,
    StoredCredential,
    parse_assertion,
    verify_assertion,
)
from backend.risk.pot_forms import PACKET, POTS
from backend.risk.pots import Pot
from backend.risk.reservations import Reservation
from backend.risk.rules import Facts, decide, refuse_standing, take
from backend.verdict import SignedVerdict, Verdict

# What was asked, with everything stored about it. The payer comes from the stored intent, and a
# passkey or ceremony of anybody else is simply not found. Lateral: one look-up by key for each.
_LOAD = """
select i.content, a.content as allowed, r.release_asked, c.found is not null as ceremony_open,
    k.credential_id, k.public_key, k.sign_count, k.backup_eligible, k.backed_up, p.user_handle
from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality
    as q (intent_id, ceremony_id, credential_id, n)
left join lateral (select content, payer_id from risk.intent
    where intent_id = q.intent_id and kind in ('pay', 'transfer', 'packet', 'delayed')
    limit 1) i on true
left join lateral (select content from risk.decision
    where intent_id = q.intent_id and decision = 'allow' and stage = 'authorize' limit 1) a on true
left join lateral (select coalesce(release_asked_at, released_at) as release_asked
    from risk.reservation where intent_id = q.intent_id limit 1) r on true
left join lateral (select true as found from risk.ceremony
    where ceremony_id = q.ceremony_id and kind = 'pay' and subject = q.intent_id
    and used_at is null and expires_at > $4 limit 1) c on true
left join lateral (select user_handle from risk.person
    where person_id = i.payer_id limit 1) p on true
left join lateral (select * from risk.credential
    where credential_id = q.credential_id and person_id = i.payer_id and removed_at is null
    limit 1) k on true
order by q.n
"""


class _Case(msgspec.Struct):
    """One authorisation on its way. Exactly one of `verdict` and `refusal` is set at the end."""

    asked: Authorize
    assertion: Assertion | None = None
    intent: Intent | None = None
    credential: StoredCredential | None = None
    asserted: Asserted | None = None
    ceremony_open: bool = False
    verdict: Verdict | None = None
    decision: Decision | None = None
    reservation: Reservation | None = None
    facts: Facts | None = None
    pot: Pot | None = None  # that is there already
    refusal: DomainError | None = None


async def authorize(parts: Parts, asked: Sequence[Authorize]) -> list[SignedVerdict | DomainError]:
    """All that wait; no two have the same intent id. Signed once the decisions are committed."""
    now = parts.clock.now()
    cases = [_case(each) for each in asked]
    async with SEC.transaction(by_key=True):
        await reservations.lock([each.intent_id for each in asked])
        await _load(cases, now)
        await _load_pots(cases, now)
        await _settle(parts, cases, now)
        await _store(cases, now)
    signed = iter(parts.signatures.sign([c.verdict for c in cases if c.verdict], to_ms(now)))
    return [next(signed) if c.verdict else _because(c) for c in cases]


def _case(asked: Authorize) -> _Case:
    case = _Case(asked)
    if asked.response_json:
        try:
            case.assertion = parse_assertion(asked.response_json)
            _ = case.assertion.credential_id
        except PasskeyRefused as refusal:
            case.assertion, case.refusal = None, refusal
    return case


async def _load(cases: list[_Case], now: datetime) -> None:
    rows = await SEC.query(
        _LOAD,
        [c.asked.intent_id for c in cases],
        [c.asked.ceremony_id for c in cases],
        [c.assertion.credential_id if c.assertion else b"" for c in cases],
        now,
    )
    for case, row in zip(cases, rows, strict=True):
        _fill(case, row, now)


async def _load_pots(cases: list[_Case], now: datetime) -> None:
    """Those that these payments fill: locked. Of two in one batch the second is refused."""
    filling = [(c, c.intent) for c in cases if c.intent and c.intent.kind in POTS]
    if not filling:
        return
    known = await pots.lock([intent.payee_id for _, intent in filling], now)
    first: dict[str, str] = {}
    for case, intent in filling:
        case.pot = known.get(intent.payee_id)
        if first.setdefault(intent.payee_id, intent.intent_id) != intent.intent_id:
            case.refusal = case.refusal or IdReused()


def _fill(case: _Case, row: asyncpg.Record, now: datetime) -> None:
    if row["content"] is None:
        case.refusal = IntentInvalid()
        return
    case.intent = intents.parse(row["content"])
    case.ceremony_open = row["ceremony_open"]
    if row["credential_id"] is not None:
        case.credential = StoredCredential(
            row["credential_id"],
            row["public_key"],
            row["sign_count"],
            row["backup_eligible"],
            row["backed_up"],
            row["user_handle"],
        )
    if row["allowed"] is not None:
        verdict = decisions.parse(row["allowed"]).verdict
        assert verdict is not None, "an allowing decision has its verdict"
        if row["release_asked"] is None and verdict.expires_at_ms > to_ms(now):
            case.verdict, case.refusal = verdict, None
        else:
            case.refusal = IntentUsed()
    elif case.refusal is None and _ends_at_ms(case.intent) <= to_ms(now):
        case.refusal = IntentExpired()


def _ends_at_ms(intent: Intent) -> int:
    """What is put aside until a time is put aside before it."""
    until_ms = intent.terms.until_ms if intent.terms else intent.expires_at_ms
    return min(intent.expires_at_ms, until_ms)


async def _settle(parts: Parts, cases: list[_Case], now: datetime) -> None:
    """Facts for all, then one after the other: what one takes, the next has no more."""
    known = [(c, c.intent) for c in cases if c.intent]
    facts = await gather(parts, [_asked(c.asked, i) for c, i in known]) if known else []
    await machines.lock([f.machine for f in facts if f.packet and f.device_id])
    for (case, intent), of_case in zip(known, facts, strict=True):
        case.facts = of_case
        try:
            if case.verdict is not None:
                _stands(case, of_case, now)
            elif case.refusal is None:
                _decide(parts, case, intent, of_case, now)
        except DomainError as refusal:
            case.refusal = refusal


def _stands(case: _Case, facts: Facts, now: datetime) -> None:
    """A verdict goes to the payer's live device only, and no more once somebody froze."""
    try:
        refuse_standing(facts, now)
    except DomainError:
        case.verdict = None
        raise


def _asked(asked: Authorize, intent: Intent) -> Asked:
    return Asked(
        Operation(intent.kind),
        intent.payer_id,
        intents.judged_payee(intent),
        intent.amount_fen,
        intent.code,
        asked.device_secret,
        intent.intent_id,
        intent.kind == PACKET,
    )


def _decide(parts: Parts, case: _Case, intent: Intent, facts: Facts, now: datetime) -> None:
    pots.refuse_second(case.pot, intent)
    synced: bool | None = None
    if case.assertion is not None:
        if not case.ceremony_open:
            raise CeremonyInvalid()
        if case.credential is None:
            raise PasskeyRefused(why="owner")
        challenge = intent_hash(intent)
        case.asserted = verify_assertion(parts.party, challenge, case.assertion, case.credential)
        synced = case.credential.backup_eligible
    charge = decide(facts, synced, now)
    take(facts, charge, intent.amount_fen)
    case.reservation = Reservation(intent, charge, facts.machine.machine_id)
    case.verdict = decisions.allow(intent, charge.level, now)
    case.decision = _decision(case, intent, now)


async def _store(cases: list[_Case], now: datetime) -> None:
    for case in cases:
        if case.refusal is not None and case.intent is not None:
            case.decision = _decision(case, case.intent, now)
    taken = [c.reservation for c in cases if c.reservation]
    await pots.fill([r.intent for r in taken if r.intent.kind in POTS])
    await reservations.take(taken, now)
    await reservations.keep(
        {
            c.intent.payer_id: c.facts.spending
            for c in cases
            if c.reservation and c.intent and c.facts
        }
    )
    used = [c.facts.machine for c in cases if c.reservation and c.facts and c.facts.packet]
    await machines.keep(used)
    await _use_up([c for c in cases if c.assertion is not None], now)
    await decisions.record([c.decision for c in cases if c.decision], now)


async def _use_up(cases: list[_Case], now: datetime) -> None:
    """A ceremony is over whatever came of it; a counter counts only once the signature held."""
    tried = [c.asked.ceremony_id for c in cases if c.ceremony_open]
    if tried:
        await SEC.query(
            "update risk.ceremony set used_at = $2 where ceremony_id = any($1)", tried, now
        )
    held = [(c.credential, c.asserted) for c in cases if c.credential and c.asserted]
    if held:
        await SEC.query(
            "update risk.credential c set sign_count = greatest(c.sign_count, u.sign_count), "
            "backed_up = u.backed_up, last_used_at = $4 "
            "from unnest($1::bytea[], $2::bigint[], $3::boolean[]) "
            "as u (credential_id, sign_count, backed_up) "
            "where c.credential_id = u.credential_id",
            [k.credential_id for k, _ in held],
            [a.sign_count for _, a in held],
            [a.backed_up for _, a in held],
            now,
        )


def _decision(case: _Case, intent: Intent, now: datetime) -> Decision:
    return Decision(
        intent_id=intent.intent_id,
        intent_hash=intent_hash(intent),
        stage=decisions.AUTHORIZE,
        code=case.refusal.code if case.refusal else "",
        level=case.verdict.level if case.verdict else "",
        verdict=case.verdict,
        device_id=case.facts.device_id if case.facts else "",
        credential_id=case.credential.credential_id if case.asserted and case.credential else b"",
        signals=case.asserted.signals if case.asserted else (),
        at_ms=to_ms(now),
    )


def _because(case: _Case) -> DomainError:
    assert case.refusal is not None, "without a verdict there is a refusal"
    return case.refusal
