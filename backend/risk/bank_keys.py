"""The keys with which the bank signs its word."""

from collections.abc import Mapping
from pathlib import Path

from backend import keys


class BankKeys:
    """The bank's published keys, read again when a key id is unknown."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: Mapping[str, bytes] = {}

    def of(self, key_id: str) -> bytes | None:
        """Raw Ed25519, 32 bytes."""
        if key_id not in self._keys:
            self._keys = keys.published(self._path)
        return self._keys.get(key_id)
