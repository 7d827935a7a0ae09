"""Health names the part that is missing; metrics count what operators watch."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from litestar import Litestar, get
from litestar.params import FromPath
from litestar.testing import AsyncTestClient
from prometheus_client import generate_latest

from backend import jobs, ops
from backend.clock import FixedClock
from backend.db import TX
from backend.errors import Unavailable
from backend.ledger import JournalHead
from backend.ops import FAIL, PASS, WARN, Parts
from backend.risk import Alarm, Status
from backend.settings import Settings
from tests.ports import free_port
from tests.world import World, open_world

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALARM = Alarm(7, "row_altered", "entry 3 of person:usr_1", ("person:usr_1",), NOW)
WELL = Parts(
    database=None,
    ledger=JournalHead(3, 120, bytes(32)),
    risk=Status((), 0, 118, NOW - timedelta(seconds=1)),
    heartbeat=NOW - timedelta(seconds=4),
    jobs={"todo": 2, "doing": 1, "failed": 0},
)


def status_of(**changes: Any) -> tuple[str, str]:
    found = ops.health(msgspec.structs.replace(WELL, **changes), NOW)
    return found.status, found.output


def test_all_is_well() -> None:
    assert status_of() == (PASS, "")


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"database": ConnectionError()}, "tx database"),
        ({"ledger": Unavailable()}, "ledger"),
        ({"risk": TimeoutError()}, "risk"),
        ({"heartbeat": None}, "worker"),
        ({"heartbeat": NOW - timedelta(minutes=1)}, "worker"),
        ({"heartbeat": ConnectionError()}, "worker"),
        ({"risk": Status((), 0, 0, None)}, "audit"),
        ({"risk": Status((), 0, 120, NOW - timedelta(minutes=1))}, "audit"),
        ({"ledger": Unavailable(), "heartbeat": None}, "ledger, worker"),
    ],
)
def test_the_missing_part_is_named(changes: dict[str, object], missing: str) -> None:
    assert status_of(**changes) == (FAIL, missing)


def test_an_open_alarm_warns_and_is_shown() -> None:
    parts = msgspec.structs.replace(WELL, risk=Status((ALARM,), 1, 118, NOW))
    found = ops.health(parts, NOW)
    assert (found.status, found.output) == (WARN, "alarms")
    assert found.checks["alarms"][0].output == "row_altered: entry 3 of person:usr_1"


def test_an_auditor_far_behind_warns() -> None:
    assert status_of(ledger=JournalHead(9, 50_000, bytes(32))) == (WARN, "audit")


def test_errors_keep_their_words_inside() -> None:
    parts = msgspec.structs.replace(WELL, database=ConnectionError("password sesame refused"))
    assert "sesame" not in str(ops.health(parts, NOW))


@pytest.fixture
async def world(databases: Settings) -> AsyncIterator[World]:
    async with open_world(databases) as made:
        yield made


@pytest.fixture
async def internal(world: World) -> AsyncIterator[str]:
    settings = msgspec.structs.replace(world.settings, internal_port=free_port())
    close = await ops.start(settings, world.services, FixedClock(datetime.now(UTC)))  # noqa: TID251
    yield f"http://127.0.0.1:{settings.internal_port}"
    await close()


async def fetch(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, answer.content_type, await answer.text()


async def test_live_says_only_that_it_answers(internal: str, world: World) -> None:
    world.ledger.down = world.risk.down = True
    status, kind, body = await fetch(f"{internal}/health/live")
    assert (status, kind) == (200, "application/health+json")
    assert msgspec.json.decode(body)["status"] == "pass"


async def test_ready_is_503_and_names_what_is_missing(internal: str, world: World) -> None:
    world.ledger.down = True
    status, kind, body = await fetch(f"{internal}/health/ready")
    found = msgspec.json.decode(body)
    assert (status, kind) == (503, "application/health+json")
    assert found["checks"]["ledger"] == [{"status": "fail", "output": "unavailable"}]
    assert found["checks"]["tx database"] == [{"status": "pass"}]
    assert found["checks"]["worker"][0]["output"] == "no worker has ever run"
    await jobs.beat(jobs.WORKER, datetime.now(UTC))  # noqa: TID251
    world.ledger.heal()
    found = msgspec.json.decode((await fetch(f"{internal}/health/ready"))[2])
    assert found["checks"]["ledger"] == [{"status": "pass"}]
    assert found["checks"]["worker"][0]["status"] == "pass"


async def test_metrics_show_the_books_and_the_queue(internal: str, world: World) -> None:
    await world.person(balance=10_00)
    head = await world.books.head()
    _, _, text = await fetch(f"{internal}/metrics")
    assert f"yipay_ledger_head {float(head.journal_seq)}" in text
    assert 'yipay_up{part="ledger"} 1.0' in text
    assert 'yipay_jobs{status="todo"}' in text
    world.ledger.down = True
    _, _, text = await fetch(f"{internal}/metrics")
    assert 'yipay_up{part="ledger"} 0.0' in text


async def test_a_database_that_hangs_does_not_hang_the_answer(
    internal: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "CHECK_TIMEOUT_S", 0.2)
    async with TX.transaction():
        await TX.query("lock table jobs.heartbeat in access exclusive mode")
        _, _, body = await fetch(f"{internal}/health/ready")
    assert msgspec.json.decode(body)["checks"]["worker"][0]["output"] == "TimeoutError"


async def test_requests_are_counted_by_route() -> None:
    @get("/bills/{bill_id:str}")
    async def bill(bill_id: FromPath[str]) -> str:
        return bill_id

    app = Litestar([bill], middleware=[ops.request_metrics("probe")], openapi_config=None)
    async with AsyncTestClient(app) as client:
        for name in ("a", "b"):
            assert (await client.get(f"/bills/{name}")).status_code == 200
    text = generate_latest().decode()
    [line] = [
        line
        for line in text.splitlines()
        if line.startswith("yipay_requests_total") and 'app_name="probe"' in line
    ]
    assert 'path="/bills/{bill_id}"' in line
    assert 'status_code="200"' in line
    assert line.endswith(" 2.0")
