"""Sessions of phones, and the proofs that were spent."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T05:00:00:000020"
VERSION = "1.38.0"
DESCRIPTION = "sessions of phones, and the proofs that were spent"

SQL = """
create table identity.phone_session (
    session_id text collate "C" primary key,
    person_id text collate "C" not null
        references identity.person on delete restrict on update restrict,
    device_id text collate "C" not null,
    label text not null,
    thumbprint text collate "C" not null,
    family_hash bytea not null,
    turn_hash bytea not null,
    spent_hash bytea,
    rotated_at timestamptz not null,
    created_at timestamptz not null,
    seen_at timestamptz not null,
    constraint phone_session_device unique (device_id),
    constraint phone_session_family unique (family_hash),
    constraint phone_session_hashed check (
        length(family_hash) = 32 and length(turn_hash) = 32
        and (spent_hash is null or length(spent_hash) = 32)
    ),
    constraint phone_session_thumbprint check (length(thumbprint) = 43),
    constraint phone_session_label_length check (length(label) <= 64)
) with (fillfactor = 70);
create index phone_session_person on identity.phone_session (person_id, created_at desc);

-- Worth nothing after a minute: what a crash empties has ended with the restart.
create unlogged table identity.proof_spent (
    proof_hash bytea primary key,
    ends_at timestamptz not null
);

grant select, insert, update, delete on identity.phone_session, identity.proof_spent to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("identity", ID, DESCRIPTION, SQL)
