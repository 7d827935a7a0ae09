"""A signed receipt: what moved, and the security system's signature for exactly that.

It verifies offline with the published verdict keys, and nothing stands in it that is not signed:
what a person reads is derived from the signed bytes in `proof`, so any change of it shows.

    posting  canonical bytes of the transfers; their SHA-256 stands in the verdict
    intent   canonical bytes of who wanted what, and to whom; likewise
    verdict  canonical bytes of the decision: the leaf of an RFC 6962 tree
    path     to the root of that tree; each step "L" or "R" (the side of the sibling) and its hash
    signature  Ed25519 over "yipay/verdict-root/v1\\n" ‖ root, by key_id

What is signed is the leave to move this money once, within a minute of `decided`. That it did move
is what the books say; a receipt is given out only after that.
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from backend import chain, merkle
from backend.canonical import canonical
from backend.clock import from_ms
from backend.intent import Intent
from backend.money import yuan
from backend.posting import Op, Posting
from backend.verdict import SignedVerdict, Verdict, leaf, root_message

MAX_RECEIPT_BYTES = 256 * 1024
HASH_BYTES = 32

FAULTS = {
    "form": "this is no receipt of YiPay",
    "key": "the key that signed it is not among the published ones",
    "signature": "the security system did not sign this",
    "posting": "the transfers are not those that were signed",
    "intent": "payer, payee or purpose are not those that were signed",
    "decision": "the security system did not allow it",
    "text": "what it says is not what was signed",
}

_INTENT_PREFIX = b"yipay/pay/v1\n"
_VERDICT_PREFIX = b"yipay/verdict/v1\n"
_MOVING = frozenset({Op.MOVE, Op.CAPTURE})

T = TypeVar("T")


class Sum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whole fen."""

    amount: int
    currency: str


