"""Friends, requests, groups and the links that lead to them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000091"
VERSION = "1.38.0"
DESCRIPTION = "friends and groups"

SQL = """
create schema friends;

-- How a person stands to another. A friendship is two rows.
create table friends.bond (
    person_id text collate "C" not null,
    other_id text collate "C" not null,
    friends boolean not null default false,
    blocked boolean not null default false,
    remark text not null default '',
    since timestamptz not null,
    primary key (person_id, other_id),
    constraint bond_of_two check (person_id <> other_id),
    constraint bond_says_something check (friends or blocked),
    constraint bond_remark_length check (length(remark) <= 32)
);

create function friends.check_mutual() returns trigger language plpgsql as $$
declare
    pair record := coalesce(new, old);
begin
    if exists (
        select from friends.bond a full join friends.bond b
            on a.person_id = b.other_id and a.other_id = b.person_id
        where (a.person_id = pair.person_id and a.other_id = pair.other_id
                or b.person_id = pair.other_id and b.other_id = pair.person_id)
            and coalesce(a.friends, false) <> coalesce(b.friends, false)
    ) then
        raise exception 'a friendship is mutual';
    end if;
    return null;
end $$;
create constraint trigger bond_mutual after insert or update or delete on friends.bond
    deferrable initially deferred for each row execute function friends.check_mutual();

-- person_id is '' where nobody has the number that was asked for. What is not delivered, because of
-- that or of a block, looks to its asker like any other.
create table friends.request (
    request_id text collate "C" primary key,
    asker_id text collate "C" not null,
    person_id text collate "C" not null,
    seek text collate "C" not null,  -- the person, or a hash of the number
    shown text not null,  -- the number, masked
    message text not null,
    delivered boolean not null,
    answer text collate "C" not null default '',
    declined_at timestamptz,
    created_at timestamptz not null,
    constraint request_of_two check (asker_id <> person_id),
    constraint request_answer check (answer in ('', 'accepted', 'withdrawn', 'lapsed')),
    constraint request_message_length check (length(message) <= 50),
    constraint request_delivered_to_somebody check (person_id <> '' or not delivered)
);
create unique index request_waits on friends.request (asker_id, seek) where answer = '';
create index request_of_asker on friends.request (asker_id, created_at desc);
create index request_to_person on friends.request (person_id, asker_id) where person_id <> '';

create table friends.look_up (
    look_up_id bigint generated always as identity primary key,
    person_id text collate "C" not null,
    at timestamptz not null
);
create index look_up_of_person on friends.look_up (person_id, at);

create table friends.found (
    token_hash bytea primary key,
    asker_id text collate "C" not null,
    person_id text collate "C" not null,
    seek text collate "C" not null,
    shown text not null,
    expires_at timestamptz not null,
    constraint found_token_hashed check (length(token_hash) = 32)
);
create index found_of_asker on friends.found (asker_id, expires_at);

create table friends.link (
    secret_hash bytea primary key,
    person_id text collate "C" not null,
    group_id text collate "C" not null,  -- '' leads to the person
    expires_at timestamptz not null,
    constraint link_secret_hashed check (length(secret_hash) = 32)
);
create index link_of_person on friends.link (person_id, group_id, expires_at);
create index link_of_group on friends.link (group_id) where group_id <> '';

-- A group of people; "group" is a word of SQL's own.
create table friends.circle (
    group_id text collate "C" primary key,
    name text not null,
    made_by text collate "C" not null,
    owner_id text collate "C" not null,
    members integer not null default 0,
    created_at timestamptz not null,
    ended_at timestamptz,
    constraint circle_name_length check (length(name) between 1 and 32),
    constraint circle_size check (members between 0 and 500),
    constraint circle_end check (ended_at is null or members = 0)
);
create index circle_of_owner on friends.circle (owner_id) where ended_at is null;

create table friends.member (
    group_id text collate "C" not null references friends.circle on delete restrict,
    person_id text collate "C" not null,
    joined_at timestamptz not null,
    turn bigint generated always as identity,
    primary key (group_id, person_id)
);
create index member_of on friends.member (person_id, turn desc);
create index member_in_turn on friends.member (group_id, turn);

-- The count is kept here, so that its limit holds whoever writes.
create function friends.count_members() returns trigger language plpgsql as $$
begin
    update friends.circle set members = members + case tg_op when 'INSERT' then 1 else -1 end
        where group_id = coalesce(new.group_id, old.group_id);
    return null;
end $$;
create trigger member_counted after insert or delete on friends.member
    for each row execute function friends.count_members();

create function friends.check_owner() returns trigger language plpgsql as $$
begin
    if exists (
        select from friends.circle c
        where c.group_id = coalesce(new.group_id, old.group_id) and c.ended_at is null
            and not exists (select from friends.member m
                where m.group_id = c.group_id and m.person_id = c.owner_id)
    ) then
        raise exception 'a group is owned by a member';
    end if;
    return null;
end $$;
create constraint trigger circle_owned after insert or update on friends.circle
    deferrable initially deferred for each row execute function friends.check_owner();

grant usage on schema friends to yipay_app;
grant select, insert, update, delete on friends.bond to yipay_app;
grant select, insert, update on friends.request, friends.circle to yipay_app;
grant select, insert, delete on
    friends.look_up, friends.found, friends.link, friends.member to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("friends", ID, DESCRIPTION, SQL)
