"""An intent: who, to whom, how much, why. Stored once, never changed; a passkey signs its hash."""

from typing import Annotated

import msgspec

from backend.canonical import digest
from backend.money import Amount
from backend.posting import AccountId, Posting


class PotTerms(msgspec.Struct, frozen=True, array_like=True):
    """Of money put aside: who may get it, in how many shares, until when; part of what is signed.

    to: a person's id, a group's id, or "" (whoever has the link). seed_hash: of the secret from
    which a packet's shares are derived.
    """

    to: str
    shares: int
    until_ms: int
    seed_hash: bytes = b""


class Intent(msgspec.Struct, frozen=True, array_like=True):
    """`intent_id` is the caller's id, the same from the first form to the ledger row."""

    intent_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    kind: str  # "pay", "transfer", "topup", "refund", …: a closed set that risk knows
    payer_id: str  # person id, or "bank" for a top-up
    payee_id: str  # person or shop id, or the bank's token of a card
    payee_name: Annotated[str, msgspec.Meta(max_length=64)]  # as shown to the payer
    amount_fen: Amount
    fee_fen: int  # paid by the payee, inside the amount
    source: AccountId  # where the money comes from
    # how the payee was given: "dynamic", "static", "shown" (a payment code), "none"; of a
    # withdrawal how soon it goes: "instant", "next_day"
    code: str
    posting: Posting  # the exact transfers asked for
    expires_at_ms: int
    nonce: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    currency: str = "CNY"
    terms: PotTerms | None = None  # of kinds "packet" and "delayed"


def intent_hash(intent: Intent) -> bytes:
    """32 bytes: the WebAuthn challenge, and what the verdict names."""
    return digest("pay/v1", intent)
