"""The latest outcomes by posting id, so that a prompt repeat needs no look into the books."""

from backend.ledger import Outcome

GENERATION = 25_000


class Memory:
    """Two generations: when the young one is full, the old one is dropped whole."""

    def __init__(self) -> None:
        self._young: dict[str, tuple[bytes, Outcome]] = {}
        self._old: dict[str, tuple[bytes, Outcome]] = {}

    def get(self, posting_id: str) -> tuple[bytes, Outcome] | None:
        return self._young.get(posting_id) or self._old.get(posting_id)

    def put(self, posting_id: str, content_hash: bytes, outcome: Outcome) -> None:
        if len(self._young) >= GENERATION:
            self._old, self._young = self._young, {}
        self._young[posting_id] = (content_hash, outcome)
