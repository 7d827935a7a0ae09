"""Ending alarms, by hand: the operator has looked, and says so in the log of security events."""

from datetime import datetime

from backend.db import SEC
from backend.errors import NotFound
from backend.risk import Alarm
from backend.risk.events import record


async def open_alarms() -> list[Alarm]:
    """All of them, oldest first."""
    return await SEC.query_as(
        Alarm,
        "select alarm_id, kind, detail, accounts, raised_at from risk.alarm "
        "where closed_at is null order by alarm_id",
    )


async def close(alarm_id: int, now: datetime, *, thaw: bool) -> list[str]:
    """Accounts that were thawed: those that this alarm froze. Refuses: NotFound.

    Thawing takes the owner's role: no service may undo a freeze. An alarm that is closed already
    may still be thawed.
    """
    async with SEC.transaction():
        rows = await SEC.query(
            "update risk.alarm set closed_at = coalesce(closed_at, $2) where alarm_id = $1 "
            "returning alarm_id",
            alarm_id,
            now,
        )
        if not rows:
            raise NotFound()
        await record("", f"alarm {alarm_id}", ["alarm_closed"], now)
        if not thaw:
            return []
        thawed = await SEC.query(
            "delete from risk.frozen_account where alarm_id = $1 returning account_id", alarm_id
        )
        accounts = sorted(row["account_id"] for row in thawed)
        for account in accounts:
            await record(account, f"alarm {alarm_id}", ["alarm_thawed"], now)
    return accounts
