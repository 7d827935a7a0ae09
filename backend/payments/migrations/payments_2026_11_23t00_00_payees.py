"""Orders and payments of people too, not of shops only."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:00:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "payees"

SQL = """
alter table payments.orders rename column shop_id to payee_id;
alter table payments.payment rename column shop_id to payee_id;

create or replace function payments.order_moves() returns trigger language plpgsql as $$
begin
    if (new.order_id, new.payee_id, new.owner_id, new.payee_name, new.amount_fen, new.expires_at)
        is distinct from
        (old.order_id, old.payee_id, old.owner_id, old.payee_name, old.amount_fen, old.expires_at)
    then
        raise exception 'order %: what was asked for can not be changed', old.order_id;
    end if;
    if not (old.status, new.status) in (
        ('open', 'paying'), ('open', 'expired'), ('open', 'cancelled'),
        ('paying', 'paying'), ('paying', 'open'), ('paying', 'paid'))
    then
        raise exception 'order %: no way from % to %', old.order_id, old.status, new.status;
    end if;
    return new;
end $$;

create or replace function payments.payment_moves() returns trigger language plpgsql as $$
begin
    if (new.payment_id, new.order_id, new.payer_id, new.payee_id, new.amount_fen, new.fee_fen,
        new.intent, new.event_at) is distinct from
       (old.payment_id, old.order_id, old.payer_id, old.payee_id, old.amount_fen, old.fee_fen,
        old.intent, old.event_at)
    then
        raise exception 'payment %: its intent can not be changed', old.payment_id;
    end if;
    if not (old.status, new.status) in (
        ('created', 'created'), ('created', 'authorized'), ('created', 'refused'),
        ('authorized', 'authorized'), ('authorized', 'posted'), ('authorized', 'refused'))
    then
        raise exception 'payment %: no way from % to %', old.payment_id, old.status, new.status;
    end if;
    return new;
end $$;
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
