"""`yipay audit`: two proofs of the books that share no code of judgement.

The ledger's own, which recomputes everything from the postings, and the security system's, which
holds the tables against its own record.
"""

from pathlib import Path

import msgspec

from backend.db import BOOKS, SEC
from backend.keys import published
from backend.ledger.audit import Proof
from backend.ledger.audit import audit as prove
from backend.risk.auditor.full import AuditReport, verify
from backend.settings import Settings


class Audit(msgspec.Struct, frozen=True):
    """Both reports. In order when neither found anything."""

    ledger: Proof
    security: AuditReport

    def findings(self) -> list[str]:
        """A line for each finding, ids only."""
        own = [f"ledger: {fault.kind} {fault.subject}" for fault in self.ledger.faults]
        return own + [f"security: {f.kind} {f.detail}" for f in self.security.findings]

    def summary(self) -> str:
        proof = self.ledger
        seen = f"{proof.postings} postings, {proof.entries} entries, {proof.accounts} accounts"
        count = len(self.findings())
        return f"{seen}: {f'{count} findings' if count else 'the books are in order'}"


async def run(settings: Settings) -> Audit:
    """Reads only, while everything goes on. Needs `books_url` and `sec_url`."""
    await BOOKS.open(settings.books_url, size=2)
    await SEC.open(settings.sec_url, size=2)
    try:
        keys = published(Path(settings.verdict_keys))
        return Audit(await prove(BOOKS, keys), await verify(keys))
    finally:
        await SEC.close()
        await BOOKS.close()
