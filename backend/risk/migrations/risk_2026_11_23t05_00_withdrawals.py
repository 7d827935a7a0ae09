"""Withdrawals count by speed and day; what the bank gave back counts no more."""

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000050"
VERSION = "1.38.0"
DESCRIPTION = "withdrawals"

SQL = """
alter table risk.reservation
    add column withdrawal text collate "C" not null default ''
        constraint reservation_withdrawal check (withdrawal in ('', 'instant', 'next_day')),
    add column returned_at timestamptz;
create index reservation_withdrawn on risk.reservation (person_id, day) where withdrawal <> '';
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
