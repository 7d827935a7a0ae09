"""Real PostgreSQL for every test: two clusters per run, a cloned pair of databases per worker."""

import asyncio
import gc
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import psycopg
import pytest

from backend import db, roles
from backend.migrate import migrate
from backend.postgres import SUPERUSER, Cluster
from backend.risk import enrolment
from backend.settings import Settings

PASSWORD = "test"
SPARE_MEMORY_BYTES = 4 * 1024**3
# Only tests may lose what was committed: no test here is about durability but the crash tests,
# which start servers of their own. A test opens a dozen connections: signing in is made cheap,
# and a backend has less memory to map.
FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "scram_iterations=1",
    "shared_buffers=64MB",
)
FIGURE = "figure"  # what a test says at the end of the run
CODE_PRICE = enrolment.SCRYPT_N


class Clones(msgspec.Struct):
    """A system's databases for one test each."""

    admin: psycopg.Connection  # one for all: to sign in costs more than to clone
    template: str
    spare: str = ""

    def take(self) -> str:
        if self.spare:
            name, self.spare = self.spare, ""
            return name
        name = f"t_{secrets.token_hex(6)}"
        self.admin.execute(
            f"create database {name} template {self.template}"
            f" owner {self.template}_owner strategy file_copy"
        )
        return name

    def give_back(self, name: str) -> None:
        """Many tests are about one of the two systems: the next test gets what nobody opened."""
        if self.spare or self._opened(name):
            self.admin.execute(f"drop database {name} with (force)")
        else:
            self.spare = name

    def _opened(self, name: str) -> bool:
        row = self.admin.execute(
            "select sessions > 0 or exists (select from pg_stat_activity where datname = %(name)s)"
            " from pg_stat_database where datname = %(name)s",
            {"name": name},
        ).fetchone()
        assert row is not None
        return bool(row[0])


class Servers(msgspec.Struct, frozen=True):
    """Running clusters; settings point at the template databases."""

    tx: Cluster
    sec: Cluster
    settings: Settings
    tx_clones: Clones
    sec_clones: Clones

    def admin_url(self, cluster: Cluster, database: str = "postgres") -> str:
        return cluster.url(SUPERUSER, PASSWORD, database)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first: begun last, they would leave the other workers idle."""
    items.sort(
        key=lambda item: not {"xdist_group", "timeout"} & {m.name for m in item.iter_markers()}
    )


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # libraries look for what was never freed


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """A line that is said at the end of the run."""
    return partial(record_property, FIGURE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == FIGURE:
                terminalreporter.write_line(str(value))


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
    try:
        with _clones(tx, roles.TX_DATABASE) as of_tx, _clones(sec, roles.SEC_DATABASE) as of_sec:
            settings = point_at(tx, sec, roles.TX_DATABASE, roles.SEC_DATABASE)
            asyncio.run(_make_templates(tx, sec))
            migrate(settings)
            yield Servers(tx, sec, settings, of_tx, of_sec)
    finally:
        stop_cluster(tx_process)
        stop_cluster(sec_process)
        shutil.rmtree(folder, ignore_errors=True)


async def _make_templates(tx: Cluster, sec: Cluster) -> None:
    for cluster, database, names in (
        (tx, roles.TX_DATABASE, roles.TX_ROLES),
        (sec, roles.SEC_DATABASE, roles.SEC_ROLES),
    ):
        admin_url = cluster.url(SUPERUSER, PASSWORD, "postgres")
        await roles.create(admin_url, database, dict.fromkeys(names, PASSWORD))


@contextmanager
def _clones(cluster: Cluster, template: str) -> Iterator[Clones]:
    with psycopg.connect(cluster.url(SUPERUSER, PASSWORD, "postgres"), autocommit=True) as admin:
        yield Clones(admin, template)


def _fast_folder() -> str | None:
    """Memory where there is plenty: a test's two databases are some 600 files, made and removed."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > SPARE_MEMORY_BYTES
    return str(memory) if roomy else None


@pytest.fixture
def settings(servers: Servers, tmp_path: Path) -> Iterator[Settings]:
    """Settings of this test alone: databases, keys and sockets of its own."""
    tx, sec = servers.tx_clones.take(), servers.sec_clones.take()
    yield msgspec.structs.replace(
        point_at(servers.tx, servers.sec, tx, sec),
        data_dir=str(tmp_path),
        keys_dir=str(tmp_path / "keys"),
        verdict_keys=str(tmp_path / "verdict.json"),
        bank_keys=str(tmp_path / "bank.json"),
        ledger_rpc=f"unix:{tmp_path}/ledger.sock",
        risk_rpc=f"unix:{tmp_path}/risk.sock",
    )
    drop_slots(servers, tx)
    servers.tx_clones.give_back(tx)
    servers.sec_clones.give_back(sec)


def drop_slots(servers: Servers, database: str) -> None:
    """An auditor's slot holds the log, and a cluster has ten of them: it ends with its test."""
    for drop, which in (
        ("pg_terminate_backend(active_pid, 2000)", "and active"),
        ("pg_drop_replication_slot(slot_name)", ""),
    ):
        servers.tx_clones.admin.execute(
            f"select {drop} from pg_replication_slots where database = '{database}' {which}"
        )


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
