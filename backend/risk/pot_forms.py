"""The form of what goes into pots and comes out of them: terms, shares, returns, arrivals."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from backend import ids
from backend.clock import to_ms
from backend.intent import Intent, PotTerms
from backend.posting import MAX_TRANSFERS, Transfer
from backend.risk.refusals import IntentInvalid
from backend.risk.shapes_pot import Opener

PACKET, DELAYED = "packet", "delayed"
SHARE, POT_RETURN, POT_ARRIVAL = "share", "pot_return", "pot_arrival"
POTS = {PACKET: "red", DELAYED: "trf"}  # the prefix of a pot's id, by the kind of its funding
ACCOUNTS = {"red": "packet", "trf": "escrow"}  # the kind of its account, by that prefix

MIN_SHARE_FEN, MAX_SHARE_FEN = 1, 200_00
MAX_SHARES = MAX_TRANSFERS
PACKET_LIFE = timedelta(hours=24)
PACKET_SLACK = timedelta(minutes=5)  # between writing the terms and asking us
DELAYED_LIFE = timedelta(hours=24)
SEED_HASH_BYTES = 32


def account_of(pot_id: str) -> str:
    return f"{ACCOUNTS[pot_id[:3]]}:{pot_id}"


def is_pot(id_: str) -> bool:
    return id_[:3] in ACCOUNTS and ids.is_id(id_, id_[:3])


def person_of(terms: PotTerms | None) -> str:
    """The one person that the money is for; "" if it is for a group or for whoever comes."""
    return terms.to if terms is not None and ids.is_id(terms.to, "usr") else ""


def terms_fit(intent: Intent, now: datetime) -> bool:
    """Whether the terms are those of its kind, and leave time to get the money."""
    terms = intent.terms
    if terms is None or type(terms.until_ms) is not int or type(terms.shares) is not int:
        return False
    life = PACKET_LIFE + PACKET_SLACK if intent.kind == PACKET else DELAYED_LIFE
    return (
        to_ms(now) < terms.until_ms <= to_ms(now + life)
        and terms.to != intent.payer_id
        and (_packet_fits if intent.kind == PACKET else _delayed_fits)(intent, terms)
    )


def _packet_fits(intent: Intent, terms: PotTerms) -> bool:
    return (
        1 <= terms.shares <= MAX_SHARES
        and terms.shares * MIN_SHARE_FEN <= intent.amount_fen <= terms.shares * MAX_SHARE_FEN
        and (terms.to == "" or ids.is_id(terms.to, "usr") or ids.is_id(terms.to, "grp"))
        and len(terms.seed_hash) == SEED_HASH_BYTES
    )


def _delayed_fits(intent: Intent, terms: PotTerms) -> bool:
    return terms.shares == 1 and ids.is_id(terms.to, "usr") and terms.seed_hash == b""


def share_transfers(intent: Intent, openers: Sequence[Opener]) -> tuple[Transfer, ...]:
    """What a posting of shares must be, with the amounts that it names. Refuses: IntentInvalid."""
    asked = intent.posting.transfers
    people = [opener.person_id for opener in openers]
    sound = (
        intent.kind == SHARE
        and ids.is_id(intent.payer_id, "red")
        and intent.payee_id in ("", people[0] if len(people) == 1 else "")
        and len(asked) == len(people) <= MAX_SHARES
        and all(ids.is_id(person_id, "usr") for person_id in people)
        and all(type(t.amount_fen) is int for t in asked)
        and all(MIN_SHARE_FEN <= t.amount_fen <= MAX_SHARE_FEN for t in asked)
        and sum(t.amount_fen for t in asked) == intent.amount_fen
    )
    if not sound:
        raise IntentInvalid()
    source = account_of(intent.payer_id)
    return tuple(
        Transfer(source, f"person:{person_id}", t.amount_fen)
        for person_id, t in zip(people, asked, strict=True)
    )


def end_transfers(intent: Intent) -> tuple[Transfer, ...]:
    """Refuses: IntentInvalid."""
    sound = (
        is_pot(intent.payer_id)
        and (intent.kind == POT_RETURN or (intent.kind == POT_ARRIVAL and _delayed(intent)))
        and ids.is_id(intent.payee_id, "usr")
    )
    if not sound:
        raise IntentInvalid()
    source, payee = account_of(intent.payer_id), f"person:{intent.payee_id}"
    return (Transfer(source, payee, intent.amount_fen),)


def _delayed(intent: Intent) -> bool:
    return intent.payer_id.startswith("trf")
