"""What a whole product's databases do meanwhile: statements, transactions, flushes of the log."""

from collections.abc import Mapping

import asyncpg
import msgspec

from backend.postgres import SUPERUSER
from backend.settings import Settings
from backend.supervisor import home as homes
from backend.supervisor.run import SYSTEMS
from e2e.wallet import Wallet

CONFIGURATION = """
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
pg_stat_statements.track_planning = on
"""
_COUNTS = """
select xact_commit + xact_rollback as transactions,
    (select sum(fsyncs) from pg_stat_io where object = 'wal')::bigint as flushes,
    (select wal_bytes from pg_stat_wal)::bigint as log_bytes
from pg_stat_database where datname = current_database()
"""
_STATEMENTS = """
select query, calls, plans, total_exec_time as run_ms, total_plan_time as planned_ms
from pg_stat_statements where query !~* 'pg_stat' order by total_exec_time + total_plan_time desc
"""


class Statement(msgspec.Struct, frozen=True):
    query: str
    calls: int
    plans: int
    run_ms: float
    planned_ms: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    transactions: int
    flushes: int
    log_bytes: int
    statements: tuple[Statement, ...]


class Inside:
    """Made before the wallet starts: its clusters are made here, and load what counts."""

    def __init__(self, wallet: Wallet) -> None:
        home = homes.find(Settings(data_dir=str(wallet.folder / "data")))
        homes.make(home)
        self._urls: dict[str, str] = {}
        for system in SYSTEMS:
            cluster, password = home.cluster(system), homes.passwords(home, system)[SUPERUSER]
            cluster.initialise(password)
            with (cluster.data / "postgresql.conf").open("a") as configuration:
                configuration.write(CONFIGURATION)
            self._urls[system] = cluster.url(SUPERUSER, password, homes.SYSTEMS[system][0])

    async def begin(self) -> Mapping[str, asyncpg.Record]:
        """What `end` takes."""
        return {system: await self._begin(url) for system, url in self._urls.items()}

    async def end(self, begun: Mapping[str, asyncpg.Record]) -> dict[str, Seen]:
        """By system, what was seen since then."""
        return {system: await self._end(url, begun[system]) for system, url in self._urls.items()}

    async def _begin(self, url: str) -> asyncpg.Record:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("create extension if not exists pg_stat_statements")
            await connection.execute("select pg_stat_statements_reset()")
            [counts] = await connection.fetch(_COUNTS)
            return counts
        finally:
            await connection.close()

    async def _end(self, url: str, begun: asyncpg.Record) -> Seen:
        connection = await asyncpg.connect(url)
        try:
            [ended] = await connection.fetch(_COUNTS)
            rows = await connection.fetch(_STATEMENTS)
        finally:
            await connection.close()
        statements = tuple(msgspec.convert(dict(row), Statement) for row in rows)
        counts = {name: ended[name] - begun[name] for name in ended.keys()}  # noqa: SIM118
        return Seen(**counts, statements=statements)
