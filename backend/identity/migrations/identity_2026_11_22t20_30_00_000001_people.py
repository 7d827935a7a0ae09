"""People and their sessions."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000001"
VERSION = "1.38.0"
DESCRIPTION = "people and sessions"

SQL = """
create schema identity;

create table identity.person (
    person_id text collate "C" primary key,
    phone text collate "C" not null,
    display_name text not null,
    language text not null,
    demo boolean not null,
    created_at timestamptz not null,
    constraint person_phone unique (phone),
    constraint person_phone_form check (phone ~ '^\\+[1-9][0-9]{6,14}$'),
    constraint person_name_length check (length(display_name) between 1 and 32),
    constraint person_language check (language in ('zh-CN', 'en'))
);

create table identity.session (
    session_id text collate "C" primary key,
    token_hash bytea not null,
    person_id text collate "C" not null
        references identity.person on delete restrict on update restrict,
    device_id text collate "C" not null,
    label text not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    constraint session_token unique (token_hash),
    constraint session_token_hashed check (length(token_hash) = 32),
    constraint session_label_length check (length(label) <= 64)
) with (fillfactor = 70);
create index session_person on identity.session (person_id, created_at desc);

grant usage on schema identity to yipay_app;
grant select, insert, update on identity.person to yipay_app;
grant select, insert, update, delete on identity.session to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("identity", ID, DESCRIPTION, SQL)
