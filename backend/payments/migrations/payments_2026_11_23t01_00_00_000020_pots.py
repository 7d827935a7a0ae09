"""Orders of money put aside, with their terms; a table that nobody reads any more goes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T01:00:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "pots"

# The sums of shops' days are kept by the sales module.
SQL = """
drop table payments.shop_day;

alter table payments.orders
    add column sealed_terms bytea,
    add constraint orders_terms check (
        (sealed_terms is not null) = (payee_id ~ '^(red|trf)_')
        and (sealed_terms is null or (owner_id = '' and payer_id <> '' and code = 'none')));

create or replace function payments.order_moves() returns trigger language plpgsql as $$
begin
    if (new.order_id, new.payee_id, new.owner_id, new.payee_name, new.amount_fen, new.expires_at,
        new.code, new.store_id, new.terminal_id, new.opened_by, new.fee_fen, new.charge_id,
        new.sealed_terms) is distinct from
       (old.order_id, old.payee_id, old.owner_id, old.payee_name, old.amount_fen, old.expires_at,
        old.code, old.store_id, old.terminal_id, old.opened_by, old.fee_fen, old.charge_id,
        old.sealed_terms)
        -- whose payment code it was is learnt later, once
        or (new.payer_id <> old.payer_id and (old.payer_id <> '' or old.code <> 'shown'))
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
"""


async def forwards() -> MigrationManager:
    return from_sql("payments", ID, DESCRIPTION, SQL)
