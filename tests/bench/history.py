"""Thick books, written by SQL in the shape the writer gives them, to see what growth costs.

Contents and chain hashes are filler, so these books would not pass the audit; rows, indexes,
numbers and balances are as after that many postings of one fen from each account to the next.
"""

import asyncpg

from backend.chain import account_key, content_of
from backend.ids import new
from backend.posting import Posting, Transfer

CHUNK = 200_000  # postings in one batch of history

_STEPS = """
create temp table step as
select n, seq, keys[debit + 1] as debit, keys[credit + 1] as credit, debit = 0 as first,
  credit = 0 as last, n / width as round, batch, content
from (
  select n, $1::bigint + n + 1 as seq, n %% $2::bigint as debit, (n + 1) %% $2 as credit,
    $2 as width, $3::bigint[] as keys, $6::bigint as batch, $7::bytea as content
  from generate_series($4::bigint, $5::bigint - 1) as n
) as numbered
""".replace("%%", "%")

_WRITE = (
    """
insert into ledger.posting (journal_seq, batch_seq, posting_id, content, posted_at)
select seq, batch, 'pay_0' || lpad(seq::text, 25, '0'),
  content, now()
from step order by seq
""",
    """
insert into ledger.transfer (journal_seq, line, debit, credit, amount_fen, op)
select seq, 0, debit, credit, 1, 'move' from step order by seq
""",
    # Each account is credited, then debited, in every round; the first one the other way about.
    """
insert into ledger.entry
select key, base.entry_seq + nth, seq, 0, other, amount, base.posted_fen + balance
from (
  select debit as key, 2 * round + (case when first then 1 else 2 end) as nth, seq,
    credit as other, -1 as amount, (case when first then -1 else 0 end) as balance from step
  union all
  select credit, 2 * round + (case when last then 2 else 1 end), seq, debit, 1,
    (case when last then 0 else 1 end) from step
) as line join ledger.account base on base.account_key = key order by seq
""",
)


async def thicken(admin_url: str, postings: int, accounts: list[str]) -> None:
    """Append so many postings, a multiple of the accounts. The ledger must not be running."""
    assert postings % len(accounts) == 0, "each account takes part alike"
    filler = content_of(Posting(new("pay"), "pay", (Transfer(accounts[0], accounts[1], 1),)))
    keys = [account_key(account_id) for account_id in accounts]
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute("set session_replication_role = replica")
        head = await admin.fetchrow(
            "select batch_seq, last_seq, chain_hash from ledger.journal"
            " order by batch_seq desc limit 1"
        )
        assert head is not None, "the books are funded first"
        batch, base, chain = head["batch_seq"], head["last_seq"], head["chain_hash"]
        for start in range(0, postings, CHUNK):
            end = min(start + CHUNK, postings)
            batch += 1
            await admin.execute(_STEPS, base, len(keys), keys, start, end, batch, filler)
            for statement in _WRITE:
                await admin.execute(statement)
            await admin.execute(
                "insert into ledger.journal values ($1, $2, $3, $4, $4, clock_timestamp())",
                batch, base + start + 1, base + end, chain,
            )  # fmt: skip
            await admin.execute("drop table step")
        each = 2 * postings // len(keys)
        await admin.execute(
            "update ledger.account set entry_seq = entry_seq + $1 where account_key = any($2)",
            each, keys,
        )  # fmt: skip
        # As autovacuum would have done by the time books are this thick.
        await admin.execute("vacuum analyze")
        await admin.execute("checkpoint")
    finally:
        await admin.close()
