"""The security system's leave for one order of ours to pay out; a bank pays on nothing less.

No verdict stands for it: a verdict says what may leave an account, this says that it has left.
"""

from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend.canonical import canonical

LEAVE_LIFE_MS = 300_000  # for the way to the bank, with clocks that differ a little


class Order(msgspec.Struct, frozen=True):
    """What the bank is asked for. owner_id: whom its word names."""

    order_id: str
    token: str  # of the card, the bank's own
    owner_id: str
    amount_fen: int


class LeaveStatement(msgspec.Struct, frozen=True, array_like=True):
    order_id: str
    token: str
    owner_id: str
    amount_fen: int
    issued_at_ms: int
    expires_at_ms: int

    @property
    def order(self) -> Order:
        return Order(self.order_id, self.token, self.owner_id, self.amount_fen)


class Leave(msgspec.Struct, frozen=True, array_like=True):
    statement: LeaveStatement
    key_id: str
    signature: bytes


def message(statement: LeaveStatement) -> bytes:
    """The bytes that the security system signs (Ed25519): nothing else begins as they do."""
    return canonical("bank-leave/v1", statement)


def fault(leave: Leave, order: Order, keys: Mapping[str, bytes], now_ms: int) -> str:
    """Why it is no leave for this order, or "". `keys`: raw Ed25519 keys by key id.

    One of "key", "signature", "order", "expired".
    """
    key = keys.get(leave.key_id)
    if key is None:
        return "key"
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(leave.signature, message(leave.statement))
    except InvalidSignature:
        return "signature"
    if leave.statement.order != order:
        return "order"
    return "" if now_ms < leave.statement.expires_at_ms else "expired"
