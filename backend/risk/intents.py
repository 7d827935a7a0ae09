"""Intents: their form, checked against their own posting, and their immutable rows."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend import ids
from backend.canonical import canonical
from backend.clock import to_ms
from backend.db import SEC
from backend.intent import Intent
from backend.money import CURRENCY, MAX_AMOUNT_FEN
from backend.posting import Posting, Transfer
from backend.risk import pot_forms
from backend.risk.pot_forms import POTS
from backend.risk.refusals import IntentExpired, IntentInvalid
from backend.risk.shapes_pot import Opener
from backend.risk.withdrawal_rules import SPEEDS

PAY, TRANSFER, TOP_UP = "pay", "transfer", "topup"
REFUND, PAYOUT, PAYOUT_RETURN = "refund", "payout", "payout_return"
WITHDRAWAL, WITHDRAWAL_RETURN = "withdrawal", "withdrawal_return"
PAYEES = {PAY: "mch", TRANSFER: "usr", **POTS}  # whom, or what, a person may pay
CODES = frozenset({"dynamic", "static", "shown", "none"})
FEE_ACCOUNT = "fee:income"
TRANSIT_ACCOUNT = "bank:transit"
PAYOUT_ACCOUNT = "bank:payout"
BANK = "bank"  # the payer of a top-up
NONCE_BYTES = 32
# What no schedule of fees may pass: the fee's account is the transaction system's to fill.
MAX_FEE_BPS = 100
FEE_ALLOWANCE_FEN = 1_00  # for a line's least fee

_DOMAIN = "pay/v1"
_PREFIX = canonical(_DOMAIN, Posting("-", "none", ())).partition(b"\n")[0] + b"\n"
_intents = msgspec.msgpack.Decoder(Intent)

INSERT = """
insert into risk.intent (intent_id, kind, payer_id, payee_id, amount_fen, content, prepared_at)
select u.*, $7 from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[],
    $6::bytea[]) u
