"""Cards as the bank has told them to us. What leaves for a card goes to the one we know, or not."""

from datetime import datetime

import msgspec

from backend import bankword
from backend.db import SEC
from backend.errors import IdReused
from backend.intent import Intent
from backend.risk import (
    BankWord,
    BankWordInvalid,
    CardMismatch,
)
from backend.risk.auditor import alarms
from backend.risk.auditor.findings import Finding
from backend.risk.events import record
from backend.risk.parts import Parts
from backend.risk.top_up import signed_by_bank

ALARM = "card_mismatch"


class BankCard(msgspec.Struct, frozen=True):
    card_id: str
    person_id: str
    token: str
    bank_name: str
    last4: str

    @property
    def name(self) -> str:
        """As people see it, and as their passkey signs it."""
        return f"{self.bank_name} {self.last4}"[:64]


async def bind(parts: Parts, word: BankWord) -> None:
    said = bankword.parse_card(word.message)
    if said is None or not signed_by_bank(parts.bank_keys, word):
        raise BankWordInvalid()
    card = BankCard(said.card_id, said.person_id, said.token, said.bank_name, said.last4)
    now = parts.clock.now()
    async with SEC.transaction():
        made = await SEC.query(
            "insert into risk.bank_card (card_id, person_id, token, bank_name, last4, word, "
            "key_id, signature, bound_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
            "on conflict do nothing returning card_id",
            *msgspec.structs.astuple(card),
            word.message,
            word.key_id,
            word.signature,
            now,
        )
        if made:
            await record(card.person_id, "", ["card_bound"], now)
        elif await find(card.card_id) != card:
            raise IdReused()


async def find(card_id: str) -> BankCard | None:
    return await SEC.one(
        BankCard,
        "select card_id, person_id, token, bank_name, last4 from risk.bank_card where card_id = $1",
        card_id,
    )


async def of_intent(intent: Intent, owner_id: str, now: datetime) -> BankCard:
    """Where the intent sends money: the token, and the name that its owner is shown.

    Refuses: CardMismatch, with an alarm, unless it is a card of that person.
    """
    card = await SEC.one(
        BankCard,
        "select card_id, person_id, token, bank_name, last4 from risk.bank_card where token = $1",
        intent.payee_id,
    )
    if card is None or (card.person_id, card.name) != (owner_id, intent.payee_name):
        await alarm(intent, now)
        raise CardMismatch()
    return card


async def alarm(intent: Intent, now: datetime) -> None:
    """Only somebody who writes other cards into the transaction system's tables gets here."""
    found = Finding(ALARM, intent.intent_id, frozenset({intent.source}))
    async with SEC.transaction():
        await alarms.raise_unless_known(found, now)
