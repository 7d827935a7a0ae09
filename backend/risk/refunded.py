"""What is stored of payments and their refunds."""

import asyncio
from contextlib import suppress
from datetime import datetime

import msgspec

from backend.db import SEC
from backend.intent import Intent
from backend.risk import IntentInvalid, PrepareRefund, intents
from backend.risk.refund_rules import Alone, Paid
from backend.risk.rules import day_of

SEEN_WITHIN_S = 2.0
LOOK_EVERY_S = 0.05

# A payment that the ledger refused, or whose limits were given back because it was never posted,
# has nothing to refund. Where an auditor follows the books, only what it has seen posted has: that
# a payment was allowed moved no money yet.
_PAID = """
select i.content, d.decided_at, c.charged_by,
    (select system_id = '' from risk.audit_state) or exists (
        select 1 from risk.audit_posting where posting_id = $1 and journal_seq > 0) as seen,
    coalesce(sum(o.amount_fen), 0)::bigint as refunded_fen,
    coalesce(sum(o.amount_fen) filter (where o.release_asked_at is not null), 0)::bigint
        as doubtful_fen
from risk.intent i
join risk.decision d on d.intent_id = i.intent_id and d.decision = 'allow' and d.stage = 'authorize'
join risk.reservation r on r.intent_id = i.intent_id and r.released_at is null
    and r.release_asked_at is null
left join risk.reservation o on o.refund_of = i.intent_id and o.released_at is null
    and o.intent_id <> $2
left join risk.pay_code c on c.payment_id = i.intent_id
where i.intent_id = $1 and i.kind = 'pay' and not exists (
    select 1 from risk.audit_posting where posting_id = $1 and journal_seq = 0)
group by i.content, d.decided_at, c.charged_by
"""


class Asked(msgspec.Struct, frozen=True):
    """A refund as it was prepared."""

    intent: Intent
    payment_id: str
    actor_id: str
    reversal: bool

    @classmethod
    def of(cls, asked: PrepareRefund) -> "Asked":
        return cls(asked.intent, asked.payment_id, asked.actor_id, asked.reversal)


class _PaidRow(msgspec.Struct, frozen=True):
    content: bytes
    decided_at: datetime
    charged_by: str | None
    seen: bool
    refunded_fen: int
    doubtful_fen: int


class _StoredRow(msgspec.Struct, frozen=True):
    content: bytes
    payment_id: str
    actor_id: str
    reversal: bool


async def payment_of(payment_id: str, but_refund_id: str) -> Paid | None:
    """None: there is no such payment that was allowed and stands."""
    row = await SEC.one(_PaidRow, _PAID, payment_id, but_refund_id)
    if row is None:
        return None
    return Paid(
        intents.parse(row.content),
        row.decided_at,
        row.refunded_fen,
        row.doubtful_fen,
        row.charged_by or "",
        row.seen,
    )


async def await_posting(payment_id: str) -> None:
    """The auditor is a moment behind the books; who refunds at once shall not notice. Outside a
    transaction. What is not there after a while, `check` refuses."""
    with suppress(TimeoutError):
        async with asyncio.timeout(SEEN_WITHIN_S):
            while not await _is_seen(payment_id):  # noqa: ASYNC110 — another process sees it
                await asyncio.sleep(LOOK_EVERY_S)


async def _is_seen(payment_id: str) -> bool:
    """True also for what was never allowed: it need not be waited for."""
    [row] = await SEC.query(
        "select (select system_id = '' from risk.audit_state) or exists ("
        "select 1 from risk.audit_posting where posting_id = $1) or not exists ("
        "select 1 from risk.decision where intent_id = $1 and decision = 'allow') as seen",
        payment_id,
    )
    return bool(row["seen"])


async def alone_of(shop_id: str, now: datetime) -> Alone:
    found = await SEC.one(
        Alone,
        "select count(*) as count, coalesce(sum(r.amount_fen), 0)::bigint as fen "
        "from risk.reservation r join risk.refund f using (intent_id) "
        "where r.person_id = $1 and r.day = $2 and r.refund_of is not null "
        "and r.released_at is null and f.actor_id = ''",
        shop_id,
        day_of(now),
    )
    assert found is not None, "a count has a row"
    return found


async def stored_of(intent_id: str) -> Asked | None:
    row = await SEC.one(
        _StoredRow,
        "select i.content, r.payment_id, r.actor_id, r.reversal from risk.refund r "
        "join risk.intent i using (intent_id) where r.intent_id = $1",
        intent_id,
    )
    if row is None:
        return None
    return Asked(intents.parse(row.content), row.payment_id, row.actor_id, row.reversal)


async def asked_of(intent_id: str) -> Asked:
    """Refuses: IntentInvalid."""
    found = await stored_of(intent_id)
    if found is None:
        raise IntentInvalid()
    return found
