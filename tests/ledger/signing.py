"""Verdicts for tests: what the security system would sign, signed in trees as it does."""

from collections.abc import Sequence
from pathlib import Path

from backend import keys, merkle
from backend.clock import Clock, SystemClock, to_ms
from backend.ids import new
from backend.keys import FileSigner
from backend.ledger import Post
from backend.posting import Posting, posting_hash
from backend.settings import Settings
from backend.verdict import VERDICT_LIFE_MS, SignedVerdict, Verdict, leaf, root_message


class Authority:
    """Signs anything. Its public key is published where the ledger looks."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, *, published: bool = True
    ) -> None:
        self._clock = clock or SystemClock()
        self.signer = FileSigner(Path(settings.keys_dir), "verdict" if published else "stranger")
        if published:
            keys.publish(Path(settings.verdict_keys), self.signer)

    def allow(
        self,
        posting: Posting,
        *,
        verdict_id: str = "",
        decision: str = "allow",
        life_ms: int = VERDICT_LIFE_MS,
    ) -> SignedVerdict:
        now = to_ms(self._clock.now())
        verdict = Verdict(
            verdict_id or new("ver"), bytes(32), posting_hash(posting), decision, "A", 1, now,
            now + life_ms,
        )  # fmt: skip
        return self.sign([verdict])[0]

    def sign(self, verdicts: Sequence[Verdict]) -> list[SignedVerdict]:
        root, paths = merkle.tree([leaf(v) for v in verdicts])
        signature = self.signer.sign(root_message(root))
        return [
            SignedVerdict(v, i, len(verdicts), path, self.signer.key_id, signature)
            for i, (v, path) in enumerate(zip(verdicts, paths, strict=True))
        ]

    def posts(self, postings: Sequence[Posting]) -> list[Post]:
        """Each with its verdict, all under one signature."""
        now = to_ms(self._clock.now())
        verdicts = [
            Verdict(new("ver"), bytes(32), posting_hash(p), "allow", "A", 1, now, now + 60_000)
            for p in postings
        ]
        return [Post(p, v) for p, v in zip(postings, self.sign(verdicts), strict=True)]

    def post(self, posting: Posting) -> Post:
        return Post(posting, self.allow(posting))
