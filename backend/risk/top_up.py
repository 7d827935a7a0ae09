"""Money comes in: the bank's own signed word is the consent, and only for exactly that order."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend import bankword
from backend.bankword import BankStatement
from backend.clock import to_ms
from backend.db import SEC
from backend.errors import DomainError, IdReused
from backend.intent import Intent, intent_hash
from backend.money import CURRENCY
from backend.risk import AuthorizeTopUp, BankWord, BankWordInvalid, decisions, intents
from backend.risk.bank_keys import BankKeys
from backend.risk.decisions import Decision
from backend.risk.parts import Parts
from backend.verdict import SignedVerdict, Verdict

LEVEL = "S"
PAID = "paid"


async def authorize(parts: Parts, asked: AuthorizeTopUp) -> SignedVerdict:
    """Again after the verdict ended: a new one, for the ledger posts an id once."""
    intents.check_top_up(asked.intent)
    try:
        intent = asked.intent
        expected = (intent.intent_id, intent.payee_id, intent.amount_fen, PAID)
        check_word(parts.bank_keys, asked.word, expected)
    except DomainError as refusal:
        await _record(parts, asked.intent, None, refusal.code)
        raise
    now = parts.clock.now()
    await intents.store([asked.intent], now)
    verdict = await _live(asked.intent, to_ms(now))
    if verdict is None:
        verdict = decisions.allow(asked.intent, LEVEL, now)
        await _record(parts, asked.intent, verdict)
    return parts.signatures.sign([verdict], to_ms(now))[0]


def check_word(
    bank: BankKeys, word: BankWord, expected: tuple[str, str, int, str], token: str = ""
) -> None:
    """expected: order, person, amount in fen, outcome. token: of the card, where it matters.
    Refuses: BankWordInvalid."""
    if not signed_by_bank(bank, word):
        raise BankWordInvalid()
    said = bankword.parse(word.message)
    if said is None or said.currency != CURRENCY or _content(said) != expected:
        raise BankWordInvalid()
    if token and said.token != token:
        raise BankWordInvalid()


def signed_by_bank(bank: BankKeys, word: BankWord) -> bool:
    key = bank.of(word.key_id)
    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(word.signature, word.message)
    except InvalidSignature:
        return False
    return True


def _content(said: BankStatement) -> tuple[str, str, int, str]:
    return (said.order_id, said.person_id, said.amount_fen, said.outcome)


async def _live(intent: Intent, now_ms: int) -> Verdict | None:
    """The last verdict for it, if it lives. Refuses: IdReused."""
    rows = await SEC.query("select content from risk.intent where intent_id = $1", intent.intent_id)
    if rows[0]["content"] != intents.content(intent):
        raise IdReused()
    verdict = await decisions.last_allowed(intent.intent_id)
    return verdict if verdict is not None and verdict.expires_at_ms > now_ms else None


async def _record(parts: Parts, intent: Intent, verdict: Verdict | None, code: str = "") -> None:
    now = parts.clock.now()
    decision = Decision(
        intent_id=intent.intent_id,
        intent_hash=intent_hash(intent),
        stage=decisions.TOP_UP,
        code=code,
        level=LEVEL if verdict else "",
        verdict=verdict,
        at_ms=to_ms(now),
    )
    await decisions.record([decision], now)
