"""What became of intents whose limits the transaction system asked back.

Its word alone gives nothing back: whoever speaks for it could pay, ask back, and pay again. The
auditor's own books tell.
"""

from datetime import datetime, timedelta

from backend import ids
from backend.db import SEC
from backend.risk import pot_releases, reservations
from backend.risk.auditor.alarms import raise_alarm
from backend.risk.auditor.findings import Finding
from backend.risk.pot_forms import account_of, is_pot
from backend.verdict import VERDICT_LIFE_MS

UNUSED_AFTER = timedelta(milliseconds=VERDICT_LIFE_MS, seconds=30)  # and a slow commit
WATCHED_FOR = timedelta(days=1)
MAX_AT_ONCE = 500

_DUE = f"""
select r.intent_id, r.person_id, p.journal_seq from risk.reservation r
left join risk.audit_posting p on p.posting_id = r.intent_id
where r.release_asked_at is not null and (p.posting_id is not null or r.release_asked_at < $1
    or (r.released_at is null and not exists (select 1 from risk.decision d
        where d.intent_id = r.intent_id and d.decision = 'allow' and d.decided_at > $2)))
order by r.release_asked_at limit {MAX_AT_ONCE}"""  # noqa: S608 — a constant


async def settle_releases(now: datetime) -> None:
    """After what had come by `now` was judged. Each of its own, under its payer's lock."""
    for row in await SEC.query(_DUE, now - WATCHED_FOR, now - UNUSED_AFTER):
        intent_id, journal_seq = row["intent_id"], row["journal_seq"]
        async with SEC.transaction():
            await reservations.lock([intent_id])
            await pot_releases.lock_of(intent_id)
            if journal_seq:
                await reservations.take_again(intent_id)
                detail = f"posting {journal_seq} of {intent_id}"
                account = frozenset({_account(row["person_id"])})
                await raise_alarm(Finding("posted_after_release", detail, account), now)
            else:
                await reservations.give_back(intent_id, now)
            if journal_seq is not None or await _watched_enough(intent_id, now):
                await SEC.query(
                    "update risk.reservation set release_asked_at = null where intent_id = $1",
                    intent_id,
                )


def _account(payer_id: str) -> str:
    """Of a person, of the shop whose refund or payout it was, or of the pot that it came out of."""
    if is_pot(payer_id):
        return account_of(payer_id)
    return f"{'shop' if ids.is_id(payer_id, 'mch') else 'person'}:{payer_id}"


async def _watched_enough(intent_id: str, now: datetime) -> bool:
    rows = await SEC.query(
        "select 1 from risk.reservation where intent_id = $1 and release_asked_at < $2",
        intent_id,
        now - WATCHED_FOR,
    )
    return bool(rows)
