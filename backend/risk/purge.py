"""What has served its time goes: ceremonies, grants, enrolments and the counts of codes."""

from datetime import timedelta

from backend.clock import Clock
from backend.db import SEC

KEPT = timedelta(days=2)  # longer than any window that is counted
EVERY_S = 600

_SQL = (
    "delete from risk.ceremony where expires_at < $1",
    "delete from risk.device_grant where expires_at < $1",
    "delete from risk.enrolment where expires_at < $1",
    "delete from risk.code_request where requested_at < $1",
)


async def purge(clock: Clock) -> None:
    for sql in _SQL:
        await SEC.query(sql, clock.now() - KEPT)
