"""What is in the books is said once for a batch, not again for each of its shares."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T06:00:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "redpacket: shares are posted by their batch"

# A rush writes each share once and never again: an update costs more than the insert did. One
# foreign key of both columns takes the place of two, and says more: the batch is of this packet.
SQL = """
drop trigger shares_moved on redpacket.share;
drop trigger share_moves on redpacket.share;
drop function redpacket.shares_moved();
alter table redpacket.share add column void boolean not null default false;
update redpacket.share set void = true where status = 'void';
alter table redpacket.share drop column status;

drop index redpacket.share_posting;
alter table redpacket.batch add constraint batch_of_packet unique (posting_id, packet_id);
alter table redpacket.share drop constraint share_packet_id_fkey, drop constraint
    share_posting_id_fkey, add constraint share_of_batch foreign key (posting_id, packet_id)
    references redpacket.batch (posting_id, packet_id) on delete restrict on update restrict;

create view redpacket.share_now as
select s.*, case when s.void then 'void' when b.status = 'posted' then 'posted' else 'decided' end
    as status
from redpacket.share s join redpacket.batch b using (posting_id);
grant select on redpacket.share_now to yipay_app;

create function redpacket.batch_moves() returns trigger language plpgsql as $$
begin
    if (new.posting_id, new.packet_id, new.intent) is distinct from
        (old.posting_id, old.packet_id, old.intent)
        or (old.status = 'posted' and (new.status, new.posted_at, new.journal_seq)
            is distinct from (old.status, old.posted_at, old.journal_seq))
    then
        raise exception 'batch %: it is %', old.posting_id, old.status;
    end if;
    return new;
end $$;
create trigger batch_moves before update on redpacket.batch
    for each row execute function redpacket.batch_moves();

create function redpacket.batch_posted() returns trigger language plpgsql as $$
begin
    update redpacket.packet set posted_fen = posted_fen
        + (select coalesce(sum(amount_fen), 0) from redpacket.share s
            where s.packet_id = new.packet_id and s.posting_id = new.posting_id and not s.void)
    where packet_id = new.packet_id;
    return null;
end $$;
create trigger batch_posted after update on redpacket.batch for each row
    when (new.status = 'posted' and old.status <> 'posted')
    execute function redpacket.batch_posted();

create or replace function redpacket.share_moves() returns trigger language plpgsql as $$
begin
    if (new.packet_id, new.person_id, new.position, new.amount_fen, new.name, new.opened_at)
        is distinct from
       (old.packet_id, old.person_id, old.position, old.amount_fen, old.name, old.opened_at)
    then
        raise exception 'share % of %: what was decided stands', old.position, old.packet_id;
    end if;
    if (new.void, new.posting_id) is distinct from (old.void, old.posting_id) and (old.void
        or exists (select from redpacket.batch where posting_id = old.posting_id
            and status = 'posted'))
    then
        raise exception 'share % of %: it is posted or void', old.position, old.packet_id;
    end if;
    return new;
end $$;
create trigger share_moves before update on redpacket.share
    for each row execute function redpacket.share_moves();

create function redpacket.share_voided() returns trigger language plpgsql as $$
begin
    update redpacket.packet set opened = opened - 1, opened_fen = opened_fen - new.amount_fen
    where packet_id = new.packet_id;
    return null;
end $$;
create trigger share_voided after update on redpacket.share for each row
    when (new.void and not old.void)
    execute function redpacket.share_voided();

create or replace function redpacket.packet_adds_up() returns trigger language plpgsql as $$
declare
    found record;
begin
    select p.opened, p.opened_fen, p.posted_fen, s.shares, s.shares_fen, s.shares_posted_fen
    into found
    from redpacket.packet p cross join lateral (
        select count(*) as shares, coalesce(sum(amount_fen), 0) as shares_fen,
            coalesce(sum(amount_fen) filter (where posting_id = any(array(
                select posting_id from redpacket.batch
                where packet_id = new.packet_id and status = 'posted'))), 0) as shares_posted_fen
        from redpacket.share where packet_id = new.packet_id and not void) s
    where p.packet_id = new.packet_id;
    if (found.opened, found.opened_fen, found.posted_fen)
        is distinct from (found.shares, found.shares_fen, found.shares_posted_fen)
    then
        raise exception 'packet %: its shares do not add up', new.packet_id;
    end if;
    return null;
end $$;
"""


async def forwards() -> MigrationManager:
    return from_sql("redpacket", ID, DESCRIPTION, SQL)
