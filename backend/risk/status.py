"""What /health/ready and the metrics say about the security system."""

from backend.db import SEC
from backend.risk import Alarm, Status

MAX_ALARMS = 20


async def status() -> Status:
    alarms = await SEC.query_as(
        Alarm,
        "select alarm_id, kind, detail, accounts, raised_at from risk.alarm "
        "where closed_at is null order by alarm_id desc limit $1",
        MAX_ALARMS,
    )
    rows = await SEC.query(
        "select (select count(*) from risk.alarm where closed_at is null) as open, "
        "journal_seq, audited_at from risk.audit_state"
    )
    return Status(tuple(alarms), rows[0]["open"], rows[0]["journal_seq"], rows[0]["audited_at"])
