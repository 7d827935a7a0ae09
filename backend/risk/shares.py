"""Shares of packets: many openings decided at once, never more than was promised or put in."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.risk import decisions, intents, openers, pots
from backend.risk.decisions import Decision
from backend.risk.openers import Given, Guest
from backend.risk.parts import Parts
from backend.risk.pots import Pot
from backend.risk.refusals import (
    NotForOpener,
    OpenerRefused,
    PotEnded,
    PotExceeded,
    PotUnknown,
    ShareTaken,
)
from backend.risk.shapes_pot import AuthorizeShares, Judged, Opener
from backend.risk.standing import Standing, standing_of
from backend.verdict import SignedVerdict, Verdict

LEVEL = "S"  # nobody signs a share: the sender's consent to the terms is enough

_OWN = {"share_taken": ShareTaken, "not_for_opener": NotForOpener}


class Judge(msgspec.Struct, frozen=True):
    pot_id: str
    openers: tuple[Opener, ...]


async def judge(parts: Parts, asked: Sequence[Judge]) -> list[tuple[Judged, ...] | DomainError]:
    """All that wait. Who may open is remembered as let pass to that packet."""
    now = parts.clock.now()
    async with SEC.transaction(by_key=True):
        known = await pots.read([each.pot_id for each in asked], now)
        wanted = [(each.pot_id, opener) for each in asked for opener in each.openers]
        guests = iter(await openers.guests_of(parts, wanted))
        answers: list[tuple[Judged, ...] | DomainError] = []
        fresh: list[Guest] = []
        for each in asked:
            here = [next(guests) for _ in each.openers]
            pot = known.get(each.pot_id)
            if pot is None or pot.unfunded:
                answers.append(PotUnknown())
                continue
            answers.append(tuple(_judged(guest, pot, now, fresh) for guest in here))
        await openers.let_pass(fresh, now)
    return answers


def _judged(guest: Guest, pot: Pot, now: datetime, fresh: list[Guest]) -> Judged:
    """The packet's own state first: it is everybody's."""
    if pot.end_id is not None or now >= pot.until_at:
        return Judged(guest.person_id, PotEnded.code)
    if pot.owner_frozen:
        return Judged(guest.person_id, "payer_frozen")
    code = openers.refusal(guest, pot, now)
    if not code and guest.passed_at is None:
        _pass(guest, pot, fresh, now)
    return Judged(guest.person_id, code)


def _pass(guest: Guest, pot: Pot, fresh: list[Guest], now: datetime) -> None:
    guest.passed_at = now
    openers.hold(guest, pot)
    fresh.append(guest)


class _Case(msgspec.Struct):
    """One posting of shares on its way; at the end it has a verdict or a refusal."""

    intent: Intent
    openers: tuple[Opener, ...]
    guests: list[Guest] = []
    new: bool = False  # decided now, not before
    verdict: Verdict | None = None
    again: bool = False  # its verdict is one that it got before
    refusal: DomainError | None = None


async def authorize(
    parts: Parts, asked: Sequence[AuthorizeShares]
) -> list[SignedVerdict | DomainError]:
    """All that wait; no two have the same intent id."""
    now = parts.clock.now()
    cases = [_case(each) for each in asked]
    sound = [case for case in cases if case.refusal is None]
    async with SEC.transaction(by_key=True):
        known = await pots.lock([case.intent.payer_id for case in sound], now)
        standing = await standing_of([case.intent.intent_id for case in sound])
        for case in sound:
            _sort(case, known, standing.get(case.intent.intent_id), now)
        await _decide(parts, known, [case for case in sound if case.new])
        await decisions.record([_decision(c, now) for c in cases if not c.again], now)
    signed = iter(parts.signatures.sign([c.verdict for c in cases if c.verdict], to_ms(now)))
    return [next(signed) if c.verdict else _because(c) for c in cases]


def _case(asked: AuthorizeShares) -> _Case:
    case = _Case(asked.intent, asked.openers)
    people = [opener.person_id for opener in asked.openers]
    twice = next((p for n, p in enumerate(people) if p in people[:n]), None)
    try:
        if twice is not None:
            raise ShareTaken(person_id=twice)
        intents.check_share(asked.intent, asked.openers)
    except DomainError as refusal:
        case.refusal = refusal
    return case


def _sort(case: _Case, known: dict[str, Pot], standing: Standing | None, now: datetime) -> None:
    """A posting that was allowed before keeps its shares, also after the packet's end."""
    try:
        pots.refuse_standing(known.get(case.intent.payer_id))
        if standing is None:
            case.new = True
            return
        if standing.content != intents.content(case.intent):
            raise IdReused()
        case.verdict = standing.verdict_at(now)
        case.again = case.verdict is not None
        if case.verdict is None:
            case.verdict = decisions.allow(case.intent, LEVEL, now)
    except DomainError as refusal:
        case.refusal = refusal


