"""A share moves to a batch that is still open, and to no other."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T07:30:00:000070"
VERSION = "1.38.0"
DESCRIPTION = "redpacket: no share moves to a batch that is posted"

# What is in the books was said of the shares that the batch had then.
SQL = """
create or replace function redpacket.share_moves() returns trigger language plpgsql as $$
begin
    if (new.packet_id, new.person_id, new.position, new.amount_fen, new.name, new.opened_at)
        is distinct from
       (old.packet_id, old.person_id, old.position, old.amount_fen, old.name, old.opened_at)
    then
        raise exception 'share % of %: what was decided stands', old.position, old.packet_id;
    end if;
    if (new.void, new.posting_id) is distinct from (old.void, old.posting_id) and (old.void
        or exists (select from redpacket.batch where posting_id in (old.posting_id, new.posting_id)
            and status = 'posted'))
    then
        raise exception 'share % of %: it is posted or void', old.position, old.packet_id;
    end if;
    return new;
end $$;
"""


async def forwards() -> MigrationManager:
    return from_sql("redpacket", ID, DESCRIPTION, SQL)
