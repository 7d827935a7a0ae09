"""Clusters refuse what they can't serve, in one line, and drop root's rights."""

import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from backend import roles
from backend.migrate import _locked
from backend.postgres import SUPERUSER, VERSION, Cluster, PostgresError
from backend.settings import SettingsError
from tests.conftest import PASSWORD, Servers, start_cluster, stop_cluster

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops rights")


@pytest.fixture
def cluster(short_path: Path) -> Cluster:
    made = Cluster("tx", short_path)
    made.initialise(PASSWORD)
    return made


def test_a_cluster_is_made_once(cluster: Cluster) -> None:
    before = (cluster.data / "PG_VERSION").stat().st_mtime_ns
    assert cluster.initialise("another") is False
    assert (cluster.data / "PG_VERSION").stat().st_mtime_ns == before
    assert not (cluster.home / "superuser").exists()


def test_an_interrupted_start_begins_again(short_path: Path) -> None:
    cluster = Cluster("tx", short_path)
    draft = cluster.home / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text(VERSION.split(".")[0])
    assert cluster.initialise(PASSWORD) is True
    assert not draft.exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: (data / "PG_VERSION").write_text("17\n"), "made by PostgreSQL 17"),
        (lambda data: (data / "PG_VERSION").unlink(), "not a PostgreSQL data folder"),
        (lambda data: data.chmod(0o755), "mode 0700"),
    ],
)
def test_a_damaged_folder_is_refused(cluster: Cluster, damage: object, words: str) -> None:
    damage(cluster.data)  # type: ignore[operator]
    with pytest.raises(PostgresError, match=words):
        cluster.initialise(PASSWORD)


def test_a_strangers_socket_folder_is_refused(short_path: Path) -> None:
    cluster = Cluster("tx", short_path)
    cluster.socket_dir.parent.mkdir(parents=True)
    (short_path / "elsewhere").mkdir()
    cluster.socket_dir.symlink_to(short_path / "elsewhere")
    with pytest.raises(PostgresError, match="must be a folder of"):
        cluster.initialise(PASSWORD)
    cluster.socket_dir.unlink()
    cluster.socket_dir.mkdir(mode=0o700)
    cluster.socket_dir.chmod(0o777)
    with pytest.raises(PostgresError, match="must be a folder of"):
        cluster.initialise(PASSWORD)


def test_a_path_that_is_too_long_for_sockets_goes_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    assert len(os.fsencode(Cluster("tx", deep).socket_dir)) < 100
    assert Cluster("tx", tmp_path).socket_dir != Cluster("tx", deep).socket_dir


def test_a_missing_binary_is_one_line(short_path: Path) -> None:
    with pytest.raises(PostgresError, match="initdb: missing"):
        Cluster("tx", short_path, short_path / "bin").initialise(PASSWORD)


def test_a_dead_servers_pid_file_is_forgotten(cluster: Cluster) -> None:
    """Its number belongs to another process now, which would stop the start for ever."""
    pid_file = cluster.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{cluster.data}\n")
    assert cluster.server_pid() is None
    cluster.forget_dead_server()
    assert not pid_file.exists()


def test_a_living_servers_pid_file_stays(short_path: Path) -> None:
    cluster, process = start_cluster("tx", short_path)
    try:
        assert cluster.server_pid() == process.pid
        cluster.forget_dead_server()
        assert (cluster.data / "postmaster.pid").exists()
    finally:
        stop_cluster(process)


@is_root
def test_the_server_has_none_of_roots_groups(cluster: Cluster) -> None:
    done = subprocess.run(["id", "-G", "-n"], **cluster.as_user(), capture_output=True, check=True)
    assert done.stdout.decode().split() == ["yipay-tx"]


async def test_the_two_clusters_do_not_know_each_others_superuser(servers: Servers) -> None:
    for cluster in (servers.tx, servers.sec):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(cluster.url(SUPERUSER, "guess", "postgres"))


@pytest.mark.parametrize(
    ("system", "role"), [("tx", role) for role in roles.TX_ROLES[1:]] + [("sec", "yipay_risk")]
)
async def test_service_roles_own_nothing(servers: Servers, system: str, role: str) -> None:
    cluster = servers.tx if system == "tx" else servers.sec
    database = roles.TX_DATABASE if system == "tx" else roles.SEC_DATABASE
    connection = await asyncpg.connect(cluster.url(role, PASSWORD, database))
    try:
        for statement in (
            "create table public.mine (a int)",
            "create schema mine",
            "create role friend",
            "create temporary table mine (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_roles_for_own_servers_come_from_their_urls(servers: Servers) -> None:
    admin = servers.admin_url(servers.tx)
    urls = {role: servers.tx.url(role, PASSWORD, roles.TX_DATABASE) for role in roles.TX_ROLES}
    await roles.create_from_urls(admin, urls)
    await roles.create_from_urls(admin, urls)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://someone:x@db/yipay_tx", "expected the role yipay_app"),
        ("postgresql://yipay_app:it's@db/yipay_tx", "letters and digits"),
        ("postgresql://yipay_app@db/yipay_tx", "letters and digits"),
        ("postgresql://yipay_app:x@db/bad-name", "expected one database"),
        ("postgresql://yipay_app:x@db", "expected one database"),
    ],
)
async def test_urls_that_say_no_role_are_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        await roles.create_from_urls("postgresql://unused/", {"yipay_app": url})


async def test_a_server_that_is_too_old_is_refused(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.settings.MIN_POSTGRES", 99)
    with pytest.raises(SettingsError, match="expected PostgreSQL 99 or newer, the server is 1"):
        await roles.create(servers.admin_url(servers.tx), "yipay_tx", {"yipay_tx_owner": PASSWORD})
    with pytest.raises(SettingsError, match="expected PostgreSQL 99"):
        await _locked(servers.settings.tx_owner_url)
