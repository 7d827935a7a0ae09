"""Verdicts that are decided at the same time share one signature."""

from collections.abc import Sequence

from backend import merkle
from backend.keys import Signer
from backend.verdict import SignedVerdict, Verdict, leaf, root_message


def sign_together(verdicts: Sequence[Verdict], signer: Signer) -> list[SignedVerdict]:
    """One signature over the root of the tree of their canonical bytes; each gets its path."""
    if not verdicts:
        return []
    root, paths = merkle.tree([leaf(v) for v in verdicts])
    signature = signer.sign(root_message(root))
    return [
        SignedVerdict(verdict, index, len(verdicts), path, signer.key_id, signature)
        for index, (verdict, path) in enumerate(zip(verdicts, paths, strict=True))
    ]


class Signatures:
    """Signed verdicts while they live, so that a repeated call gets the same bytes again.

    After a restart the same verdict is signed anew; it is as good for the ledger.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._live: dict[str, SignedVerdict] = {}  # in the order of signing: the oldest first

    def sign(self, verdicts: Sequence[Verdict], now_ms: int) -> list[SignedVerdict]:
        for known_id, known in list(self._live.items()):
            if known.verdict.expires_at_ms > now_ms:
                break
            del self._live[known_id]
        new = sign_together([v for v in verdicts if v.verdict_id not in self._live], self._signer)
        self._live.update((signed.verdict.verdict_id, signed) for signed in new)
        return [self._live[v.verdict_id] for v in verdicts]
