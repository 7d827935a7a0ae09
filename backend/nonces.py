"""Server nonces of DPoP (RFC 9449 §8): a proof can't be made long ahead of its use.

Each is made from its stretch of time by a key, so nothing is stored and all processes agree. It is
also made from the id of what remembers spent proofs: when that was lost, no proof of before is
taken any more (`memory_id` is set anew then).
"""

import hmac
from functools import cached_property
from pathlib import Path

from backend.base64url import base64url
from backend.clock import Clock
from backend.keys import secret_key

KEY = "nonce"
STRETCH_S = 150  # a nonce is good for its stretch and the one after
BYTES = 18


class Nonces:
    def __init__(self, keys: Path, clock: Clock, memory_id: str) -> None:
        self._keys, self._clock, self.memory_id = keys, clock, memory_id

    @cached_property
    def _key(self) -> bytes:
        return secret_key(self._keys, KEY)

    def current(self) -> str:
        return self._of(self._stretch())

    def is_good(self, nonce: str) -> bool:
        now = self._stretch()
        given = nonce.encode()
        return any(hmac.compare_digest(given, self._of(n).encode()) for n in (now, now - 1))

    def _stretch(self) -> int:
        return int(self._clock.now().timestamp()) // STRETCH_S

    def _of(self, stretch: int) -> str:
        said = f"nonce\n{stretch}\n{self.memory_id}".encode()
        return base64url(hmac.digest(self._key, said, "sha256")[:BYTES])