async def _decide(parts: Parts, known: dict[str, Pot], cases: list[_Case]) -> None:
    """One after the other: what one takes, the next has no more."""
    now = parts.clock.now()
    wanted = [(case.intent.payer_id, opener) for case in cases for opener in case.openers]
    if not wanted:
        return
    guests = iter(await openers.guests_of(parts, wanted))
    for case in cases:
        case.guests = [next(guests) for _ in case.openers]
    fresh: list[Guest] = []
    given: list[Given] = []
    for case in cases:
        try:
            given += _share_out(case, known[case.intent.payer_id], fresh, now)
        except DomainError as refusal:
            case.refusal = refusal
    allowed = [case.intent for case in cases if case.verdict is not None]
    if not allowed:
        return
    await intents.store(allowed, now)
    await openers.let_pass(fresh, now)
    await openers.give(given, now)
    await pots.count(known)
    await pots.reserve(allowed, now)


def _share_out(case: _Case, pot: Pot, fresh: list[Guest], now: datetime) -> list[Given]:
    """Refuses: PotEnded, PotExceeded, ShareTaken, NotForOpener, OpenerRefused."""
    intent = case.intent
    # Whoever was let pass in time gets what was decided in time, however late it is posted.
    late = now >= pot.until_at and any(guest.passed_at is None for guest in case.guests)
    if pot.end_id is not None or late:
        raise PotEnded()
    left = pot.shares - pot.taken
    if len(case.guests) > left or intent.amount_fen > pot.left_fen:
        raise PotExceeded(left_fen=pot.left_fen, left=left)
    for guest in case.guests:
        code = openers.refusal(guest, pot, now)
        if code in _OWN:
            raise _OWN[code](person_id=guest.person_id)
        if code:
            raise OpenerRefused(person_id=guest.person_id, why=code)
    for guest in case.guests:
        if guest.passed_at is None:
            _pass(guest, pot, fresh, now)
        guest.taken = True
    pot.taken += len(case.guests)
    pot.taken_fen += intent.amount_fen
    case.verdict = decisions.allow(intent, LEVEL, now)
    return [
        _given(guest, intent.intent_id, transfer.amount_fen)
        for guest, transfer in zip(case.guests, intent.posting.transfers, strict=True)
    ]


def _given(guest: Guest, intent_id: str, amount_fen: int) -> Given:
    openers.count(guest, amount_fen)
    return Given(guest, intent_id, amount_fen)


def _decision(case: _Case, now: datetime) -> Decision:
    return Decision(
        intent_id=case.intent.intent_id,
        intent_hash=intent_hash(case.intent),
        stage=decisions.SHARE,
        code=case.refusal.code if case.refusal else "",
        level=case.verdict.level if case.verdict else "",
        verdict=case.verdict,
        at_ms=to_ms(now),
    )


def _because(case: _Case) -> DomainError:
    assert case.refusal is not None, "without a verdict there is a refusal"
    return case.refusal
