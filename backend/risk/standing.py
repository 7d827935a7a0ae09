"""What was allowed before under an id, for what may be allowed again when its verdict has ended."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.clock import to_ms
from backend.db import SEC
from backend.risk import decisions
from backend.risk.refusals import IntentUsed
from backend.verdict import Verdict

_SQL = """
select q.intent_id, i.content, a.content as allowed, r.asked, s.seen
from unnest($1::text[]) as q (intent_id)
cross join lateral (select content from risk.intent where intent_id = q.intent_id limit 1) i
left join lateral (select content from risk.decision where intent_id = q.intent_id
    and decision = 'allow' order by decision_seq desc limit 1) a on true
left join lateral (select coalesce(release_asked_at, released_at) is not null as asked
    from risk.reservation where intent_id = q.intent_id limit 1) r on true
left join lateral (select true as seen from risk.audit_posting
    where posting_id = q.intent_id limit 1) s on true
"""


class Standing(msgspec.Struct, frozen=True):
    """content: of the intent. over: asked back, or seen in the books, posted or refused."""

    content: bytes
    verdict: Verdict | None
    over: bool
    asked_back: bool

    def verdict_at(self, now: datetime) -> Verdict | None:
        """The one that lives; None: a new one may be given. Refuses: IntentUsed."""
        lives = self.verdict is not None and self.verdict.expires_at_ms > to_ms(now)
        if self.asked_back or (self.over and not lives):
            raise IntentUsed()
        return self.verdict if lives else None


async def standing_of(intent_ids: Sequence[str]) -> dict[str, Standing]:
    """By id; what was never allowed is not in it."""
    rows = await SEC.query(_SQL, list(intent_ids))
    return {
        row["intent_id"]: Standing(
            row["content"],
            decisions.parse(row["allowed"]).verdict if row["allowed"] is not None else None,
            bool(row["asked"] or row["seen"]),
            bool(row["asked"]),
        )
        for row in rows
    }
