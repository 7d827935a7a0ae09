"""The log of decisions: every one, allowed or refused, with the bytes it was made of."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend import ids
from backend.canonical import canonical
from backend.clock import to_ms
from backend.db import SEC
from backend.intent import Intent, intent_hash
from backend.posting import posting_hash
from backend.risk.rules import RULE_VERSION
from backend.verdict import CHARGE_LIFE_MS, VERDICT_LIFE_MS, Verdict

PREPARE, AUTHORIZE, TOP_UP = "prepare", "authorize", "top_up"
REFUND_PREPARE, REFUND = "refund_prepare", "refund"
PAYOUT, PAYOUT_RETURN = "payout", "payout_return"
WITHDRAWAL_PREPARE, WITHDRAWAL = "withdrawal_prepare", "withdrawal"
WITHDRAWAL_RETURN = "withdrawal_return"
SHARE, POT_END = "share", "pot_end"

_DOMAIN = "decision/v1"


class Decision(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """code: of the refusal, "" where `verdict` allows. signals: of the assertion."""

    intent_id: str
    intent_hash: bytes
    stage: str
    code: str = ""
    level: str = ""
    rule_version: int = RULE_VERSION
    verdict: Verdict | None = None
    device_id: str = ""
    credential_id: bytes = b""
    signals: tuple[str, ...] = ()
    at_ms: int


_decisions = msgspec.msgpack.Decoder(Decision)


def allow(intent: Intent, level: str, now: datetime) -> Verdict:
    """For exactly the stored transfers, for a minute; for as long as a till waits, where one does:
    what is not in the books by then never comes there."""
    at_ms = to_ms(now)
    life_ms = CHARGE_LIFE_MS if intent.code == "shown" else VERDICT_LIFE_MS
    return Verdict(
        verdict_id=ids.new("vrd"),
        intent_hash=intent_hash(intent),
        posting_hash=posting_hash(intent.posting),
        decision="allow",
        level=level,
        rule_version=RULE_VERSION,
        issued_at_ms=at_ms,
        expires_at_ms=at_ms + life_ms,
    )


def parse(content: bytes) -> Decision:
    return _decisions.decode(content.partition(b"\n")[2])


async def last_allowed(intent_id: str) -> Verdict | None:
    rows = await SEC.query(
        "select content from risk.decision where intent_id = $1 and decision = 'allow' "
        "order by decision_seq desc limit 1",
        intent_id,
    )
    return parse(rows[0]["content"]).verdict if rows else None


async def record(decisions: Sequence[Decision], now: datetime) -> None:
    if not decisions:
        return
    await SEC.query(
        "insert into risk.decision (intent_id, stage, decision, code, level, verdict_id, content, "
        "decided_at) select u.intent_id, u.stage, "
        "case when u.verdict_id is null then 'refuse' else 'allow' end, u.code, u.level, "
        "u.verdict_id, u.content, $7 from unnest($1::text[], $2::text[], $3::text[], $4::text[], "
        "$5::text[], $6::bytea[]) as u (intent_id, stage, code, level, verdict_id, content)",
        [d.intent_id for d in decisions],
        [d.stage for d in decisions],
        [d.code for d in decisions],
        [d.level for d in decisions],
        [d.verdict.verdict_id if d.verdict else None for d in decisions],
        [canonical(_DOMAIN, d) for d in decisions],
        now,
    )
