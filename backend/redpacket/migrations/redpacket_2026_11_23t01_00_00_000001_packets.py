"""Packets, shares, the batches they are posted in, passcode tries, inboxes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T01:00:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "redpacket: packets, shares, batches, tries, inboxes"

# Who opened is decided by primary keys, how much by checks and the sums' trigger: whoever goes
# around the code can't hand out a share twice, or more than was put in.
SQL = """
create schema redpacket;

create table redpacket.packet (
    packet_id text collate "C" primary key,
    payment_id text collate "C" not null unique,
    order_id text collate "C" not null unique,
    sender_id text collate "C" not null,
    sender_name text not null,
    kind text collate "C" not null,
    total_fen bigint not null,
    count integer not null,
    greeting text not null,
    cover text collate "C" not null,
    to_group text collate "C" not null,
    to_person text collate "C" not null,
    passcode_hash bytea not null,
    seed bytea not null,
    seed_hash bytea not null,
    status text collate "C" not null default 'created',
    refusal_code text collate "C" not null default '',
    opened integer not null default 0,
    opened_fen bigint not null default 0,
    posted_fen bigint not null default 0,
    returned_fen bigint not null default 0,
    return_id text collate "C" not null default '',
    return_intent bytea,
    created_at timestamptz not null,
    lapses_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    constraint packet_kind check (kind in ('equal', 'lucky', 'exclusive', 'passcode')),
    constraint packet_count check (count between 1 and 100),
    constraint packet_total check (total_fen between count and count::bigint * 20000),
    constraint packet_exclusive check ((kind = 'exclusive') = (to_person <> '')
        and (to_person = '' or (count = 1 and to_group = ''))),
    constraint packet_equal check (kind <> 'equal' or total_fen % count = 0),
    constraint packet_passcode check ((kind = 'passcode') = (length(passcode_hash) = 32)),
    constraint packet_seed check (length(seed) = 32 and length(seed_hash) = 32),
    constraint packet_status check (status in
        ('created', 'open', 'empty', 'expired', 'returned', 'refused', 'lapsed')),
    constraint packet_ended check ((ended_at is null) = (status in ('created', 'open'))),
    constraint packet_life check (expires_at > created_at and lapses_at > created_at),
    constraint packet_opened check (opened between 0 and count
        and opened_fen between opened and total_fen - (count - opened)),
    constraint packet_posted check (posted_fen between 0 and opened_fen),
    constraint packet_returned check (returned_fen = 0
        or (status = 'returned' and returned_fen = total_fen - posted_fen)),
    constraint packet_unpaid check (status not in ('created', 'refused', 'lapsed') or opened = 0)
);
create index packet_sent on redpacket.packet (sender_id, created_at, packet_id);
create index packet_unpaid_due on redpacket.packet (lapses_at, packet_id) where status = 'created';
create index packet_due on redpacket.packet (expires_at, packet_id)
    where status in ('open', 'expired') or (status = 'empty' and posted_fen < total_fen);

create table redpacket.batch (
    posting_id text collate "C" primary key,
    packet_id text collate "C" not null
        references redpacket.packet on delete restrict on update restrict,
    intent bytea not null,
    status text collate "C" not null default 'decided',
    created_at timestamptz not null,
    due_at timestamptz not null,
    posted_at timestamptz,
    journal_seq bigint,
    constraint batch_status check (status in ('decided', 'posted', 'dropped')),
    constraint batch_posted check ((status = 'posted') = (journal_seq is not null)
        and (status = 'posted') = (posted_at is not null))
);
create index batch_due on redpacket.batch (due_at, posting_id) where status = 'decided';
create index batch_packet on redpacket.batch (packet_id);

create table redpacket.share (
    packet_id text collate "C" not null
        references redpacket.packet on delete restrict on update restrict,
    person_id text collate "C" not null,
    position integer not null,
    amount_fen bigint not null,
    name text not null,
    posting_id text collate "C" not null
        references redpacket.batch on delete restrict on update restrict,
    status text collate "C" not null default 'decided',
    luckiest boolean not null default false,
    thanks text not null default '',
    opened_at timestamptz not null,
    primary key (packet_id, person_id),
    constraint share_position unique (packet_id, position),
    constraint share_position_range check (position between 0 and 99),
    constraint share_amount check (amount_fen between 1 and 20000),
    constraint share_status check (status in ('decided', 'posted', 'void'))
);
create index share_received on redpacket.share (person_id, opened_at, packet_id);
create index share_posting on redpacket.share (posting_id);

create table redpacket.tries (
    packet_id text collate "C" not null
        references redpacket.packet on delete restrict on update restrict,
    person_id text collate "C" not null,
    wrong integer not null,
    primary key (packet_id, person_id),
    constraint tries_range check (wrong between 1 and 5)
);

create table redpacket.inbox (
    person_id text collate "C" not null,
    packet_id text collate "C" not null
        references redpacket.packet on delete restrict on update restrict,
    state text collate "C" not null default 'waiting',
    expires_at timestamptz not null,
    looked_at timestamptz,
    primary key (person_id, packet_id),
    constraint inbox_state check (state in ('waiting', 'opened', 'over'))
);
create index inbox_waiting on redpacket.inbox (person_id, expires_at) where state = 'waiting';
create index inbox_packet on redpacket.inbox (packet_id);

