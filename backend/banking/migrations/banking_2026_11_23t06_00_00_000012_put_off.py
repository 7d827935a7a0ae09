"""What waits for its hand-over while the account is frozen gets more time."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000012"
VERSION = "1.38.0"
DESCRIPTION = "withdrawals of frozen accounts are put off"

SQL = """
create or replace function banking.withdrawal_moves() returns trigger language plpgsql as $$
begin
    if (new.withdrawal_id, new.person_id, new.card_id, new.amount_fen, new.fee_fen, new.speed,
        new.nonce, new.created_at, new.confirm_by, new.hand_over_at)
        is distinct from
       (old.withdrawal_id, old.person_id, old.card_id, old.amount_fen, old.fee_fen, old.speed,
        old.nonce, old.created_at, old.confirm_by, old.hand_over_at)
    then
        raise exception 'withdrawal %: what was asked for can not be changed', old.withdrawal_id;
    end if;
    if new.deadline_at < old.deadline_at or (new.deadline_at > old.deadline_at
        and (old.status, new.status, old.word is null) is distinct from ('posted', 'posted', true))
    then
        raise exception 'withdrawal %: its time is its time', old.withdrawal_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('created', 'authorized'), ('created', 'refused'), ('authorized', 'posted'),
        ('authorized', 'refused'), ('posted', 'paid'), ('posted', 'returned'))
    then
        raise exception 'withdrawal %: no way from % to %',
            old.withdrawal_id, old.status, new.status;
    end if;
    if old.verdict is not null and new.verdict is distinct from old.verdict then
        raise exception 'withdrawal %: the verdict stays', old.withdrawal_id;
    end if;
    if old.word is not null and new.word is distinct from old.word then
        raise exception 'withdrawal %: the word that decided stays', old.withdrawal_id;
    end if;
    if old.disputed <> new.disputed and not (old.disputed, new.disputed) in (
        ('', 'due'), ('due', 'booked'))
    then
        raise exception 'withdrawal %: no way from dispute % to %',
            old.withdrawal_id, old.disputed, new.disputed;
    end if;
    return new;
end $$;
"""


async def forwards() -> MigrationManager:
    return from_sql("banking", ID, DESCRIPTION, SQL)
