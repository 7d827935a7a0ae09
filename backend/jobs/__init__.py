"""The job queue: a job is enqueued in the transaction of the change that causes it.

The queue itself is Procrastinate, in schema `jobs` of the tx database; `backend.worker` runs it.
"""

from datetime import datetime

import msgspec

from backend.db import TX

QUEUE = "yipay"
WORKER = "worker"  # the part that beats


async def enqueue(task: str, argument: str, *, at: datetime | None = None) -> None:
    """Run `task` with this one id, at least once, not before `at`; gone if the caller rolls back.

    Enqueued twice, it runs twice: what it calls must bear that.
    """
    await TX.query(
        "select jobs.procrastinate_defer_jobs_v1(array[row($1, $2, 0, null, null,"
        " $3::jsonb, $4::timestamptz)::jobs.procrastinate_job_to_defer_v1])",
        QUEUE,
        task,
        msgspec.json.encode({"ref": argument}).decode(),
        at,
    )


async def beat(part: str, now: datetime) -> None:
    """A sign of life."""
    await TX.query(
        "insert into jobs.heartbeat as h (part, at) values ($1, $2)"
        " on conflict (part) do update set at = greatest(h.at, excluded.at)",
        part,
        now,
    )


async def last_beat(part: str) -> datetime | None:
    """When that part last showed a sign of life."""
    rows = await TX.query("select at from jobs.heartbeat where part = $1", part)
    return rows[0]["at"] if rows else None


async def count() -> dict[str, int]:
    """Jobs that wait, run, and failed for good."""
    rows = await TX.query(
        "select status::text, count(*) as jobs from jobs.procrastinate_jobs"
        " where status in ('todo', 'doing', 'failed') group by status"
    )
    return {"todo": 0, "doing": 0, "failed": 0} | {row["status"]: row["jobs"] for row in rows}
