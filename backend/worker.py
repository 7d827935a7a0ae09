"""The worker: jobs from the queue, and the sweeps that end what stopped half-way."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import DeleteJobCondition, Job

from backend import jobs, onboarding, services
from backend.apart import apart
from backend.clock import Clock, clock_for
from backend.payments.parts import GIVE_BACK, RESUME
from backend.services import Services
from backend.settings import Settings

SWEEP_S = 10.0
RESTART_S = 2.0  # after the queue's worker failed, for example with its database
CONCURRENCY = 10
STALLED_S = 30.0  # a job whose worker showed no sign of life for so long is taken over
STOP_S = 10.0  # for jobs under way when we are told to stop

# Attempts at about 2, 4, … 1024 s: beyond the longest fault we expect; the sweeps go on anyway.
RETRIES = procrastinate.RetryStrategy(max_attempts=10, exponential_wait=2)
MAX_WAIT_S = 600

_log = structlog.get_logger(__name__)


class Enduring(procrastinate.BaseRetryStrategy):
    """For what no sweep repeats: it is tried until it succeeds, less and less often."""

    def get_retry_decision(
        self, *, exception: BaseException, job: Job
    ) -> procrastinate.RetryDecision:
        doublings = min(job.attempts + 1, MAX_WAIT_S.bit_length())
        return procrastinate.RetryDecision(retry_in={"seconds": min(2**doublings, MAX_WAIT_S)})


class Sweep:
    """A sweep's name and what it calls; it answers how many things it touched."""

    def __init__(self, name: str, call: Callable[[], Awaitable[int]]) -> None:
        self.name, self.call = name, call


async def run(settings: Settings) -> None:
    """Work until cancelled, then finish the jobs under way."""
    clock = clock_for(settings)
    found, close = await services.build(settings, clock=clock)
    try:
        async with asyncio.TaskGroup() as group:
            for sweep in sweeps(found):
                group.create_task(_sweep_for_ever(sweep, clock))
            group.create_task(_work_for_ever(settings, found))
    finally:
        await close()


def sweeps(found: Services) -> tuple[Sweep, ...]:
    return (
        Sweep("payments", found.payments.sweep),
        Sweep("banking", found.banking.sweep),
        Sweep("redpackets", found.redpackets.sweep),
        Sweep("settlement", found.settlement.sweep),
        Sweep("transfers", found.transfers.sweep),
        Sweep("notices", found.notices.sweep),
        Sweep("events", found.events.sweep),
        Sweep("proofs", found.identity.sweep),
        Sweep("thefts", lambda: onboarding.tell_thefts(found)),
        Sweep("idempotency", found.idempotency.sweep),
    )


def application(settings: Settings, found: Services) -> procrastinate.App:
    """The queue's tasks: each is one call that may be repeated."""
    connector = procrastinate.PsycopgConnector(
        conninfo=settings.tx_url,
        kwargs={"options": "-c search_path=jobs"},
        min_size=1,
        max_size=4,
    )
    app = procrastinate.App(connector=connector)

    @app.task(name=RESUME, queue=jobs.QUEUE, retry=RETRIES)
    async def resume(ref: str) -> None:
        await found.payments.resume(ref)

    @app.task(name=GIVE_BACK, queue=jobs.QUEUE, retry=Enduring())
    async def give_back(ref: str) -> None:
        await found.payments.give_back(ref)

    return app


async def _sweep_for_ever(sweep: Sweep, clock: Clock) -> None:
    while True:
        await sweep_once(sweep, clock)
        await asyncio.sleep(SWEEP_S)


async def sweep_once(sweep: Sweep, clock: Clock) -> None:
    """One round. The sweeps share one process: a database that is away for one ends no other."""
    if touched := await apart(_round(sweep, clock), 0, "sweep", sweep.name):
        _log.info("swept", sweep=sweep.name, touched=touched)


async def _round(sweep: Sweep, clock: Clock) -> int:
    """No heartbeat when it fails, so that readiness shows a worker whose sweeps all do."""
    touched = await sweep.call()
    await jobs.beat(jobs.WORKER, clock.now())
    return touched


async def _work_for_ever(settings: Settings, found: Services) -> None:
    """The library's worker ends when its database does: begin again when it is back."""
    while True:
        try:
            app = application(settings, found)
            async with app.open_async(), asyncio.TaskGroup() as group:
                group.create_task(_rescue_for_ever(app))
                await _insisting(
                    app.run_worker_async(
                        queues=[jobs.QUEUE],
                        concurrency=CONCURRENCY,
                        delete_jobs=DeleteJobCondition.SUCCESSFUL,
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=STOP_S,
                    )
                )
        except Exception as error:
            _log.warning("queue_lost", error=type(error).__name__)
        await asyncio.sleep(RESTART_S)


async def _insisting(work: Coroutine[Any, Any, None]) -> None:
    """Told to end, it ends: a cancellation that meets a connection being made may be lost, so it is
    repeated where the library's own time for ending has passed."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=STOP_S + 1)
        raise


async def _rescue_for_ever(app: procrastinate.App) -> None:
    while True:
        await take_over_stalled(app)
        await asyncio.sleep(SWEEP_S)


async def take_over_stalled(app: procrastinate.App) -> int:
    """Jobs of workers that died go back into the queue; how many."""
    stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_S))
    for job in stalled:
        await app.job_manager.retry_job(job)
    return len(stalled)
