"""Batches, files and their downloads."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T00:10:00:000071"
VERSION = "1.38.0"
DESCRIPTION = "settlement: batches, files, downloads"

# The checks repeat the arithmetic of the code, the trigger its states: whoever goes around it,
# stays inside them.
SQL = """
create schema settlement;

create table settlement.shop (
    shop_id text collate "C" primary key,
    owner_id text collate "C" not null,
    card_id text collate "C" not null default '',
    card_last4 text collate "C" not null default '',
    closed_to date not null,  -- the last day whose batch is made
    filed_to date not null,  -- the last day whose files are made
    filing_until timestamptz not null default '-infinity'  -- a worker makes its files until then
);
create index shop_closed_to on settlement.shop (closed_to, shop_id);
create index shop_filed_to on settlement.shop (filed_to, shop_id);

-- What of a day's sales has gone into batches: sales noted later are found by it.
create table settlement.day (
    shop_id text collate "C" not null,
    day date not null,
    net_fen bigint not null,
    primary key (shop_id, day)
);

create table settlement.batch (
    batch_id text collate "C" primary key,
    shop_id text collate "C" not null
        references settlement.shop on delete restrict on update restrict,
    day date not null,
    amount_fen bigint not null,
    count bigint not null,
    fee_fen bigint not null,
    refund_fen bigint not null,
    refunds bigint not null,
    returned_fee_fen bigint not null,
    carried_fen bigint not null,
    net_fen bigint not null,
    status text collate "C" not null default 'waiting',
    payout_id text collate "C" not null default '',
    card_id text collate "C" not null default '',
    card_last4 text collate "C" not null default '',
    sent_fen bigint not null default 0,  -- what the payout was asked for
    paid_fen bigint not null default 0,
    refusal_code text collate "C" not null default '',
    carried_into text collate "C" not null default '',
    books_fen bigint not null,  -- the shop's balance in the books at the end of the day
    due_on date not null,
    created_at timestamptz not null,
    paid_at timestamptz,
    constraint batch_once_a_day unique (shop_id, day),
    constraint batch_sums check (least(amount_fen, count, fee_fen, refund_fen, refunds,
        returned_fee_fen) >= 0),
    constraint batch_net check (net_fen =
        amount_fen - fee_fen + returned_fee_fen - refund_fen + carried_fen),
    constraint batch_sent check (sent_fen between 0 and greatest(net_fen, 0)),
    constraint batch_status check (status in ('waiting', 'on_its_way', 'paid', 'returned')),
    constraint batch_state check (case status
        when 'waiting' then payout_id = '' and sent_fen = 0 and paid_fen = 0 and paid_at is null
        when 'on_its_way' then payout_id <> '' and sent_fen > 0 and paid_fen = 0
            and paid_at is null and carried_into = ''
        when 'paid' then payout_id <> '' and paid_fen = sent_fen and paid_at is not null
        else payout_id <> '' and paid_fen = 0 and refusal_code <> '' and paid_at is null end)
);
create unique index batch_payout_once on settlement.batch (payout_id) where payout_id <> '';
create index batch_waiting on settlement.batch (shop_id)
    where status = 'waiting' and carried_into = '' and net_fen > 0;
create index batch_on_its_way on settlement.batch (batch_id) where status = 'on_its_way';
create index batch_carriable on settlement.batch (shop_id)
    where carried_into = '' and net_fen <> paid_fen;

create function settlement.batch_moves() returns trigger language plpgsql as $$
begin
    if (new.batch_id, new.shop_id, new.day, new.amount_fen, new.count, new.fee_fen, new.refund_fen,
        new.refunds, new.returned_fee_fen, new.carried_fen, new.net_fen, new.books_fen,
        new.created_at) is distinct from
       (old.batch_id, old.shop_id, old.day, old.amount_fen, old.count, old.fee_fen, old.refund_fen,
        old.refunds, old.returned_fee_fen, old.carried_fen, old.net_fen, old.books_fen,
        old.created_at)
    then
        raise exception 'batch %: a closed day is closed', old.batch_id;
    end if;
    if old.status <> new.status and not (old.status, new.status) in (
        ('waiting', 'on_its_way'), ('on_its_way', 'paid'), ('on_its_way', 'returned'))
    then
        raise exception 'batch %: no way from % to %', old.batch_id, old.status, new.status;
    end if;
    if old.payout_id <> '' and (new.payout_id, new.sent_fen, new.card_id) is distinct from
        (old.payout_id, old.sent_fen, old.card_id)
    then
        raise exception 'batch %: it has one payout', old.batch_id;
    end if;
    if old.carried_into <> '' and new is distinct from old then
        raise exception 'batch %: it is part of another', old.batch_id;
    end if;
    return new;
end $$;
create trigger batch_moves before update on settlement.batch
    for each row execute function settlement.batch_moves();

create table settlement.file (
    shop_id text collate "C" not null,
    day date not null,
    kind text collate "C" not null,
    format text collate "C" not null,
    sha256 text collate "C" not null,
    size bigint not null,
    rows bigint not null,
    made_at timestamptz not null,
    packed bytea not null,  -- zlib
    constraint file_kind check (kind in ('trade', 'fund')),
    constraint file_format check (format in ('csv', 'json')),
    constraint file_sha256 check (sha256 ~ '^[0-9a-f]{64}$'),
    primary key (shop_id, day, kind, format)
);
alter table settlement.file alter column packed set storage external;  -- it is packed already
create index file_made on settlement.file (made_at);

create table settlement.download (
    token_hash bytea primary key,
    shop_id text collate "C" not null,
    day date not null,
    kind text collate "C" not null,
    format text collate "C" not null,
    expires_at timestamptz not null,
    constraint download_hash check (length(token_hash) = 32)
);
create index download_ended on settlement.download (expires_at);

grant usage on schema settlement to yipay_app;
grant select, insert, update on settlement.shop, settlement.day, settlement.batch to yipay_app;
grant select, insert, delete on settlement.file, settlement.download to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("settlement", ID, DESCRIPTION, SQL)
