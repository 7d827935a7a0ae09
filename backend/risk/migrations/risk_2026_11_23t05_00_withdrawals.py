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

alter table risk.decision drop constraint decision_stage_check;
alter table risk.decision add constraint decision_stage_check check (stage in
    ('prepare', 'authorize', 'top_up', 'refund_prepare', 'refund', 'payout', 'payout_return',
     'share', 'pot_end', 'withdrawal_prepare', 'withdrawal', 'withdrawal_return'));
-- A withdrawal is allowed once; its return may be allowed again, for the bank has said so for good.
drop index risk.decision_allow_once;
create unique index decision_allow_once on risk.decision (intent_id)
    where decision = 'allow' and stage in ('authorize', 'refund', 'withdrawal');
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
