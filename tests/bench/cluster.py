"""A cluster of the benchmarks' own, as durable as in service, and pgbench on it."""

import asyncio
import gc
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import msgspec

from backend import db, roles
from backend.ledger.process import GC_THRESHOLDS
from backend.migrate import migrate
from backend.postgres import BIN, SUPERUSER, Cluster
from backend.settings import Settings
from tests.conftest import PASSWORD, enterable, start_cluster, stop_cluster

SCALE = 10


class Bench(msgspec.Struct, frozen=True):
    """A migrated transaction database and one for pgbench, in one cluster."""

    cluster: Cluster
    settings: Settings
    folder: Path

    def admin_url(self, database: str) -> str:
        return self.cluster.url(SUPERUSER, PASSWORD, database)

    def tpcb(self, clients: int, seconds: float) -> float:
        """Transactions a second of pgbench, TPC-B-like, prepared."""
        options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2"]
        output = _pgbench(*options, "-T", str(max(1, round(seconds))), self.admin_url("pgbench"))
        found = re.search(r"tps = ([\d.]+) \(without", output)
        assert found, output
        return float(found[1])


def _pgbench(*options: str) -> str:
    return subprocess.run(
        [str(BIN / "pgbench"), *options], capture_output=True, text=True, check=True
    ).stdout


@contextmanager
def bench() -> Iterator[Bench]:
    """fsync and synchronous_commit stay on, wal_level is logical, as the product runs it."""
    with tempfile.TemporaryDirectory(prefix="yipay-bench-") as name:
        folder = enterable(Path(name))
        cluster, process = start_cluster("tx", folder, ())
        try:
            yield Bench(cluster, _settings(cluster, folder), folder)
        finally:
            stop_cluster(process)


def _settings(cluster: Cluster, folder: Path) -> Settings:
    def url(role: str) -> str:
        return cluster.url(role, PASSWORD, roles.TX_DATABASE)

    asyncio.run(_create(cluster.url(SUPERUSER, PASSWORD, "postgres")))
    _pgbench("-i", "-q", "-s", str(SCALE), cluster.url(SUPERUSER, PASSWORD, "pgbench"))
    settings = Settings(
        tx_url=url("yipay_app"),
        ledger_url=url("yipay_ledger"),
        books_url=url("yipay_auditor"),
        tx_owner_url=url("yipay_tx_owner"),
        data_dir=str(folder),
        keys_dir=str(folder / "keys"),
        verdict_keys=str(folder / "verdict.json"),
        ledger_rpc=f"unix:{folder}/ledger.sock",
    )
    migrate(settings, ("tx",))
    return settings


async def _create(admin_url: str) -> None:
    await roles.create(admin_url, roles.TX_DATABASE, dict.fromkeys(roles.TX_ROLES, PASSWORD))
    admin = await asyncpg.connect(admin_url)
    await admin.execute("create database pgbench")
    await admin.close()


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[None]:
    gc.set_threshold(*GC_THRESHOLDS)  # as the ledger process does
    await db.LEDGER.open(settings.ledger_url)
    try:
        yield
    finally:
        await db.LEDGER.close()
