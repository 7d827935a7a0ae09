"""The command line: one clear line and a code for what a person can put right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend import roles
from backend.migrate import migrate
from backend.settings import Settings, to_environment
from tests.conftest import PASSWORD, Servers

ROOT = Path(__file__).resolve().parents[2]


def yipay(
    *words: str, environment: dict[str, str] | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        env={"PATH": os.defpath} | (environment or {}),
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )


@pytest.mark.parametrize(
    ("words", "environment", "line"),
    [
        (["up"], {"YIPAY_PROT": "1"}, "yipay: YIPAY_PROT: no such setting"),
        (["up"], {"YIPAY_PORT": "x"}, "yipay: YIPAY_PORT: expected a port number"),
        (
            ["up"],
            {"YIPAY_DEMO_CLOCK_AHEAD_S": "86400"},
            "yipay: YIPAY_DEMO_CLOCK_AHEAD_S: only with YIPAY_DEMO",
        ),
        (
            ["serve", "ledger"],
            {"YIPAY_DEMO_CLOCK_AHEAD_S": "86400"},
            "yipay: YIPAY_DEMO_CLOCK_AHEAD_S: only with YIPAY_DEMO",
        ),
        (["up", "--demo"], {"YIPAY_HOST": "0.0.0.0"}, "yipay: YIPAY_DEMO: only with YIPAY_HOST"),
        (["serve", "ledger"], {"YIPAY_DATA_DIR": "/nowhere"}, "yipay: YIPAY_LEDGER_URL: missing"),
        (["worker"], {"YIPAY_DATA_DIR": "/nowhere"}, "yipay: YIPAY_TX_URL: missing"),
        (["migrate"], {"YIPAY_DATA_DIR": "/nowhere"}, "yipay: YIPAY_TX_OWNER_URL: missing"),
        (["audit"], {"YIPAY_DATA_DIR": "/nowhere"}, "yipay: YIPAY_BOOKS_URL: missing"),
        (["roles"], {}, "yipay: YIPAY_TX_URL: missing"),
        (["demo"], {}, "yipay: YIPAY_DEMO: expected true"),
        (["serve", "cake"], {}, "Usage:"),
        (["bake"], {}, "Usage:"),
    ],
)
def test_mistakes_are_one_line(words: list[str], environment: dict[str, str], line: str) -> None:
    done = yipay(*words, environment=environment)
    assert done.returncode == 2
    assert done.stderr.startswith(line)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unreachable_database_is_one_line() -> None:
    urls = {
        name: "postgresql://someone:sesame@127.0.0.1:1/x"
        for name in ("YIPAY_BOOKS_URL", "YIPAY_SEC_URL")
    }
    done = yipay("audit", environment=urls)
    assert done.returncode == 1
    assert done.stderr.startswith("yipay: database: ")
    assert "sesame" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_lists_every_command() -> None:
    done = yipay("--help")
    assert done.returncode == 0
    for name in ("up", "serve", "worker", "migrate", "roles", "audit", "demo"):
        assert name in done.stdout


def test_a_failing_migration_is_one_line(servers: Servers) -> None:
    wrong = servers.tx.url("yipay_tx_owner", "wrong", roles.TX_DATABASE)
    right = servers.sec.url("yipay_sec_owner", PASSWORD, roles.SEC_DATABASE)
    environment = to_environment(Settings(tx_owner_url=wrong, sec_owner_url=right))
    done = yipay("migrate", environment=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("yipay: tx: ")
    assert len(done.stderr.splitlines()) == 1


def test_migrating_again_changes_nothing(servers: Servers) -> None:
    migrate(servers.settings)
    done = yipay("migrate", environment=to_environment(servers.settings))
    assert (done.returncode, done.stderr) == (0, "")


def test_roles_are_made_on_servers_of_ones_own(servers: Servers) -> None:
    admins = [servers.admin_url(servers.tx), servers.admin_url(servers.sec)]
    environment = to_environment(servers.settings)
    done = yipay("roles", environment=environment, given="\n".join(admins))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "tx: database and roles are there",
        "sec: database and roles are there",
    ]
    half = yipay("roles", environment=environment, given=admins[0] + "\n")
    assert half.returncode == 2
    assert "expected the superuser's URL of the sec server" in half.stderr


async def test_audit_of_new_books_is_clean(settings: Settings) -> None:
    done = yipay("audit", environment=to_environment(settings))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("the books are in order")