create function redpacket.packet_moves() returns trigger language plpgsql as $$
begin
    if (new.packet_id, new.payment_id, new.order_id, new.sender_id, new.sender_name, new.kind,
        new.total_fen, new.count, new.greeting, new.cover, new.to_group, new.to_person,
        new.passcode_hash, new.seed, new.seed_hash, new.created_at, new.lapses_at, new.expires_at)
        is distinct from
       (old.packet_id, old.payment_id, old.order_id, old.sender_id, old.sender_name, old.kind,
        old.total_fen, old.count, old.greeting, old.cover, old.to_group, old.to_person,
        old.passcode_hash, old.seed, old.seed_hash, old.created_at, old.lapses_at, old.expires_at)
    then
        raise exception 'packet %: what was sent is sent', old.packet_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('created', 'open'), ('created', 'refused'), ('created', 'lapsed'),
        ('open', 'empty'), ('open', 'expired'), ('expired', 'returned'), ('empty', 'returned'))
    then
        raise exception 'packet %: no way from % to %', old.packet_id, old.status, new.status;
    end if;
    if new.opened > old.opened and old.status <> 'open' then
        raise exception 'packet %: it has ended', old.packet_id;
    end if;
    if new.posted_fen < old.posted_fen then
        raise exception 'packet %: what was posted is posted', old.packet_id;
    end if;
    return new;
end $$;
create trigger packet_moves before update on redpacket.packet
    for each row execute function redpacket.packet_moves();

create function redpacket.packet_adds_up() returns trigger language plpgsql as $$
declare
    found record;
begin
    select p.opened, p.opened_fen, p.posted_fen,
        count(s.*) filter (where s.status <> 'void') as shares,
        coalesce(sum(s.amount_fen) filter (where s.status <> 'void'), 0) as shares_fen,
        coalesce(sum(s.amount_fen) filter (where s.status = 'posted'), 0) as shares_posted_fen
    into found
    from redpacket.packet p left join redpacket.share s using (packet_id)
    where p.packet_id = new.packet_id group by p.packet_id;
    if (found.opened, found.opened_fen, found.posted_fen)
        is distinct from (found.shares, found.shares_fen, found.shares_posted_fen)
    then
        raise exception 'packet %: its shares do not add up', new.packet_id;
    end if;
    return null;
end $$;
create constraint trigger packet_adds_up after update of opened, opened_fen, posted_fen
    on redpacket.packet deferrable initially deferred
    for each row execute function redpacket.packet_adds_up();

-- A packet's sums follow its shares by themselves; the last share ends it.
create function redpacket.shares_opened() returns trigger language plpgsql as $$
begin
    update redpacket.packet p
    set opened = p.opened + d.shares, opened_fen = p.opened_fen + d.fen,
        status = case when p.opened + d.shares = p.count then 'empty' else p.status end,
        ended_at = case when p.opened + d.shares = p.count then d.last_at else p.ended_at end
    from (select packet_id, count(*) as shares, sum(amount_fen) as fen, max(opened_at) as last_at
        from added group by packet_id) d
    where p.packet_id = d.packet_id;
    return null;
end $$;
create trigger shares_opened after insert on redpacket.share
    referencing new table as added
    for each statement execute function redpacket.shares_opened();

create function redpacket.shares_moved() returns trigger language plpgsql as $$
begin
    update redpacket.packet p
    set posted_fen = p.posted_fen + d.posted_fen, opened = p.opened - d.voided,
        opened_fen = p.opened_fen - d.voided_fen
    from (select packet_id,
            coalesce(sum(n.amount_fen) filter (where n.status = 'posted'), 0) as posted_fen,
            count(*) filter (where n.status = 'void') as voided,
            coalesce(sum(n.amount_fen) filter (where n.status = 'void'), 0) as voided_fen
        from moved n join were o using (packet_id, person_id)
        where n.status <> o.status group by packet_id) d
    where p.packet_id = d.packet_id;
    return null;
end $$;
create trigger shares_moved after update on redpacket.share
    referencing old table as were new table as moved
    for each statement execute function redpacket.shares_moved();

create function redpacket.share_moves() returns trigger language plpgsql as $$
begin
    if (new.packet_id, new.person_id, new.position, new.amount_fen, new.name, new.opened_at)
        is distinct from
       (old.packet_id, old.person_id, old.position, old.amount_fen, old.name, old.opened_at)
    then
        raise exception 'share % of %: what was decided stands', old.position, old.packet_id;
    end if;
    if old.status <> 'decided' and (new.status, new.posting_id) is distinct from
        (old.status, old.posting_id)
    then
        raise exception 'share % of %: it is %', old.position, old.packet_id, old.status;
    end if;
    return new;
end $$;
create trigger share_moves before update on redpacket.share
    for each row execute function redpacket.share_moves();

grant usage on schema redpacket to yipay_app;
grant select, insert, update on all tables in schema redpacket to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("redpacket", ID, DESCRIPTION, SQL)
