"""What people put on their bills, and the indexes of searching."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-23T01:00:00:000021"
VERSION = "1.38.0"
DESCRIPTION = "labels and search"

SQL = """
create table bills.label (
    person_id text collate "C" not null,
    bill_id text collate "C" not null,
    category text collate "C" not null,
    note text not null,
    event_at timestamptz not null,
    primary key (person_id, bill_id),
    foreign key (person_id, bill_id) references bills.bill on delete restrict on update restrict,
    constraint label_category check (category ~ '^[a-z]{0,16}$'),
    constraint label_note check (char_length(note) <= 200)
);
create index label_of_category on bills.label (person_id, category, event_at desc, bill_id desc)
    where category <> '';
create index label_with_note on bills.label (person_id) include (bill_id, note) where note <> '';

create index bill_of_kind on bills.bill (person_id, kind, event_at desc, bill_id desc);
create index bill_not_done on bills.bill (person_id, status, event_at desc, bill_id desc)
    where status <> 'succeeded';
create index bill_refunded on bills.bill (person_id, event_at desc, bill_id desc)
    where refunded_fen > 0;
create index bill_of_order on bills.bill (person_id, order_id) where order_id <> '';

grant select, insert, update on bills.label to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("bills", ID, DESCRIPTION, SQL)
