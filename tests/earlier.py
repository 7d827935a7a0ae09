"""Filled tables as they were before a migration, which then comes over them.

await back(settings, "redpacket", ID, {"share": "select … from redpacket.share_now"})
await forwards(settings)
"""

import asyncio
import pkgutil
from collections.abc import Mapping
from importlib import import_module

import asyncpg

from backend.db import TX
from backend.migrate import migrate
from backend.settings import Settings

ROWS = "select coalesce(jsonb_agg(to_jsonb(found)), '[]')::text from ({}) found"


async def back(settings: Settings, app: str, before: str, was: Mapping[str, str]) -> None:
    """The app's tables as the migrations older than `before` make them, with the rows they have
    now. was: by table, the query whose rows it had then, if not its own."""
    owner = await asyncpg.connect(settings.tx_owner_url)
    try:
        async with owner.transaction():
            rows = {}
            for table in await _tables(owner, app):
                query = was.get(table, f"select * from {app}.{table}")
                rows[table] = await owner.fetchval(ROWS.format(query))
            await owner.execute(f"drop schema {app} cascade")
            for migration in _older(app, before):
                await owner.execute(migration)
            for table in await _tables(owner, app):
                await _fill(owner, f"{app}.{table}", rows[table])
            await owner.execute(
                "delete from migration where app_name = $1 and name >= $2", app, before
            )
    finally:
        await owner.close()


async def forwards(settings: Settings) -> None:
    """As the product does it before it starts."""
    await TX.close()
    await asyncio.to_thread(migrate, settings, ("tx",))
    await TX.open(settings.tx_url)


async def _tables(owner: asyncpg.Connection, app: str) -> list[str]:
    """As they were made: what is referred to comes first."""
    rows = await owner.fetch(
        "select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'r'"
        " order by oid",
        app,
    )
    return [row["relname"] for row in rows]


def _older(app: str, before: str) -> list[str]:
    package = import_module(f"backend.{app}.migrations")
    found = [
        import_module(f"{package.__name__}.{each.name}")
        for each in pkgutil.iter_modules(package.__path__)
    ]
    assert before in {each.ID for each in found}, "there is such a migration"
    return [each.SQL for each in sorted(found, key=lambda one: one.ID) if before > each.ID]


async def _fill(owner: asyncpg.Connection, table: str, rows: str) -> None:
    """Without what follows from a row when it is new: that has followed already."""
    await owner.execute(f"alter table {table} disable trigger user")
    await owner.execute(
        f"insert into {table} select * from jsonb_populate_recordset(null::{table}, $1)"
        " on conflict do nothing",  # fees, which the migration itself fills
        rows,
    )
    await owner.execute(f"alter table {table} enable trigger user")