on conflict (intent_id) do nothing
"""


def check_payment(intent: Intent, now: datetime) -> None:
    """Its transfers move the amount from payer to payee, a modest fee from payee to us; no more.

    Refuses: IntentInvalid, IntentExpired.
    """
    payee = _account(intent.payee_id)
    transfers: tuple[Transfer, ...] = (Transfer(intent.source, payee, intent.amount_fen),)
    if intent.fee_fen:
        transfers += (Transfer(payee, FEE_ACCOUNT, intent.fee_fen),)
    sound = (
        ids.is_id(intent.payee_id, PAYEES.get(intent.kind, "-"))
        and (intent.kind == PAY or not (intent.fee_fen or intent.code == "shown"))
        and (intent.kind not in POTS or _pot_fits(intent, now))
        and ids.is_id(intent.payer_id, "usr")
        and intent.source == f"person:{intent.payer_id}"
        and payee != intent.source
        and _modest(intent)
        and intent.code in CODES
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()
    if intent.expires_at_ms <= to_ms(now):
        raise IntentExpired()


def check_share(intent: Intent, openers: Sequence[Opener]) -> None:
    """A transfer out of the packet for each opener. It has no end of its own: the packet's is
    enough, and what was decided before it may be posted after. Refuses: IntentInvalid."""
    _check_out_of_pot(intent, pot_forms.share_transfers(intent, openers))


def check_pot_end(intent: Intent) -> None:
    """One transfer of what is left. Refuses: IntentInvalid."""
    _check_out_of_pot(intent, pot_forms.end_transfers(intent))


def check_top_up(intent: Intent) -> None:
    """One transfer of the bank's money to the person. Refuses: IntentInvalid."""
    transfers = (Transfer(intent.source, f"person:{intent.payee_id}", intent.amount_fen),)
    sound = (
        intent.kind == TOP_UP
        and intent.payer_id == BANK
        and not ids.is_id(intent.intent_id, "wdr")  # the bank's word of one says "paid" as well
        and intent.source == TRANSIT_ACCOUNT
        and ids.is_id(intent.payee_id, "usr")
        and not intent.fee_fen
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()


def check_refund(intent: Intent, now: datetime) -> None:
    """What comes back of the fee, then the amount from the shop to who paid.

    Refuses: IntentInvalid, IntentExpired.
    """
    shop = f"shop:{intent.payer_id}"
    transfers: tuple[Transfer, ...] = (
        Transfer(shop, f"person:{intent.payee_id}", intent.amount_fen),
    )
    if intent.fee_fen:
        transfers = (Transfer(FEE_ACCOUNT, shop, intent.fee_fen), *transfers)
    sound = (
        intent.kind == REFUND
        and ids.is_id(intent.payer_id, "mch")
        and ids.is_id(intent.payee_id, "usr")
        and intent.source == shop
        and intent.code == "none"
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()
    if intent.expires_at_ms <= to_ms(now):
        raise IntentExpired()


def check_payout(intent: Intent) -> None:
    """A shop's money on its way to a card. Refuses: IntentInvalid."""
    shop = f"shop:{intent.payer_id}"
    sound = (
        intent.kind == PAYOUT
        and ids.is_id(intent.payer_id, "mch")
        and intent.source == shop
        and not intent.fee_fen
        and _fits(intent, (Transfer(shop, PAYOUT_ACCOUNT, intent.amount_fen),))
    )
    if not sound:
        raise IntentInvalid()


def check_payout_return(intent: Intent) -> None:
    """A payout that the bank refused comes back. Refuses: IntentInvalid."""
    shop = f"shop:{intent.payee_id}"
    sound = (
        intent.kind == PAYOUT_RETURN
        and intent.payer_id == BANK
        and ids.is_id(intent.payee_id, "mch")
        and intent.source == PAYOUT_ACCOUNT
        and not intent.fee_fen
        and _fits(intent, (Transfer(PAYOUT_ACCOUNT, shop, intent.amount_fen),))
    )
    if not sound:
        raise IntentInvalid()


def check_withdrawal(intent: Intent, now: datetime) -> None:
    """A person's money on its way to a card, and a modest fee to us, out of the amount.

    Refuses: IntentInvalid, IntentExpired.
    """
    person = f"person:{intent.payer_id}"
    transfers: tuple[Transfer, ...] = (
        Transfer(person, PAYOUT_ACCOUNT, intent.amount_fen - intent.fee_fen),
    )
    if intent.fee_fen:
        transfers += (Transfer(person, FEE_ACCOUNT, intent.fee_fen),)
    sound = (
        intent.kind == WITHDRAWAL
        and ids.is_id(intent.intent_id, "wdr")
        and ids.is_id(intent.payer_id, "usr")
        and intent.source == person
        and intent.code in SPEEDS
        and intent.fee_fen < intent.amount_fen
        and _modest(intent)
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()
    if intent.expires_at_ms <= to_ms(now):
        raise IntentExpired()


def check_withdrawal_return(intent: Intent) -> None:
    """All of a withdrawal that the bank refused comes back, the fee too. Refuses: IntentInvalid."""
    person = f"person:{intent.payee_id}"
    transfers: tuple[Transfer, ...] = (
        Transfer(PAYOUT_ACCOUNT, person, intent.amount_fen - intent.fee_fen),
    )
    if intent.fee_fen:
        transfers += (Transfer(FEE_ACCOUNT, person, intent.fee_fen),)
    sound = (
        intent.kind == WITHDRAWAL_RETURN
        and intent.payer_id == BANK
        and ids.is_id(intent.payee_id, "usr")
        and intent.source == PAYOUT_ACCOUNT
        and intent.fee_fen < intent.amount_fen
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()


def content(intent: Intent) -> bytes:
    """What is stored; its SHA-256 is `intent_hash`."""
    return canonical(_DOMAIN, intent)


def parse(stored: bytes) -> Intent:
    return _intents.decode(stored.removeprefix(_PREFIX))


async def store(intents: Sequence[Intent], now: datetime) -> None:
    """What is stored already stays as it is: compare with `content`."""
    await SEC.query(
        INSERT,
        [i.intent_id for i in intents],
        [i.kind for i in intents],
        [i.payer_id for i in intents],
        [i.payee_id for i in intents],
        [i.amount_fen for i in intents],
        [content(i) for i in intents],
        now,
    )


def judged_payee(intent: Intent) -> str:
    """Whom the payer means: of a pot the one person it is for, "" where there is none."""
    return pot_forms.person_of(intent.terms) if intent.kind in POTS else intent.payee_id


def _pot_fits(intent: Intent, now: datetime) -> bool:
    return intent.code == "none" and pot_forms.terms_fit(intent, now)


def _check_out_of_pot(intent: Intent, transfers: tuple[Transfer, ...]) -> None:
    sound = (
        intent.source == pot_forms.account_of(intent.payer_id)
        and intent.code == "none"
        and not intent.fee_fen
        and _fits(intent, transfers)
    )
    if not sound:
        raise IntentInvalid()


def _fits(intent: Intent, transfers: tuple[Transfer, ...]) -> bool:
    posting = Posting(intent.intent_id, intent.kind, transfers, intent.posting.event_at_ms)
    return (
        intent.posting == posting
        and intent.currency == CURRENCY
        and type(intent.amount_fen) is int
        and 0 < intent.amount_fen <= MAX_AMOUNT_FEN
        and 0 <= intent.fee_fen <= intent.amount_fen
        and len(intent.nonce) == NONCE_BYTES
        and (intent.kind in POTS or intent.terms is None)
    )


def _modest(intent: Intent) -> bool:
    return intent.fee_fen <= intent.amount_fen * MAX_FEE_BPS // 10_000 + FEE_ALLOWANCE_FEN


def _account(payee_id: str) -> str:
    if pot_forms.is_pot(payee_id):
        return pot_forms.account_of(payee_id)
    return f"{'shop' if ids.is_id(payee_id, 'mch') else 'person'}:{payee_id}"
