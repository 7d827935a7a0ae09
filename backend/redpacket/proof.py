"""Checking a packet: everything from public data, as anybody could."""

from typing import Any

import msgspec

from backend.db import TX
from backend.errors import NotFound
from backend.redpacket import MAX_SHARE_FEN, PacketNotEnded, Proof, Verified
from backend.redpacket.rows import ENDED, find_packet
from backend.redpacket.shares import SEED_BYTES, all_shares, commitment

MAX_PROOF_BYTES = 65_536
PUBLIC = (
    "select amount_fen from redpacket.share where packet_id = $1 order by position"  # void ones too
)


async def proof_of(packet_id: str) -> Proof:
    """Refuses: NotFound, PacketNotEnded."""
    row = await find_packet(packet_id)
    if row is None or row.status in ("created", "refused", "lapsed"):
        raise NotFound()
    if row.status not in ENDED:
        raise PacketNotEnded()
    amounts = await TX.query(PUBLIC, packet_id)
    return Proof(
        packet_id=packet_id,
        kind=row.kind,
        total_fen=row.total_fen,
        count=row.count,
        seed_hash=row.seed_hash.hex(),
        seed=row.seed.hex(),
        amounts=tuple(amount["amount_fen"] for amount in amounts),
    )


class Unreadable(ValueError):
    """This is no proof of a packet."""


class _Amount(msgspec.Struct, frozen=True):
    amount: int


class _File(msgspec.Struct, frozen=True):
    """What is downloaded; what it says of the result is not believed."""

    packet: str
    kind: str
    amount: _Amount
    count: int
    seed_hash: str
    seed: str
    amounts: tuple[int, ...]


def from_file(data: bytes) -> Proof:
    """Refuses by raising Unreadable."""
    try:
        found = msgspec.json.decode(data[:MAX_PROOF_BYTES], type=_File)
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)) from None
    given: dict[str, Any] = msgspec.structs.asdict(found)
    given |= {"packet_id": given.pop("packet"), "total_fen": given.pop("amount").amount}
    return Proof(**given)


def verified(proof: Proof) -> Verified:
    """Pure. A seed that is no seed fits nothing, and makes every share wrong."""
    try:
        seed = bytes.fromhex(proof.seed)
    except ValueError:
        seed = b""
    sound = (
        len(seed) == SEED_BYTES
        and 1 <= proof.count <= proof.total_fen <= proof.count * MAX_SHARE_FEN
        and (proof.kind in ("lucky", "passcode") or proof.total_fen % proof.count == 0)
        and len(proof.amounts) <= proof.count
    )
    if not sound:
        everything = tuple(range(len(proof.amounts)))
        return Verified(proof=proof, seed_fits=False, shares=(), wrong=everything)
    shares = all_shares(proof.kind, seed, proof.packet_id, proof.total_fen, proof.count)
    return Verified(
        proof=proof,
        seed_fits=commitment(seed, proof.packet_id).hex() == proof.seed_hash,
        shares=tuple(shares),
        wrong=tuple(n for n, amount in enumerate(proof.amounts) if amount != shares[n]),
    )


def report(found: Verified) -> list[str]:
    """Lines for a terminal: what was committed to, each share, and whether all is as it must be."""
    proof = found.proof
    lines = [
        f"{proof.packet_id} {proof.kind}: {proof.total_fen} fen in {proof.count} shares",
        f"commitment {proof.seed_hash}",
        f"seed       {proof.seed} {'fits' if found.seed_fits else 'DOES NOT FIT'}",
    ]
    for position, amount in enumerate(proof.amounts):
        expected = found.shares[position] if position < len(found.shares) else 0
        mark = f"WRONG, must be {expected}" if position in found.wrong else "as computed"
        lines.append(f"{position:3} {amount:6} {mark}")
    return [*lines, "fair" if found.fair else "NOT FAIR"]
