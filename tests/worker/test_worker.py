"""The worker runs jobs and sweeps, shows that it lives, and ends when told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from procrastinate.jobs import Job

from backend import jobs, worker
from backend.clock import FixedClock, SystemClock
from backend.db import TX
from backend.payments import PaymentPending
from backend.payments.parts import GIVE_BACK
from backend.settings import Settings
from backend.worker import Sweep, application, sweep_once, take_over_stalled
from tests.conftest import Servers
from tests.world import Crash, World, open_world

PATIENCE_S = 30


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run(settings))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 — what we wait for is in the database
            await asyncio.sleep(0.05)


async def no_jobs_left() -> bool:
    return await jobs.count() == {"todo": 0, "doing": 0, "failed": 0}


async def test_a_job_goes_with_its_transaction(databases: Settings) -> None:
    with suppress(Crash):
        async with TX.transaction():
            await jobs.enqueue("payments.resume", "pay_1")
            raise Crash
    assert await no_jobs_left()
    async with TX.transaction():
        await jobs.enqueue("payments.resume", "pay_1")
    assert (await jobs.count())["todo"] == 1


async def test_a_lost_answer_is_found_by_the_worker(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    start = world.paying(payer, await world.order(await world.shop(owner)))
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending):
        await world.services.payments.start(start)

    async def posted() -> bool:
        payment = await world.services.payments.payment(payer.person_id, start.payment_id)
        return payment.status == "posted"

    async with working(world.settings):
        await until(posted)
        await until(no_jobs_left)
    assert await world.balance(payer.account_id) == 77_00


async def test_sweeps_run_and_the_heart_beats(databases: Settings) -> None:
    """Real time here: an order that is due when the worker comes by."""
    async with open_world(databases, form="remote") as world:
        owner = await world.person()
        order = await world.order(await world.shop(owner))
        expire = (
            "alter table payments.orders disable trigger order_moves;"
            " update payments.orders set created_at = now() - interval '2 hours',"
            " expires_at = now() - interval '1 hour';"
            " alter table payments.orders enable trigger order_moves"
        )
        admin = await asyncpg.connect(databases.tx_owner_url)
        await admin.execute(expire)
        await admin.close()
        assert await jobs.last_beat(jobs.WORKER) is None

        async def expired() -> bool:
            [row] = await TX.query(
                "select status from payments.orders where order_id = $1", order.order_id
            )
            return bool(row["status"] == "expired")

        async with working(databases):
            await until(expired)

            async def beats() -> bool:
                return await jobs.last_beat(jobs.WORKER) is not None

            await until(beats)
    beat = await jobs.last_beat(jobs.WORKER)
    assert beat is not None
    assert abs((SystemClock().now() - beat).total_seconds()) < PATIENCE_S


async def test_a_failing_sweep_does_not_end_the_next(databases: Settings) -> None:
    clock, rounds = FixedClock(datetime(2026, 11, 22, tzinfo=UTC)), []

    async def sweep() -> int:
        rounds.append(1)
        if len(rounds) == 1:
            raise OSError("the ledger is away")
        return 1

    await sweep_once(Sweep("test", sweep), clock)
    assert await jobs.last_beat(jobs.WORKER) is None
    await sweep_once(Sweep("test", sweep), clock)
    assert await jobs.last_beat(jobs.WORKER) == clock.now()


async def test_the_heart_never_beats_backwards(databases: Settings) -> None:
    late, early = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    await jobs.beat("x", late)
    await jobs.beat("x", early)
    assert await jobs.last_beat("x") == late


async def test_it_stops_cleanly_when_told_to(world: World) -> None:
    async with working(world.settings) as task:

        async def beats() -> bool:
            return await jobs.last_beat(jobs.WORKER) is not None

        await until(beats)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 15)
    rows = await TX.query(
        "select 1 from pg_stat_activity where datname = current_database()"
        " and query like '%procrastinate%' and state <> 'idle' and pid <> pg_backend_pid()"
    )
    assert rows == []


async def test_a_job_of_a_dead_worker_is_taken_over(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    start = world.paying(payer, await world.order(await world.shop(owner)))
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending):
        await world.services.payments.start(start)
    await TX.query(
        "with dead as (insert into jobs.procrastinate_workers (last_heartbeat)"
        " values (now() - interval '5 minutes') returning id)"
        " update jobs.procrastinate_jobs set status = 'doing', worker_id = (select id from dead)"
    )
    app = application(world.settings, world.services)
    async with app.open_async():
        assert await take_over_stalled(app) == 1
        assert await take_over_stalled(app) == 0
    assert await jobs.count() == {"todo": 1, "doing": 0, "failed": 0}


async def test_a_job_that_fails_is_tried_again(world: World) -> None:
    payer, owner = await world.person(100_00), await world.person()
    start = world.paying(payer, await world.order(await world.shop(owner)))
    world.ledger.lost = {"post"}
    with pytest.raises(PaymentPending):
        await world.services.payments.start(start)
    away = msgspec.structs.replace(world.settings, ledger_rpc=f"{world.settings.ledger_rpc}.gone")
    async with working(away):

        async def tried() -> bool:
            rows = await TX.query("select attempts, status::text from jobs.procrastinate_jobs")
            return [tuple(row) for row in rows] == [(1, "todo")]

        await until(tried)
    async with working(world.settings):
        await until(no_jobs_left)
    payment = await world.services.payments.payment(payer.person_id, start.payment_id)
    assert payment.status == "posted"


async def test_the_worker_comes_back_with_its_database(world: World, servers: Servers) -> None:
    async with working(world.settings) as task:

        async def listens() -> bool:
            return bool(await TX.query("select 1 from jobs.procrastinate_workers"))

        await until(listens)
        admin = await asyncpg.connect(servers.admin_url(servers.tx))
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = $1 and query ilike '%procrastinate%'",
            world.settings.tx_url.rpartition("/")[2].partition("?")[0],
        )
        await admin.close()
        async with TX.transaction():
            await jobs.enqueue("payments.resume", "pay_unknown")
        await until(no_jobs_left)
        assert not task.done()


async def test_limits_are_given_back_however_long_it_takes(world: World) -> None:
    app = application(world.settings, world.services)
    task = app.tasks[GIVE_BACK]
    waits = []
    for attempts in (0, 3, 9, 10, 11, 1000):
        job = Job(
            id=1,
            queue=jobs.QUEUE,
            lock=None,
            queueing_lock=None,
            task_name=GIVE_BACK,
            attempts=attempts,
        )
        decision = task.get_retry_exception(exception=OSError(), job=job)
        assert decision is not None
        at = decision.retry_decision.retry_at
        assert at is not None
        waits.append(round((at - SystemClock().now()).total_seconds()))
    assert waits == [2, 16, 600, 600, 600, 600]
