"""Freezing: one call stops a person's money; undoing it takes a passkey and a wait."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from backend.db import SEC
from backend.errors import NotFound
from backend.risk import (
    Approval,
    DeviceUnknown,
    FreezeState,
    FrozenByAlarm,
    approvals,
    pay_codes,
    registry,
)
from backend.risk.events import record
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.rules import THAW_WAIT, is_frozen


class _Row(msgspec.Struct, frozen=True):
    frozen_at: datetime | None
    thaws_at: datetime | None
    alarmed_at: datetime | None


async def freeze(parts: Parts, person_id: str, device_secret: str) -> FreezeState:
    """Again while frozen: since stays, a running thaw is called off."""
    now = parts.clock.now()
    async with SEC.transaction():
        device = await registry.live_device(parts, device_secret, Operation.FREEZE, person_id)
        if device is None:
            raise DeviceUnknown()
        await SEC.query(
            "update risk.person set thaws_at = null, frozen_at = case "
            "when frozen_at is not null and (thaws_at is null or thaws_at > $2) then frozen_at "
            "else $2 end where person_id = $1",
            person_id,
            now,
        )
        devices = await SEC.query(
            "select device_id from risk.device where person_id = $1 and removed_at is null",
            person_id,
        )
        await pay_codes.revoke_all([row["device_id"] for row in devices], now)
        await record(person_id, device.device_id, ["frozen"], now)
    return await state(parts, person_id)


async def unfreeze(parts: Parts, approval: Approval) -> FreezeState:
    """Starts the wait; asked again, the wait that runs already. Nothing to undo: no change."""
    approver = await approvals.check(parts, approval, approvals.UNFREEZE)
    now = parts.clock.now()
    async with SEC.transaction():
        before = await state(parts, approval.person_id)
        if before.reason == "alarm":
            raise FrozenByAlarm()
        if before.frozen and before.thaws_at is None:
            await SEC.query(
                "update risk.person set thaws_at = $2 where person_id = $1 and thaws_at is null",
                approval.person_id,
                now + THAW_WAIT,
            )
            await record(approval.person_id, approver.device_id, ["thaw_started"], now)
    return await state(parts, approval.person_id)


async def state(parts: Parts, person_id: str) -> FreezeState:
    row = await SEC.one(
        _Row,
        "select p.frozen_at, p.thaws_at, f.frozen_at as alarmed_at from risk.person p "
        "left join risk.frozen_account f on f.account_id = 'person:' || p.person_id "
        "where p.person_id = $1",
        person_id,
    )
    if row is None:
        raise NotFound()
    if row.alarmed_at is not None:
        return FreezeState(True, row.alarmed_at, "alarm", None)
    if is_frozen(row.frozen_at, row.thaws_at, parts.clock.now()):
        return FreezeState(True, row.frozen_at, "self", row.thaws_at)
    return FreezeState(False)


async def freeze_accounts(
    accounts: Sequence[str], alarm_id: int, reason: str, now: datetime
) -> None:
    """By an alarm: ledger accounts ("person:…", "shop:…"). Frozen ones keep their first alarm."""
    await SEC.query(
        "with frozen as ("
        "insert into risk.frozen_account (account_id, alarm_id, frozen_at, reason) "
        "select account, $2, $4, $3 from unnest($1::text[]) account "
        "on conflict (account_id) do nothing returning account_id) "
        "insert into risk.security_event (person_id, device_id, kind, happened_at) "
        "select account_id, 'alarm ' || $2::bigint, 'alarm_frozen', $4::timestamptz from frozen",
        sorted(set(accounts)),
        alarm_id,
        reason,
        now,
    )
