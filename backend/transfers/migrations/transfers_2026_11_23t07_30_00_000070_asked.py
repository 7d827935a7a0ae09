"""A transfer keeps how its payee was named: a number that was found is forgotten in a day."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000070"
VERSION = "1.38.0"
DESCRIPTION = "transfers: how the payee was named"

SQL = """
alter table transfers.transfer add column asked_id text collate "C" not null default '';
update transfers.transfer t set asked_id = coalesce((select l.payee_id from transfers.lookup l
    where l.person_id = t.payer_id and l.found_id = t.payee_id limit 1), t.payee_id);
alter table transfers.transfer alter column asked_id drop default;

create or replace function transfers.transfer_moves() returns trigger language plpgsql as $$
begin
    if (new.transfer_id, new.payment_id, new.order_id, new.payer_id, new.payee_id, new.payer_name,
        new.payee_name, new.amount_fen, new.note, new.request_id, new.created_at, new.arrives_at,
        new.nonce, new.asked_id)
        is distinct from
        (old.transfer_id, old.payment_id, old.order_id, old.payer_id, old.payee_id, old.payer_name,
        old.payee_name, old.amount_fen, old.note, old.request_id, old.created_at, old.arrives_at,
        old.nonce, old.asked_id)
    then
        raise exception 'transfer %: what it is about can not be changed', old.transfer_id;
    end if;
    if new.status <> old.status and not (case old.status
        when 'created' then new.status in ('refused', 'lapsed')
            or new.status = 'arrived' and old.arrives_at is null
            or new.status = 'waiting' and old.arrives_at is not null
        when 'waiting' then new.status in ('arrived', 'recalled')
        else false end)
    then
        raise exception 'transfer %: no way from % to %',
            old.transfer_id, old.status, new.status;
    end if;
    return new;
end $$;
"""


async def forwards() -> MigrationManager:
    return from_sql("transfers", ID, DESCRIPTION, SQL)