class Party(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """name: as it was shown to the payer; "" where nobody was shown one."""

    id: str
    name: str


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    debit: str
    credit: str
    amount: int  # fen
    op: str


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unpadded base64url."""

    posting: str
    intent: str
    verdict: str
    path: tuple[str, ...]
    key_id: str
    signature: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """id: of the posting. account: whose receipt it is, with what came into it and left it.
    decided: when the security system signed, RFC 3339. level: of the payer's proof."""

    object: Literal["receipt"]
    version: Literal[1]
    id: str
    reason: str
    account: str
    direction: str
    came_in: Sum
    went_out: Sum
    payer: Party
    payee: Party
    transfers: tuple[Line, ...]
    decided: str
    happened: str | None  # of what was entered later than it happened, else null
    level: str
    verdict_id: str
    proof: Proof


class Broken(ValueError):
    """The receipt proves nothing; `fault` is one of FAULTS."""

    def __init__(self, fault: str) -> None:
        super().__init__(FAULTS[fault])
        self.fault = fault


def write(account: str, posting: bytes, intent: bytes, signed: SignedVerdict) -> Receipt:
    """Of sound parts. posting, intent: their canonical bytes. account: of the posting."""
    steps = merkle.steps_of(signed.index, signed.size, signed.path)
    proof = Proof(
        posting=_text(posting),
        intent=_text(intent),
        verdict=_text(canonical("verdict/v1", signed.verdict)),
        path=tuple(("L" if left else "R") + _text(sibling) for left, sibling in steps),
        key_id=signed.key_id,
        signature=_text(signed.signature),
    )
    return _told(account, proof)


def encode(receipt: Receipt) -> bytes:
    """The file: JSON for people and machines."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"


def verify(file: bytes, keys: Mapping[str, bytes]) -> Receipt:
    """The receipt, if all of it is signed. keys: raw Ed25519 keys by key id. Raises Broken."""
    receipt = _read(file)
    proof = receipt.proof
    verdict = _verdict(proof)
    key = keys.get(proof.key_id)
    if key is None:
        raise Broken("key")
    if not _signed(key, verdict, proof):
        raise Broken("signature")
    if sha256(_bytes(proof.posting)).digest() != verdict.posting_hash:
        raise Broken("posting")
    intent = _intent(proof)
    fits = sha256(_bytes(proof.intent)).digest() == verdict.intent_hash
    if not fits or intent.posting != _posting(proof):
        raise Broken("intent")
    if verdict.decision != "allow":
        raise Broken("decision")
    if _told(receipt.account, proof) != receipt:
        raise Broken("text")
    return receipt


def report(receipt: Receipt) -> list[str]:
    """Lines for a terminal."""
    payee = f"{receipt.payee.name} {receipt.payee.id}".strip()
    return [
        f"{receipt.id} {receipt.reason}, allowed {receipt.decided}, level {receipt.level}",
        f"from {receipt.payer.id} to {payee}",
        *(
            f"  {line.debit} -> {line.credit} {yuan(line.amount)} {receipt.came_in.currency}"
            for line in receipt.transfers
        ),
        f"{receipt.account}: in {yuan(receipt.came_in.amount)},"
        f" out {yuan(receipt.went_out.amount)}",
        f"signed by {receipt.proof.key_id}",
        "genuine",
    ]


def _told(account: str, proof: Proof) -> Receipt:
    """What the signed bytes say. Raises Broken."""
    posting, intent, verdict = _posting(proof), _intent(proof), _verdict(proof)
    moving = [t for t in posting.transfers if t.op in _MOVING]
    came_in = sum(t.amount_fen for t in moving if t.credit == account)
    went_out = sum(t.amount_fen for t in moving if t.debit == account)
    if not came_in and not went_out:
        raise Broken("text")
    return Receipt(
        object="receipt",
        version=1,
        id=posting.posting_id,
        reason=posting.reason,
        account=account,
        direction="in" if came_in > went_out else "out",
        came_in=Sum(amount=came_in, currency=posting.currency),
        went_out=Sum(amount=went_out, currency=posting.currency),
        payer=Party(id=intent.payer_id, name=""),
        payee=Party(id=intent.payee_id, name=intent.payee_name),
        transfers=tuple(
            Line(debit=t.debit, credit=t.credit, amount=t.amount_fen, op=t.op.value)
            for t in posting.transfers
        ),
        decided=_time(from_ms(verdict.issued_at_ms)),
        happened=_time(from_ms(posting.event_at_ms)) if posting.event_at_ms else None,
        level=verdict.level,
        verdict_id=verdict.verdict_id,
        proof=proof,
    )


def _read(file: bytes) -> Receipt:
    if len(file) > MAX_RECEIPT_BYTES:
        raise Broken("form")
    try:
        json.loads(file, object_pairs_hook=_once_each)
        return msgspec.json.decode(file, type=Receipt)
    except (ValueError, RecursionError):
        raise Broken("form") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name told twice would be read by people as its first value, by machines as its last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _posting(proof: Proof) -> Posting:
    try:
        return chain.posting_of(_bytes(proof.posting))
    except msgspec.MsgspecError:
        raise Broken("form") from None


def _intent(proof: Proof) -> Intent:
    return _decoded(_bytes(proof.intent), _INTENT_PREFIX, Intent)


def _verdict(proof: Proof) -> Verdict:
    return _decoded(_bytes(proof.verdict), _VERDICT_PREFIX, Verdict)


def _decoded(raw: bytes, prefix: bytes, kind: type[T]) -> T:
    if not raw.startswith(prefix):
        raise Broken("form")
    try:
        return msgspec.msgpack.decode(raw[len(prefix) :], type=kind)
    except msgspec.MsgspecError:
        raise Broken("form") from None


def _signed(key: bytes, verdict: Verdict, proof: Proof) -> bool:
    steps = []
    for step in proof.path:
        side, sibling = step[:1], _bytes(step[1:])
        if side not in ("L", "R") or len(sibling) != HASH_BYTES:
            raise Broken("form")
        steps.append((side == "L", sibling))
    root = merkle.root_from_steps(leaf(verdict), steps)
    try:
        signature = _bytes(proof.signature)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, root_message(root))
    except InvalidSignature:
        return False
    return canonical("verdict/v1", verdict) == _bytes(proof.verdict)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Spelled in the one right way. Raises Broken."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise Broken("form") from None
    if _text(raw) != text:
        raise Broken("form")
    return raw


def _time(at: datetime) -> str:
    """RFC 3339 with Z and milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
