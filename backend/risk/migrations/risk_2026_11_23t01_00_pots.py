"""Pots: what was put aside, what has been promised out of it, and who opens packets."""

from backend.migrate import from_sql

ID = "2026-11-23T01:00:00:000010"
VERSION = "1.38.0"
DESCRIPTION = "pots, shares, openers and their limits"

SQL = """
-- A row per pot whose funding was allowed; its lock orders all that goes out. taken, taken_fen: by
-- shares that were allowed and not given back. end_id: the one return or arrival.
create table risk.pot (
    pot_id text collate "C" primary key,
    intent_id text collate "C" not null unique,
    kind text not null check (kind in ('packet', 'delayed')),
    owner_id text collate "C" not null references risk.person on delete restrict,
    to_id text collate "C" not null,
    shares int not null check (shares between 1 and 100),
    total_fen bigint not null check (total_fen > 0),
    until_at timestamptz not null,
    taken int not null default 0,
    taken_fen bigint not null default 0,
    end_id text collate "C" unique,
    constraint pot_taken check (taken between 0 and shares),
    constraint pot_taken_fen check (taken_fen between 0 and total_fen)
) with (fillfactor = 50);

-- Who was let pass to a pot, and the share they have of it: one, by the key.
create table risk.opening (
    pot_id text collate "C" not null references risk.pot on delete restrict,
    person_id text collate "C" not null references risk.person on delete restrict,
    device_id text collate "C" not null,
    passed_at timestamptz not null,
    intent_id text collate "C",
    amount_fen bigint check (amount_fen > 0),
    day date,  -- on which the share was counted
    primary key (pot_id, person_id),
    constraint opening_share check (num_nulls(intent_id, amount_fen, day) in (0, 3))
) with (fillfactor = 70);
create index opening_intent on risk.opening (intent_id) where intent_id is not null;

-- What a person has opened. tries: packets that they were let pass to, shares or not.
create table risk.opener (
    person_id text collate "C" primary key references risk.person on delete restrict,
    day date not null default '-infinity',
    tries int not null default 0 check (tries >= 0),
    shares int not null default 0 check (shares >= 0),
    fen bigint not null default 0 check (fen >= 0),
    year int not null default 0,
    year_fen bigint not null default 0 check (year_fen >= 0)
) with (fillfactor = 50);
insert into risk.opener (person_id) select person_id from risk.person;

alter table risk.device
    add column opened_day date not null default '-infinity',
    add column opened int not null default 0 check (opened >= 0);

alter table risk.spending
    add column packet_fen bigint not null default 0 check (packet_fen between 0 and 500000);
alter table risk.reservation add column packet boolean not null default false;

alter table risk.decision drop constraint decision_stage_check;
alter table risk.decision add constraint decision_stage_check check (stage in
    ('prepare', 'authorize', 'top_up', 'refund_prepare', 'refund', 'payout', 'payout_return',
     'share', 'pot_end'));

grant select, insert, update on risk.pot, risk.opening, risk.opener to yipay_risk;
"""


async def forwards():
    return from_sql("risk", ID, DESCRIPTION, SQL)
