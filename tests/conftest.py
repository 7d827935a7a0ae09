"""Real PostgreSQL for every test: two clusters per run, a cloned pair of databases per worker."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from backend import db, roles
from backend.migrate import migrate
from backend.postgres import SUPERUSER, Cluster
from backend.risk import enrolment
from backend.settings import Settings

PASSWORD = "test"
SPARE_MEMORY_BYTES = 4 * 1024**3
# Only tests may lose what was committed: no test here is about durability but the crash tests,
# which start servers of their own.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


CODE_PRICE = enrolment.SCRYPT_N


class Servers(msgspec.Struct, frozen=True):
    """Running clusters; settings point at the template databases."""

    tx: Cluster
    sec: Cluster
    settings: Settings

    def admin_url(self, cluster: Cluster, database: str = "postgres") -> str:
        return cluster.url(SUPERUSER, PASSWORD, database)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def cheap_codes() -> Iterator[None]:
    """Everybody who signs up pays the slow hash twice: a quarter of what all tests cost. Tests of
    the code itself pay its price, CODE_PRICE."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enrolment, "SCRYPT_N", 2)
        yield


def start_cluster(
    name: str, folder: Path, options: tuple[str, ...] = FAST
) -> tuple[Cluster, subprocess.Popen[bytes]]:
    """A running cluster with superuser password PASSWORD; stop it with SIGINT."""
    cluster = Cluster(name, folder)
    cluster.initialise(PASSWORD)
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            cluster.command(options),
            **cluster.as_user(),
            stdout=log,
            stderr=log,
            cwd="/",
        )
    deadline = time.monotonic() + 30
    while not cluster.ready():
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        assert time.monotonic() < deadline, f"cluster {name} did not start"
        time.sleep(0.05)
    return cluster, process


def stop_cluster(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)


def point_at(tx: Cluster, sec: Cluster, tx_database: str, sec_database: str) -> Settings:
    """Settings whose URLs lead to these databases under the service roles."""
    return Settings(
        tx_url=tx.url("yipay_app", PASSWORD, tx_database),
        ledger_url=tx.url("yipay_ledger", PASSWORD, tx_database),
        books_url=tx.url("yipay_auditor", PASSWORD, tx_database),
        tx_owner_url=tx.url("yipay_tx_owner", PASSWORD, tx_database),
        sec_url=sec.url("yipay_risk", PASSWORD, sec_database),
        sec_owner_url=sec.url("yipay_sec_owner", PASSWORD, sec_database),
    )


def enterable(folder: Path) -> Path:
    """Let the clusters' system users pass through pytest's private folders."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not in pytest's own folder: every other pytest that starts closes that to the system users.
    folder = enterable(Path(tempfile.mkdtemp(prefix="yipay-tests-", dir=_fast_folder())))
    tx, tx_process = start_cluster("tx", folder)
    sec, sec_process = start_cluster("sec", folder)
    settings = point_at(tx, sec, roles.TX_DATABASE, roles.SEC_DATABASE)
    started = Servers(tx, sec, settings)

    async def create() -> None:
        for cluster, database, names in (
            (tx, roles.TX_DATABASE, roles.TX_ROLES),
            (sec, roles.SEC_DATABASE, roles.SEC_ROLES),
        ):
            passwords = dict.fromkeys(names, PASSWORD)
            await roles.create(started.admin_url(cluster), database, passwords)

    try:
        asyncio.run(create())
        migrate(settings)
        yield started
    finally:
        stop_cluster(tx_process)
        stop_cluster(sec_process)
        shutil.rmtree(folder, ignore_errors=True)


def _fast_folder() -> str | None:
    """Memory where there is plenty: a test's two databases are some 600 files, made and removed."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > SPARE_MEMORY_BYTES
    return str(memory) if roomy else None


async def clone(servers: Servers) -> Settings:
    """A fresh pair of databases, cloned from the migrated ones."""
    name = f"t_{secrets.token_hex(6)}"
    for cluster, template in (
        (servers.tx, roles.TX_DATABASE),
        (servers.sec, roles.SEC_DATABASE),
    ):
        admin = await asyncpg.connect(servers.admin_url(cluster))
        await admin.execute(
            f"create database {name} template {template} owner {template}_owner strategy file_copy"
        )
        await admin.close()
    return point_at(servers.tx, servers.sec, name, name)


@pytest.fixture
async def settings(servers: Servers, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of this test alone: databases, keys and sockets of its own."""
    cloned = await clone(servers)
    yield msgspec.structs.replace(
        cloned,
        data_dir=str(tmp_path),
        keys_dir=str(tmp_path / "keys"),
        verdict_keys=str(tmp_path / "verdict.json"),
        bank_keys=str(tmp_path / "bank.json"),
        ledger_rpc=f"unix:{tmp_path}/ledger.sock",
        risk_rpc=f"unix:{tmp_path}/risk.sock",
    )
    await drop_slots(servers, cloned)
    name = _database(cloned)
    for cluster in (servers.tx, servers.sec):
        admin = await asyncpg.connect(servers.admin_url(cluster))
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


def _database(settings: Settings) -> str:
    return settings.tx_url.partition("@/")[2].partition("?")[0]


async def drop_slots(servers: Servers, settings: Settings) -> None:
    """An auditor's slot holds the log, and a cluster has ten of them: it ends with its test."""
    admin = await asyncpg.connect(servers.admin_url(servers.tx))
    database = _database(settings)
    for drop in ("pg_terminate_backend(active_pid, 2000)", "pg_drop_replication_slot(slot_name)"):
        await admin.execute(
            f"select {drop} from pg_replication_slots where database = '{database}'"
            + (" and active" if "active" in drop else "")
        )
    await admin.close()


@pytest.fixture
async def databases(settings: Settings) -> AsyncIterator[Settings]:
    """All pools open on this test's databases."""
    await db.TX.open(settings.tx_url)
    await db.LEDGER.open(settings.ledger_url)
    await db.SEC.open(settings.sec_url)
    await db.BOOKS.open(settings.books_url, size=2)
    yield settings
    for database in db.ALL:
        await database.close()
