"""`yipay alarm`: who looked into an alarm ends it, and gives back what it froze."""

import pytest

from backend.db import SEC
from backend.risk.freeze import freeze_accounts
from backend.settings import Settings, to_environment
from tests.platform.test_cli import yipay
from tests.risk.conftest import NOON


@pytest.fixture
async def alarms(sec: Settings) -> dict[str, str]:
    """Two, of which the first froze Ann and the second Ben. The environment for commands."""
    for account in ("person:ann", "person:ben"):
        [row] = await SEC.query(
            "insert into risk.alarm (kind, detail, accounts, raised_at) "
            "values ('row_updated', $1, $2, $3) returning alarm_id",
            account,
            ["person:ann", account],
            NOON,
        )
        await freeze_accounts(["person:ann", account], row["alarm_id"], "alarm", NOON)
    return to_environment(Settings(sec_owner_url=sec.sec_owner_url, data_dir=sec.data_dir))


async def frozen() -> list[str]:
    rows = await SEC.query("select account_id from risk.frozen_account order by 1")
    return [row["account_id"] for row in rows]


async def test_alarms_are_listed_and_closed(alarms: dict[str, str]) -> None:
    listed = yipay("alarm", "list", environment=alarms)
    assert listed.stdout.splitlines() == [
        "1 2026-11-23 04:00:00 row_updated: person:ann [person:ann person:ann]",
        "2 2026-11-23 04:00:00 row_updated: person:ben [person:ann person:ben]",
    ], listed.stderr
    assert yipay("alarm", "close", "1", environment=alarms).returncode == 0
    assert yipay("alarm", "list", environment=alarms).stdout.startswith("2 ")
    assert await frozen() == ["person:ann", "person:ben"]
    thawed = yipay("alarm", "close", "2", "--thaw", environment=alarms)
    assert thawed.stdout == "alarm 2 is closed person:ben is thawed\n"
    assert await frozen() == ["person:ann"]
    events = await SEC.query(
        "select person_id, device_id, kind from risk.security_event order by event_seq"
    )
    assert [tuple(row) for row in events] == [
        ("person:ann", "alarm 1", "alarm_frozen"),
        ("person:ben", "alarm 2", "alarm_frozen"),
        ("", "alarm 1", "alarm_closed"),
        ("", "alarm 2", "alarm_closed"),
        ("person:ben", "alarm 2", "alarm_thawed"),
    ]


async def test_an_alarm_that_is_not_there(alarms: dict[str, str]) -> None:
    done = yipay("alarm", "close", "7", environment=alarms)
    assert (done.returncode, done.stderr) == (1, "yipay: no alarm 7\n")
