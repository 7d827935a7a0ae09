"""What a bank says about one order, in bytes it signs. Banking carries it; risk verifies it."""

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


def message(statement: BankStatement) -> bytes:
    """The bytes that the bank signs (Ed25519)."""
    return canonical("bank/v1", statement)


_PREFIX = b"yipay/bank/v1\n"


def parse(signed: bytes) -> BankStatement | None:
    """The statement inside the signed bytes; None if they are of another form."""
    if not signed.startswith(_PREFIX):
        return None
    try:
        return msgspec.msgpack.decode(signed.removeprefix(_PREFIX), type=BankStatement)
    except msgspec.MsgspecError:
        return None
