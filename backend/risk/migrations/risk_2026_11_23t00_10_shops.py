"""Payment codes, shops with their people, and money that leaves a shop."""

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000010"
VERSION = "1.38.0"
DESCRIPTION = "payment codes, shops, refunds, payouts"

SQL = """
-- payment codes ----------------------------------------------------------------------------------

create table risk.pay_code (
    code_hash bytea primary key check (length(code_hash) = 32),  -- keyed: see pay_codes.py
    person_id text collate "C" not null references risk.person on delete restrict,
    device_id text collate "C" not null references risk.device on delete restrict,
    issued_at timestamptz not null,
    expires_at timestamptz not null,
    ahead boolean not null,
    revealed boolean not null default false,
    revoked_at timestamptz,
    used_at timestamptz,
    payment_id text collate "C" unique,  -- what it was burnt for, with all that may not change
    shop_id text collate "C",
    terminal_id text collate "C",
    amount_fen bigint check (amount_fen > 0),
    constraint pay_code_use check (num_nulls(used_at, payment_id, shop_id, terminal_id, amount_fen)
        in (0, 5))
);
create index pay_code_device on risk.pay_code (device_id)
    where used_at is null and revoked_at is null;
create index pay_code_age on risk.pay_code (expires_at);

create table risk.code_guess (
    terminal_id text collate "C" not null,
    guessed_at timestamptz not null
);
create index code_guess_terminal on risk.code_guess (terminal_id, guessed_at);
create index code_guess_age on risk.code_guess (guessed_at);

-- shops and their people -------------------------------------------------------------------------

create table risk.shop (
    shop_id text collate "C" primary key,
    owner_id text collate "C" not null references risk.person on delete restrict,
    founded_at timestamptz not null,
    payout_card_id text collate "C",  -- where the owner lets settlements go
    payout_card_at timestamptz,
    constraint shop_payout_card check ((payout_card_id is null) = (payout_card_at is null))
);

create table risk.shop_member (
    shop_id text collate "C" not null references risk.shop on delete restrict,
    person_id text collate "C" not null references risk.person on delete restrict,
    role text not null check (role in ('owner', 'manager', 'finance', 'cashier', 'auditor')),
    joined_at timestamptz not null,
    primary key (shop_id, person_id)
);
create unique index shop_one_owner on risk.shop_member (shop_id) where role = 'owner';

create table risk.invitation (
    invitation_id text collate "C" primary key,
    shop_id text collate "C" not null references risk.shop on delete restrict,
    role text not null check (role in ('manager', 'finance', 'cashier', 'auditor')),
    actor_id text collate "C" not null,
    secret_hash bytea not null unique check (length(secret_hash) = 32),
    expires_at timestamptz not null,
    used_at timestamptz
);
create index invitation_age on risk.invitation (expires_at);

-- money that leaves a shop -----------------------------------------------------------------------

-- What the intent of a refund does not say.
create table risk.refund (
    intent_id text collate "C" primary key,
    payment_id text collate "C" not null,
    actor_id text collate "C" not null,
    reversal boolean not null
);
create trigger refund_append_only before update or delete or truncate on risk.refund
  for each statement execute function risk.append_only();

-- A refund reserves its amount of the payment; a payout reserves nothing, but can be released.
alter table risk.reservation add column refund_of text collate "C";
create index reservation_refund on risk.reservation (refund_of) where refund_of is not null;

alter table risk.decision drop constraint decision_stage_check;
alter table risk.decision add constraint decision_stage_check check (stage in
    ('prepare', 'authorize', 'top_up', 'refund_prepare', 'refund', 'payout', 'payout_return'));
-- A payout and its return may be allowed again, as a top-up: the owner, or the bank, has said so
-- for good.
drop index risk.decision_allow_once;
create unique index decision_allow_once on risk.decision (intent_id)
  where decision = 'allow' and stage in ('authorize', 'refund');

grant select, insert, update, delete on risk.pay_code, risk.invitation, risk.shop_member
  to yipay_risk;
grant select, insert, delete on risk.code_guess to yipay_risk;
grant select, insert, update on risk.shop to yipay_risk;
grant select, insert on risk.refund to yipay_risk;
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
