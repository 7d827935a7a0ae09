"""Statement pages, and what an account's balance was."""

from datetime import datetime

from backend.chain import account_key, posting_of
from backend.clock import from_ms
from backend.db import LEDGER
from backend.errors import BadRequest
from backend.ledger import MAX_PAGE, Entry

NEWEST = (1 << 63) - 1

_PAGE = """
select e.entry_seq, e.amount_fen, e.balance_fen, c.account_id as counterparty,
  p.content, p.posted_at
from (
  select * from ledger.entry where account_key = $1 and entry_seq < $2
  order by entry_seq desc limit $3
) as e
join ledger.posting p on p.journal_seq = e.journal_seq
join ledger.account c on c.account_key = e.counterparty
order by e.entry_seq desc
"""

# Entries of an account grow with the journal, so the last one before a moment is found by halving
# the entry numbers: some twenty steps down the one index for a million entries.
_BALANCE_AT = """
with recursive
moment as (
  select last_seq from ledger.journal where created_at <= $2
  order by created_at desc, batch_seq desc limit 1
),
halving (low, high) as (
  select 0::bigint, entry_seq from ledger.account where account_key = $1
  union all
  select
    case when e.journal_seq <= (select last_seq from moment) then e.entry_seq else h.low end,
    case when e.journal_seq <= (select last_seq from moment) then h.high else e.entry_seq - 1 end
  from halving h
  join ledger.entry e on e.account_key = $1 and e.entry_seq = (h.low + h.high + 1) / 2
  where h.low < h.high
)
select balance_fen from ledger.entry
where account_key = $1 and entry_seq = (select low from halving where low = high)
"""


async def statement(account_id: str, before_seq: int, limit: int) -> tuple[Entry, ...]:
    if not 1 <= limit <= MAX_PAGE or before_seq < 0:
        raise BadRequest()
    rows = await LEDGER.query(_PAGE, account_key(account_id), before_seq or NEWEST, limit)
    return tuple(_entry(account_id, **row) for row in rows)


async def balance_at(account_id: str, at: datetime) -> int:
    rows = await LEDGER.query(_BALANCE_AT, account_key(account_id), at)
    return rows[0]["balance_fen"] if rows else 0


def _entry(account_id: str, *, content: bytes, posted_at: datetime, **columns: object) -> Entry:
    posting = posting_of(content)
    return Entry(
        account_id=account_id,
        posting_id=posting.posting_id,
        reason=posting.reason,
        event_at=from_ms(posting.event_at_ms) if posting.event_at_ms else posted_at,
        posted_at=posted_at,
        **columns,  # type: ignore[arg-type]  # the four columns named like the fields
    )
