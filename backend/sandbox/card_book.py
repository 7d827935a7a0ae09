"""The sandbox bank's cards: the deposit whose code proves an account to be the customer's."""

import hmac
import secrets

import msgspec

from backend.bankword import CardStatement, card_message
from backend.keys import Signer
from backend.sandbox.accounts import BankRefusal, Db, account_of, change, line, sign
from backend.sandbox.cards import BANKS, Mode, luhn, mode
from backend.sandbox.store import first

MAX_TRIES = 3


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """person_id: in whose wallet the card is to be."""

    card_id: str
    person_id: str
    number: str
    holder: str


class Card(msgspec.Struct, frozen=True):
    token: str
    card_id: str
    account: str
    bank_name: str
    last4: str
    holder: str
    code: str
    tries_left: int
    status: str  # "offered", "confirmed", "refused"


def offer(db: Db, ask: Offer, now_ms: int) -> Card:
    """Start binding: a one-fen deposit with a code appears on the customer's statement."""
    if not (luhn(ask.number) and 12 <= len(ask.number) <= 19):
        raise BankRefusal("number")
    bank_name = BANKS.get(ask.number[:6])
    if bank_name is None:
        raise BankRefusal("unknown_bank")
    if mode(ask.number[-4:]) is Mode.NOT_TAKEN:
        raise BankRefusal("not_taken")
    account = account_of(db, ask.number)
    known = first(Card, db.execute("select * from card where card_id = ?", (ask.card_id,)))
    if known is not None:
        if (known.account, known.holder, _binder(db, known)) != (
            account,
            ask.holder,
            ask.person_id,
        ):
            raise BankRefusal("id_reused")
        return known
    card = Card(
        token="tok_" + secrets.token_urlsafe(18),
        card_id=ask.card_id,
        account=account,
        bank_name=bank_name,
        last4=ask.number[-4:],
        holder=ask.holder,
        code=f"{secrets.randbelow(10_000):04d}",
        tries_left=MAX_TRIES,
        status="offered",
    )
    db.execute("insert into card values (?,?,?,?,?,?,?,?,?)", msgspec.structs.astuple(card))
    db.execute("insert into binder values (?, ?)", (card.token, ask.person_id))
    # The bank makes this deposit out of its own pocket: it is no part of the wallet's money.
    change(db, account, 1)
    line(db, account, now_ms, f"易支付 验证码 {card.code} · YiPay code", 1)
    return card


def confirm(db: Db, token: str, code: str) -> int:
    """0 when confirmed, else the tries that are left. The count must be kept: so no raise here."""
    card = card_of(db, token)
    if card is None or card.status == "refused" or not _binder(db, card):
        raise BankRefusal("micro_code_spent")
    if card.status == "confirmed" or hmac.compare_digest(card.code, code):
        db.execute("update card set status = 'confirmed' where token = ?", (token,))
        return 0
    left = card.tries_left - 1
    status = "offered" if left else "refused"
    db.execute("update card set tries_left = ?, status = ? where token = ?", (left, status, token))
    return left or -1


def card_of(db: Db, token: str) -> Card | None:
    return first(Card, db.execute("select * from card where token = ?", (token,)))


def binding(db: Db, token: str, signer: Signer) -> bytes:
    """The signed word that a card is confirmed."""
    card = card_of(db, token)
    assert card is not None, "it was confirmed"
    assert card.status == "confirmed", "it was confirmed"
    bound = CardStatement(card.card_id, _binder(db, card), token, card.bank_name, card.last4)
    return sign(card_message(bound), signer)


def _binder(db: Db, card: Card) -> str:
    """ "" of a card from before the bank asked: it is offered again."""
    found = db.execute("select person_id from binder where token = ?", (card.token,)).fetchone()
    return str(found[0]) if found else ""
