"""Raising an alarm: one row, and the accounts it touches frozen, in the caller's transaction."""

from datetime import datetime

import structlog

from backend.db import SEC
from backend.risk.auditor.findings import Finding
from backend.risk.freeze import freeze_accounts

MAX_DETAIL_CHARS = 2_000

_log = structlog.get_logger(__name__)


async def raise_alarm(finding: Finding, at: datetime) -> None:
    """Freezing needs no permission: it can only stop money. What is frozen stays frozen."""
    accounts = sorted(finding.accounts)
    rows = await SEC.query(
        "insert into risk.alarm (kind, detail, accounts, raised_at) values ($1, $2, $3, $4)"
        " returning alarm_id",
        finding.kind,
        finding.detail[:MAX_DETAIL_CHARS],
        accounts,
        at,
    )
    alarm_id = rows[0]["alarm_id"]
    frozen = await _everybody() if finding.every_account else accounts
    await freeze_accounts(frozen, alarm_id, "alarm", at)
    _log.error(
        "alarm",
        alarm_id=alarm_id,
        kind=finding.kind,
        detail=finding.detail[:MAX_DETAIL_CHARS],
        frozen=len(frozen),
    )


async def raise_unless_known(finding: Finding, at: datetime) -> None:
    """As `raise_alarm`, for what is looked at repeatedly: not for accounts that alarms have frozen
    already, nor in the same words again."""
    rows = await SEC.query(
        "select 1 from risk.alarm where kind = $1 and detail = $2"
        " union all select 1 where $3::bigint > 0 and $3::bigint ="
        " (select count(*) from risk.frozen_account where account_id = any($4)) limit 1",
        finding.kind,
        finding.detail[:MAX_DETAIL_CHARS],
        len(finding.accounts),
        sorted(finding.accounts),
    )
    if not rows:
        await raise_alarm(finding, at)


async def raise_unless_open(finding: Finding, at: datetime) -> None:
    """As `raise_alarm`, for what anybody can bring about: not while one in the same words is open,
    so that nobody buries the others."""
    rows = await SEC.query(
        "select 1 from risk.alarm where closed_at is null and kind = $1 and detail = $2 limit 1",
        finding.kind,
        finding.detail[:MAX_DETAIL_CHARS],
    )
    if not rows:
        await raise_alarm(finding, at)


async def _everybody() -> list[str]:
    return [row[0] for row in await SEC.query("select account_id from risk.audit_account")]
