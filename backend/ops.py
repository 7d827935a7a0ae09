"""For operators: health and metrics on the internal port, loopback only.

Liveness says that the process answers; readiness names the part that is missing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from aiohttp import web
from litestar.middleware.base import DefineMiddleware
from litestar.plugins.prometheus import PrometheusConfig
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from backend import jobs
from backend.clock import Clock, clock_for
from backend.db import TX
from backend.errors import DomainError
from backend.ledger import JournalHead
from backend.risk import Status
from backend.services import Closer, Services
from backend.settings import Settings

LOOPBACK = "127.0.0.1"
CHECK_TIMEOUT_S = 2
WORKER_SILENCE = timedelta(seconds=30)  # the worker says that it lives every 10 s
AUDIT_SILENCE = timedelta(seconds=10)  # the auditor looks every second or two
MAX_AUDIT_LAG = 1_000  # postings; a burst is caught up with in a second

PASS, WARN, FAIL = "pass", "warn", "fail"  # the words of application/health+json

_log = structlog.get_logger(__name__)

_up = Gauge("yipay_up", "1 if the part answers", ["part"])
_head = Gauge("yipay_ledger_head", "Number of the newest posting in the journal")
_audited = Gauge("yipay_audit_seq", "The journal is verified up to this posting")
_lag = Gauge("yipay_audit_lag", "Postings that are not verified yet")
_alarms = Gauge("yipay_open_alarms", "Alarms of the security system that nobody has closed")
_jobs = Gauge("yipay_jobs", "Jobs by status", ["status"])
_heartbeat = Gauge("yipay_worker_silence_seconds", "Time since a worker last said that it lives")


class Check(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One part in application/health+json."""

    status: str
    output: str = ""
    observed_value: int | str | None = None
    observed_unit: str = ""


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Keys of `checks` are the parts: tx database, ledger, risk, worker, audit, alarms."""

    status: str
    output: str
    checks: dict[str, tuple[Check, ...]]


class Parts(msgspec.Struct):
    """What every part answered; an exception where it did not."""

    database: BaseException | None
    ledger: JournalHead | BaseException
    risk: Status | BaseException
    heartbeat: datetime | BaseException | None
    jobs: dict[str, int] | BaseException


def request_metrics(face: str) -> DefineMiddleware:
    """Litestar middleware that counts and times requests by route, method and status."""
    return PrometheusConfig(app_name=face, prefix="yipay", group_path=True).middleware


async def start(settings: Settings, services: Services, clock: Clock | None = None) -> Closer:
    """Serve /health/live, /health/ready and /metrics until the returned function is awaited.

    The databases must be open. Raises OSError if the port is taken.
    """
    runner = web.AppRunner(
        application(services, clock or clock_for(settings)),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1,
    )
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, settings.internal_port).start()
    return runner.cleanup


def application(services: Services, clock: Clock) -> web.Application:
    async def live(request: web.Request) -> web.Response:
        return _health(Health(PASS, "", {}))

    async def ready(request: web.Request) -> web.Response:
        return _health(health(await _ask(services), clock.now()))

    async def metrics(request: web.Request) -> web.Response:
        _measure(await _ask(services), clock.now())
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", ready)
    app.router.add_get("/metrics", metrics)
    return app


def health(parts: Parts, now: datetime) -> Health:
    """Facts in, judgement out. An open alarm warns; a missing part fails."""
    checks = {
        "tx database": _answers(parts.database),
        "ledger": _answers(parts.ledger),
        "risk": _answers(parts.risk),
        "worker": _worker(parts.heartbeat, now),
    }
    if isinstance(parts.risk, Status):
        checks["audit"] = _audit(parts.ledger, parts.risk, now)
        checks["alarms"] = _open_alarms(parts.risk)
    missing = [name for name, found in checks.items() if found[0].status == FAIL]
    warned = [name for name, found in checks.items() if found[0].status == WARN]
    status = FAIL if missing else WARN if warned else PASS
    return Health(status, ", ".join(missing or warned), checks)


async def _ask(services: Services) -> Parts:
    asked: list[Any] = await asyncio.gather(
        *(
            _within(question)
            for question in (
                _database,
                services.ledger.head,
                services.risk.status,
                _last_heartbeat,
                _count_jobs,
            )
        ),
        return_exceptions=True,
    )
    return Parts(*asked)


async def _within(question: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(CHECK_TIMEOUT_S):
        return await question()


async def _database() -> None:
    await TX.query("select 1")


async def _last_heartbeat() -> datetime | None:
    return await jobs.last_beat(jobs.WORKER)


async def _count_jobs() -> dict[str, int]:
    return await jobs.count()


def _answers(answer: object) -> tuple[Check, ...]:
    if isinstance(answer, BaseException):
        return (Check(FAIL, _reason(answer)),)
    return (Check(PASS),)


def _worker(heartbeat: datetime | BaseException | None, now: datetime) -> tuple[Check, ...]:
    if isinstance(heartbeat, BaseException):
        return (Check(FAIL, _reason(heartbeat)),)
    if heartbeat is None:
        return (Check(FAIL, "no worker has ever run"),)
    silent = now - heartbeat
    status = FAIL if silent > WORKER_SILENCE else PASS
    return (Check(status, "", int(silent.total_seconds()), "s since its last sign of life"),)


def _audit(head: object, status: Status, now: datetime) -> tuple[Check, ...]:
    if status.audited_at is None:
        return (Check(FAIL, "the journal was never verified"),)
    if now - status.audited_at > AUDIT_SILENCE:
        seconds = int((now - status.audited_at).total_seconds())
        return (Check(FAIL, "the auditor is silent", seconds, "s since it last looked"),)
    lag = max(0, head.journal_seq - status.audited_seq) if isinstance(head, JournalHead) else 0
    return (Check(WARN if lag > MAX_AUDIT_LAG else PASS, "", lag, "postings not verified yet"),)


def _open_alarms(status: Status) -> tuple[Check, ...]:
    if not status.open_alarms:
        return (Check(PASS, "", 0, "open alarms"),)
    return tuple(
        Check(WARN, f"{alarm.kind}: {alarm.detail}", alarm.raised_at.isoformat(), "raised at")
        for alarm in status.alarms
    )


def _reason(error: BaseException) -> str:
    """A code or a kind of error: the text of an error may name what should stay inside."""
    return error.code if isinstance(error, DomainError) else type(error).__name__


def _measure(parts: Parts, now: datetime) -> None:
    _up.labels("tx").set(not isinstance(parts.database, BaseException))
    _up.labels("ledger").set(isinstance(parts.ledger, JournalHead))
    _up.labels("risk").set(isinstance(parts.risk, Status))
    if isinstance(parts.ledger, JournalHead):
        _head.set(parts.ledger.journal_seq)
    if isinstance(parts.risk, Status):
        _alarms.set(parts.risk.open_alarms)
        _audited.set(parts.risk.audited_seq)
        if isinstance(parts.ledger, JournalHead):
            _lag.set(max(0, parts.ledger.journal_seq - parts.risk.audited_seq))
    if isinstance(parts.heartbeat, datetime):
        _heartbeat.set((now - parts.heartbeat).total_seconds())
    if isinstance(parts.jobs, dict):
        for status, jobs in parts.jobs.items():
            _jobs.labels(status).set(jobs)


def _health(found: Health) -> web.Response:
    return web.Response(
        status=503 if found.status == FAIL else 200,
        body=msgspec.json.encode(found),
        content_type="application/health+json",
        headers={"Cache-Control": "no-store"},
    )
