"""Holds end by themselves: past the deadline the ledger voids them, in the journal too."""

import asyncio
from hashlib import sha256

import structlog

from backend.clock import Clock
from backend.db import LEDGER
from backend.errors import DomainError
from backend.ledger import Post
from backend.ledger.rules import EXPIRY_PREFIX
from backend.ledger.session import LOST
from backend.ledger.work import VerdictKeys, work_of
from backend.ledger.writer import Writer
from backend.posting import Op, Posting, Transfer

EVERY_S = 0.5
MAX_AT_ONCE = 500

_DUE = """
select h.hold_id, h.amount_fen, d.account_id as debit, c.account_id as credit, d.currency
from (
  select * from ledger.hold where ended_seq is null and deadline_at <= $1
  order by deadline_at limit $2
) as h
join ledger.account d on d.account_key = h.debit
join ledger.account c on c.account_key = h.credit
"""

_log = structlog.get_logger(__name__)


async def watch(writer: Writer, verdict_keys: VerdictKeys, clock: Clock) -> None:
    """Until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await expire_due(writer, verdict_keys, clock)
        except (*LOST, DomainError) as error:
            _log.warning("hold_expiry_put_off", error=type(error).__name__)


async def expire_due(writer: Writer, verdict_keys: VerdictKeys, clock: Clock) -> int:
    """Void what is past its deadline; how many holds were."""
    rows = await LEDGER.query(_DUE, clock.now(), MAX_AT_ONCE)
    works = []
    for row in rows:
        end = Transfer(row["debit"], row["credit"], row["amount_fen"], Op.VOID, row["hold_id"])
        posting = Posting(expiry_id(row["hold_id"]), "expired", (end,), currency=row["currency"])
        work = work_of(Post(posting), verdict_keys, clock)
        work.expiry = True
        works.append(work)
    await asyncio.gather(*(writer.submit(work) for work in works))
    return len(works)


def expiry_id(hold_id: str) -> str:
    """The posting's id, made from the hold's, so that a hold expires once."""
    return EXPIRY_PREFIX + sha256(hold_id.encode()).hexdigest()[:40]
