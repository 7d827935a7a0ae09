"""What an account's balance was after given postings: for files that say so beside each line.

Entries of an account grow with the journal. Where the postings lie close together (a stretch of a
shop's orders) one walk over the entries between the first and the last of them finds all; where
they are scattered, each is found by halving the entry numbers.
"""

from collections.abc import Sequence

from backend.chain import account_key
from backend.db import LEDGER
from backend.errors import BadRequest
from backend.ledger import MAX_LOOKUP

DENSE = 8  # entries walked over per posting asked, at most

# For each of $2: the number of the account's last entry that is not behind it in the journal.
_UP_TO = """
select given.journal_seq, (
  with recursive halving (low, high) as (
    select 0::bigint, entry_seq from ledger.account where account_key = $1
    union all
    select
      case when e.journal_seq <= given.journal_seq then e.entry_seq else h.low end,
      case when e.journal_seq <= given.journal_seq then h.high else e.entry_seq - 1 end
    from halving h
    join ledger.entry e on e.account_key = $1 and e.entry_seq = (h.low + h.high + 1) / 2
    where h.low < h.high
  )
  select low from halving where low = high
) as entry_seq
from unnest($2::bigint[]) as given (journal_seq)
"""
_WALK = """
select distinct on (journal_seq) journal_seq, balance_fen from ledger.entry
where account_key = $1 and entry_seq > $2 and entry_seq <= $3 and journal_seq = any($4::bigint[])
order by journal_seq, entry_seq desc
"""
_EACH = f"""
select e.journal_seq, e.balance_fen from ({_UP_TO}) as found
join ledger.entry e on e.account_key = $1 and e.entry_seq = found.entry_seq
  and e.journal_seq = found.journal_seq
"""  # noqa: S608


async def balances_after(
    account_id: str, journal_seqs: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    if len(journal_seqs) > MAX_LOOKUP:
        raise BadRequest()
    if not journal_seqs:
        return ()
    key, wanted = account_key(account_id), sorted(set(journal_seqs))
    ends = await LEDGER.query(f"{_UP_TO} order by 1", key, [wanted[0] - 1, wanted[-1]])
    first, last = (row["entry_seq"] or 0 for row in ends)
    if last - first <= DENSE * len(wanted):
        rows = await LEDGER.query(_WALK, key, first, last, wanted)
    else:
        rows = await LEDGER.query(_EACH, key, wanted)
    return tuple((row["journal_seq"], row["balance_fen"]) for row in rows)
