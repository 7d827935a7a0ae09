"""Shops."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from backend.migrate import from_sql

ID = "2026-11-22T20:30:00:000006"
VERSION = "1.38.0"
DESCRIPTION = "shops"

SQL = """
create schema merchant;

create table merchant.shop (
    shop_id text collate "C" primary key,
    owner_id text collate "C" not null,
    name text not null,
    category text collate "C" not null,
    status text collate "C" not null default 'open',
    created_at timestamptz not null,
    constraint shop_one_per_owner unique (owner_id),
    constraint shop_name_length check (length(name) between 2 and 32),
    constraint shop_category check (category in
        ('food', 'retail', 'services', 'travel', 'health', 'education', 'other')),
    constraint shop_status check (status in ('open', 'frozen'))
);

grant usage on schema merchant to yipay_app;
grant select, insert, update on merchant.shop to yipay_app;
"""


async def forwards() -> MigrationManager:
    return from_sql("merchant", ID, DESCRIPTION, SQL)
