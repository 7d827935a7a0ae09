"""Notices, what people don't want to be told, and how far the security system's word was read."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000060"
VERSION = "1.38.0"
DESCRIPTION = "notices"

# notice_id rises with the order of writing, so the primary key is the list, newest last.
SQL = """
create schema notices;

create table notices.notice (
    person_id text collate "C" not null,
    notice_id text collate "C" not null,
    kind text collate "C" not null,
    area text collate "C" not null,
    ref text collate "C" not null,
    label text not null default '',  -- of what can't be looked up later: a removed device's name
    at timestamptz not null,
    read_at timestamptz,
    primary key (person_id, notice_id),
    constraint notice_of_thing unique (person_id, kind, ref),
    constraint notice_id_form check (notice_id ~ '^ntc_[0-7][0-9a-hjkmnp-tv-z]{25}$'),
    constraint notice_person check (person_id ~ '^usr_[0-9a-z]{26}$'),
    constraint notice_area check (area in ('money', 'friends', 'packets', 'shop', 'security')),
    constraint notice_label_length check (length(label) <= 64)
);
create index notice_unread on notices.notice (person_id, notice_id) where read_at is null;
create index notice_age on notices.notice (at);

create table notices.silenced (
    person_id text collate "C" not null,
    kind text collate "C" not null,
    area text collate "C" not null,
    primary key (person_id, kind),
    constraint silenced_never_security check (area in ('money', 'friends', 'packets', 'shop'))
);

-- How far the security system's word was read: one row, moved in the transaction that tells it.
create table notices.security_mark (
    single boolean primary key default true,
    xact bigint not null,
    seq bigint not null,
    constraint security_mark_single check (single)
);
insert into notices.security_mark (xact, seq) values (0, 0);

grant usage on schema notices to yipay_app;
grant select, insert, update, delete on notices.notice, notices.silenced to yipay_app;
grant select, update on notices.security_mark to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("notices", ID, DESCRIPTION, SQL)
