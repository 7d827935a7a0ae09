"""What a bank says about one order, or one card, in bytes it signs. Banking carries it; risk
verifies it."""

import msgspec

from backend.canonical import canonical


class BankStatement(msgspec.Struct, frozen=True, array_like=True):
    """outcome: "paid" or "refused"."""

    order_id: str  # the caller's id: the top-up's
    person_id: str
    amount_fen: int
    currency: str
    outcome: str
    decided_at_ms: int
    token: str = ""  # of the card; "" in words from before it was said


class CardStatement(msgspec.Struct, frozen=True, array_like=True):
    """The bank's customer typed the code of the deposit in this person's wallet."""

    card_id: str  # the caller's id
    person_id: str
    token: str  # what orders name the card by
    bank_name: str
    last4: str


def message(statement: BankStatement) -> bytes:
    """The bytes that the bank signs (Ed25519)."""
    return canonical("bank/v1", statement)


def card_message(statement: CardStatement) -> bytes:
    """The bytes that the bank signs (Ed25519)."""
    return canonical("bank-card/v1", statement)


_PREFIX = b"yipay/bank/v1\n"
_CARD_PREFIX = b"yipay/bank-card/v1\n"


def parse(signed: bytes) -> BankStatement | None:
    """The statement inside the signed bytes; None if they are of another form."""
    if not signed.startswith(_PREFIX):
        return None
    try:
        return msgspec.msgpack.decode(signed.removeprefix(_PREFIX), type=BankStatement)
    except msgspec.MsgspecError:
        return None


def parse_card(signed: bytes) -> CardStatement | None:
    """As `parse`, of a card."""
    if not signed.startswith(_CARD_PREFIX):
        return None
    try:
        return msgspec.msgpack.decode(signed.removeprefix(_CARD_PREFIX), type=CardStatement)
    except msgspec.MsgspecError:
        return None
