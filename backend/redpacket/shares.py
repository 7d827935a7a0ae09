"""What each share of a packet is, computed as `backend.redpacket.FORMULA` says."""

import hmac
import struct
from hashlib import sha256

from backend.redpacket import MAX_SHARE_FEN, MIN_SHARE_FEN

SEED_BYTES = 32
_COMMIT = b"yipay/packet-seed/v1\n"
_SHARE = b"yipay/packet-share/v1\n"
_RANGE = 1 << 64
_ROUND, _SIZE = 0, 1  # what a draw is for


def commitment(seed: bytes, packet_id: str) -> bytes:
    """32 bytes that bind the sender's service to the seed and tell nothing of it."""
    assert len(seed) == SEED_BYTES, "a seed has 32 bytes"
    return sha256(_COMMIT + seed + packet_id.encode()).digest()


def lucky_share(seed: bytes, packet_id: str, position: int, rest: int, left: int) -> int:
    """Fen of the share at `position`, with `rest` fen for `left` people, this one included."""
    assert left >= 1
    assert left * MIN_SHARE_FEN <= rest <= left * MAX_SHARE_FEN, "it can be shared out"
    if left == 1:
        return rest
    low = max(MIN_SHARE_FEN, rest - MAX_SHARE_FEN * (left - 1))
    high = min(MAX_SHARE_FEN, rest - MIN_SHARE_FEN * (left - 1))
    draws = _Draws(seed, packet_id, position)
    if rest - left * low <= left * high - rest:  # the mean is nearer to the lower end
        high, over = divmod(2 * rest - left * low, left)
        high += draws.below(_ROUND, left) < over
    else:
        low, over = divmod(2 * rest - left * high, left)
        low += draws.below(_ROUND, left) < over
    return low + draws.below(_SIZE, high - low + 1)


def lucky_shares(seed: bytes, packet_id: str, total: int, count: int) -> list[int]:
    """All of a packet's shares, in the order of opening."""
    shares: list[int] = []
    for position in range(count):
        rest = total - sum(shares)
        shares.append(lucky_share(seed, packet_id, position, rest, count - position))
    return shares


def all_shares(kind: str, seed: bytes, packet_id: str, total: int, count: int) -> list[int]:
    """As the packet's kind says."""
    if is_lucky(kind):
        return lucky_shares(seed, packet_id, total, count)
    assert total % count == 0, "equal shares are whole fen"
    return [total // count] * count


def is_lucky(kind: str) -> bool:
    return kind in ("lucky", "passcode")


class _Draws:
    """Whole numbers of one position, each below its bound."""

    def __init__(self, seed: bytes, packet_id: str, position: int) -> None:
        self._seed = seed
        self._prefix = _SHARE + packet_id.encode() + b"\n" + struct.pack(">I", position)

    def below(self, draw: int, bound: int) -> int:
        end = _RANGE - _RANGE % bound
        attempt = 0
        while (number := self._number(draw, attempt)) >= end:
            attempt += 1  # the chance is less than bound / 2^64
        return number % bound

    def _number(self, draw: int, attempt: int) -> int:
        message = self._prefix + struct.pack(">II", draw, attempt)
        return int.from_bytes(hmac.digest(self._seed, message, "sha256")[:8], "big")
