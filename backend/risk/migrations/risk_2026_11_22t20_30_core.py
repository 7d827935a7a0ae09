"""People's keys and devices, ceremonies, intents, decisions and what is used of the limits."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-22T20:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "people, devices, passkeys, intents, decisions, limits"

SQL = """
-- people, their devices and passkeys -------------------------------------------------------------

create table risk.person (
    person_id text collate "C" primary key,
    phone text not null unique,
    user_handle bytea not null unique check (length(user_handle) = 32),
    created_at timestamptz not null,
    frozen_at timestamptz,
    thaws_at timestamptz,
    constraint person_thaw check (thaws_at is null or frozen_at is not null)
);

create table risk.device (
    device_id text collate "C" primary key,
    person_id text collate "C" not null references risk.person on delete restrict,
    secret_hash bytea not null unique check (length(secret_hash) = 32),
    label text not null,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    trusted_at timestamptz not null,
    removed_at timestamptz
);
create index device_person on risk.device (person_id) where removed_at is null;

create table risk.credential (
    credential_id bytea primary key check (length(credential_id) between 1 and 1023),
    person_id text collate "C" not null references risk.person on delete restrict,
    device_id text collate "C" not null references risk.device on delete restrict,
    public_key bytea not null,
    sign_count bigint not null check (sign_count >= 0),
    backup_eligible boolean not null,
    backed_up boolean not null,
    aaguid text not null,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    removed_at timestamptz,
    constraint credential_backup check (backup_eligible or not backed_up)
);
create index credential_person on risk.credential (person_id) where removed_at is null;
create index credential_device on risk.credential (device_id) where removed_at is null;

-- proving a phone number -------------------------------------------------------------------------

create table risk.enrolment (
    enrolment_id text collate "C" primary key,
    phone text not null,
    code_salt bytea not null,
    code_hash bytea not null,
    tries int not null check (tries between 0 and 5),
    messages int not null check (messages > 0),
    resend_at timestamptz not null,
    expires_at timestamptz not null,
    proven_at timestamptz,
    used_at timestamptz
);

create index enrolment_phone on risk.enrolment (phone);

create table risk.code_request (
    phone text not null,
    address text not null,
    requested_at timestamptz not null
);
create index code_request_phone on risk.code_request (phone, requested_at);
create index code_request_address on risk.code_request (address, requested_at);
create index code_request_age on risk.code_request (requested_at);

-- ceremonies and grants --------------------------------------------------------------------------

create table risk.ceremony (
    ceremony_id text collate "C" primary key,
    kind text not null,
    person_id text collate "C" not null,  -- '' for a sign-in
    subject text not null,  -- intent, enrolment or grant that it is for
    challenge bytea not null,  -- empty for a payment: recomputed from the stored intent
    options bytea not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index ceremony_subject on risk.ceremony (subject) where used_at is null and kind = 'pay';
create index ceremony_age on risk.ceremony (expires_at);

create table risk.device_grant (
    grant_hash bytea primary key check (length(grant_hash) = 32),
    person_id text collate "C" not null references risk.person on delete restrict,
    device_id text collate "C" references risk.device on delete restrict,
    expires_at timestamptz not null,
    used_at timestamptz
);

-- money ------------------------------------------------------------------------------------------

create table risk.intent (
    intent_id text collate "C" primary key,
    kind text not null,
    payer_id text collate "C" not null,
    payee_id text collate "C" not null,
    amount_fen bigint not null check (amount_fen > 0),
    content bytea not null,  -- canonical bytes: what a passkey signs the hash of
    prepared_at timestamptz not null
);

create table risk.decision (
    decision_seq bigint generated always as identity primary key,
    intent_id text collate "C" not null,
    stage text not null check (stage in ('prepare', 'authorize', 'top_up')),
    decision text not null check (decision in ('allow', 'refuse')),
    code text not null,  -- of the refusal
    level text not null,
    verdict_id text collate "C" unique,
    content bytea not null,  -- canonical bytes of the whole record
    decided_at timestamptz not null,
    constraint decision_verdict check ((decision = 'allow') = (verdict_id is not null))
);
create index decision_intent on risk.decision (intent_id, decision_seq desc) where decision = 'allow';
-- A payment is allowed once. A top-up may be allowed again when the verdict ended unused: the bank's
-- money has come in, and the ledger posts an id once whatever we say.
create unique index decision_allow_once on risk.decision (intent_id)
  where decision = 'allow' and stage <> 'top_up';

create table risk.spending (
    person_id text collate "C" primary key references risk.person on delete restrict,
    day date not null,
    free_fen bigint not null check (free_fen between 0 and 100000),
    free_count int not null check (free_count between 0 and 10),
    synced_fen bigint not null check (synced_fen between 0 and 500000),
    static_fen bigint not null check (static_fen between 0 and 50000),
    new_device_fen bigint not null check (new_device_fen between 0 and 100000),
    year int not null,
    year_fen bigint not null check (year_fen between 0 and 10000000)
) with (fillfactor = 50);

create table risk.reservation (
    intent_id text collate "C" primary key,
    person_id text collate "C" not null,
    payee_id text collate "C" not null,
    day date not null,
    amount_fen bigint not null,
    free boolean not null,
    synced boolean not null,
    static boolean not null,
    new_device boolean not null,
    released_at timestamptz
);

create table risk.known_payee (
    person_id text collate "C" not null,
    payee_id text collate "C" not null,
    intent_id text collate "C" not null unique,  -- the first payment; forgotten with it
    primary key (person_id, payee_id)
);

-- what happened to an account's security; signals for the rules and for the person ---------------

create table risk.security_event (
    event_seq bigint generated always as identity primary key,
    person_id text collate "C" not null,
    device_id text collate "C" not null,
    kind text not null,
    happened_at timestamptz not null
);
create index security_event_person on risk.security_event (person_id, event_seq desc);

-- guards -----------------------------------------------------------------------------------------

create function risk.append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;

create trigger intent_append_only before update or delete or truncate on risk.intent
  for each statement execute function risk.append_only();
create trigger decision_append_only before update or delete or truncate on risk.decision
  for each statement execute function risk.append_only();
create trigger security_event_append_only
  before update or delete or truncate on risk.security_event
  for each statement execute function risk.append_only();

grant select, insert on risk.intent, risk.decision, risk.security_event to yipay_risk;
grant select, insert, update on risk.person, risk.device, risk.credential, risk.spending,
  risk.reservation, risk.enrolment, risk.ceremony, risk.device_grant to yipay_risk;
grant select, insert, delete on risk.known_payee, risk.code_request to yipay_risk;
grant delete on risk.enrolment, risk.ceremony, risk.device_grant to yipay_risk;
"""


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="risk", description=DESCRIPTION)

    async def run():
        await engine_finder().current_transaction.get().connection.execute(SQL)

    manager.add_raw(run)
    return manager
