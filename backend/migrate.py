"""Migrations of one system, under an advisory lock. `python -m backend.migrate tx|sec`.

Piccolo finds its configuration by an environment variable, once per process: hence a process each.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from backend import settings as settings_module
from backend.settings import Settings, SettingsError, check_postgres

if (
    TYPE_CHECKING
):  # Piccolo's migrations take half a second to import, and only a migration needs them
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager

ROOT = Path(__file__).resolve().parents[1]

LOCK = 0x79697061  # "yipa"


class MigrationFailed(Exception):
    """The last line of what the migration printed."""


def migrate(settings: Settings, systems: tuple[str, ...] = ("tx", "sec")) -> None:
    """Run what is not run yet, one process per system."""
    for system in systems:
        environment = settings_module.to_environment(settings)
        environment["PICCOLO_CONF"] = f"backend.piccolo_{system}"
        done = subprocess.run(  # noqa: S603 — ourselves, no shell
            [sys.executable, "-m", "backend.migrate", system],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise MigrationFailed(f"{system}: {lines[-1] if lines else 'no output'}")


def from_sql(app_name: str, migration_id: str, description: str, sql: str) -> "MigrationManager":
    """A migration of plain SQL, many statements in one transaction."""
    from piccolo.apps.migrations.auto.migration_manager import MigrationManager
    from piccolo.engine import engine_finder
    from piccolo.engine.postgres import PostgresEngine

    manager = MigrationManager(
        migration_id=migration_id, app_name=app_name, description=description
    )

    async def run() -> None:
        engine = engine_finder()
        assert isinstance(engine, PostgresEngine)
        transaction = engine.current_transaction.get()
        assert transaction is not None, "Piccolo wraps each migration in a transaction"
        await transaction.connection.execute(sql)

    manager.add_raw(run)
    return manager


async def _locked(url: str) -> bool:
    from piccolo.apps.migrations.commands.forwards import run_forwards

    lock = await asyncpg.connect(url)
    try:
        check_postgres(lock.get_server_version().major)
        await lock.execute("select pg_advisory_lock($1)", LOCK)
        result = await run_forwards("all")
        return result.success
    finally:
        await lock.close()


if __name__ == "__main__":
    _settings = settings_module.load()
    _url = _settings.tx_owner_url if sys.argv[1] == "tx" else _settings.sec_owner_url
    try:
        sys.exit(0 if asyncio.run(_locked(_url)) else 1)
    except SettingsError as _error:
        sys.exit(str(_error))
