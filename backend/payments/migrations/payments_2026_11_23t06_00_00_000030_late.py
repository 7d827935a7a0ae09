"""Payments that came too late for their till, until they have gone back."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000030"
VERSION = "1.38.0"
DESCRIPTION = "payments that came too late for their till"

# One row per payment: it is decided once, and once only how it ended.
SQL = """
create table payments.late (
    payment_id text collate "C" primary key
        references payments.payment on delete restrict on update restrict,
    due_at timestamptz not null,
    ended text collate "C" not null default '',
    constraint late_ended check (ended in ('', 'reversed', 'kept'))
);
create index late_due on payments.late (due_at, payment_id) where ended = '';

create function payments.late_moves() returns trigger language plpgsql as $$
begin
    if new.payment_id <> old.payment_id or old.ended <> '' then
        raise exception 'late payment %: ended for good', old.payment_id;
    end if;
    if new.ended = 'reversed' and not exists (select 1 from payments.refund
        where payment_id = new.payment_id and reversal and status = 'posted')
    then
        raise exception 'late payment %: nothing went back', old.payment_id;
    end if;
    return new;
end $$;
create trigger late_moves before update on payments.late
    for each row execute function payments.late_moves();

create index orders_read on payments.orders (created_at) where code = 'shown' and status = 'open';

grant select, insert, update on payments.late to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
