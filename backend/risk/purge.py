"""What has served its time goes: ceremonies, grants, codes, invitations and counts."""

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
    "delete from risk.code_guess where guessed_at < $1",
    "delete from risk.pay_code where expires_at < $1",
    "delete from risk.invitation where expires_at < $1 and used_at is null",
)


async def purge(clock: Clock) -> None:
    for sql in _SQL:
        await SEC.query(sql, clock.now() - KEPT)
    await SEC.query("delete from risk.spent_proof where ends_at < $1", clock.now())
