"""Packets and delayed transfers, as their senders fill them, and what goes out of them."""

import secrets
from datetime import timedelta
from typing import Any

import msgspec

from backend import ids
from backend.clock import to_ms
from backend.db import SEC
from backend.intent import Intent, PotTerms
from backend.posting import Posting, Transfer
from backend.risk import Authorize, AuthorizeShares, EndPot, Opener, Prepare
from backend.verdict import SignedVerdict
from tests.risk.people import Person, World

DAY = timedelta(hours=24)
HOURS_2 = timedelta(hours=2)
SEED_HASH = b"s" * 32


def terms(world: World, to: str = "", shares: int = 3, life: timedelta = DAY) -> PotTerms:
    return PotTerms(to, shares, to_ms(world.clock.now() + life), SEED_HASH)


def packet(
    world: World, sender: Person, amount_fen: int = 30_00, wanted: PotTerms | None = None
) -> Intent:
    wanted = wanted or terms(world)
    return _funding(world, sender, "packet", ids.new("red"), amount_fen, wanted)


def delayed(
    world: World,
    sender: Person,
    payee: Person,
    amount_fen: int = 30_00,
    life: timedelta = HOURS_2,
) -> Intent:
    wanted = PotTerms(payee.person_id, 1, to_ms(world.clock.now() + life))
    return _funding(world, sender, "delayed", ids.new("trf"), amount_fen, wanted)


async def fill(world: World, sender: Person, funding: Intent) -> SignedVerdict:
    """With the passkey where one is asked for."""
    requirement = await world.risk.prepare(Prepare(funding, sender.secret))
    if requirement.takes == "none":
        return await world.risk.authorize(Authorize(funding.intent_id, sender.secret))
    return await world.pay(sender, funding)


async def sent(
    world: World, sender: Person, amount_fen: int = 30_00, wanted: PotTerms | None = None
) -> Intent:
    funding = packet(world, sender, amount_fen, wanted)
    await fill(world, sender, funding)
    return funding


async def grown(world: World, *people: Person) -> None:
    """Their accounts are a day old: no longer new."""
    await SEC.query(
        "update risk.person set created_at = $2 where person_id = any($1)",
        [person.person_id for person in people],
        world.clock.now() - DAY,
    )


async def beside(world: World, guest: Person, host: Person) -> Person:
    """The guest as they signed in in the host's browser, once that has cooled down."""
    signed_in = await world.sign_in(guest.key, host.secret)
    assert signed_in.new_device
    await SEC.query(
        "update risk.device set trusted_at = created_at where device_id = $1", signed_in.device_id
    )
    return msgspec.structs.replace(
        guest, device_id=signed_in.device_id, secret=signed_in.device_secret
    )


def opener(person: Person) -> Opener:
    return Opener(person.person_id, person.secret)


async def judged(world: World, funding: Intent, *people: Person) -> list[str]:
    """Codes, in order."""
    answers = await world.risk.judge_openers(
        funding.payee_id, tuple(opener(person) for person in people)
    )
    assert [a.person_id for a in answers] == [p.person_id for p in people]
    return [a.code for a in answers]


def shares(
    funding: Intent, *given: tuple[Person, int], no_device: bool = False, **changes: Any
) -> AuthorizeShares:
    """One posting: (person, fen) each."""
    source, intent_id = f"packet:{funding.payee_id}", ids.new("shr")
    people = tuple(Opener(p.person_id, "" if no_device else p.secret) for p, _ in given)
    transfers = tuple(Transfer(source, f"person:{p.person_id}", fen) for p, fen in given)
    values: dict[str, Any] = {
        "intent_id": intent_id,
        "kind": "share",
        "payer_id": funding.payee_id,
        "payee_id": "",
        "payee_name": "",
        "amount_fen": sum(fen for _, fen in given),
        "fee_fen": 0,
        "source": source,
        "code": "none",
        "posting": Posting(intent_id, "share", transfers),
        "expires_at_ms": funding.expires_at_ms,
        "nonce": secrets.token_bytes(32),
    }
    return AuthorizeShares(Intent(**(values | changes)), people)


def ended(
    funding: Intent, amount_fen: int, *, arrival: bool = False, device: Person | None = None
) -> EndPot:
    assert funding.terms is not None
    kind = "pot_arrival" if arrival else "pot_return"
    payee = funding.terms.to if arrival else funding.payer_id
    source = funding.posting.transfers[0].credit
    intent_id = ids.new("end")
    intent = Intent(
        intent_id=intent_id,
        kind=kind,
        payer_id=funding.payee_id,
        payee_id=payee,
        payee_name="",
        amount_fen=amount_fen,
        fee_fen=0,
        source=source,
        code="none",
        posting=Posting(intent_id, kind, (Transfer(source, f"person:{payee}", amount_fen),)),
        expires_at_ms=funding.expires_at_ms,
        nonce=secrets.token_bytes(32),
    )
    return EndPot(intent, device.secret if device else "")


def _funding(
    world: World, sender: Person, kind: str, pot_id: str, amount_fen: int, wanted: PotTerms
) -> Intent:
    intent_id, source = ids.new("pay"), f"person:{sender.person_id}"
    account = f"{'packet' if kind == 'packet' else 'escrow'}:{pot_id}"
    return Intent(
        intent_id=intent_id,
        kind=kind,
        payer_id=sender.person_id,
        payee_id=pot_id,
        payee_name="红包",
        amount_fen=amount_fen,
        fee_fen=0,
        source=source,
        code="none",
        posting=Posting(intent_id, kind, (Transfer(source, account, amount_fen),)),
        expires_at_ms=to_ms(world.clock.now() + timedelta(minutes=15)),
        nonce=secrets.token_bytes(32),
        terms=wanted,
    )
