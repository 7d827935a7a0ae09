"""Devices of a person: listing, adding by grant, removing."""

from datetime import timedelta

from backend.db import SEC
from backend.errors import NotFound
from backend.risk import (
    Approval,
    Device,
    DeviceGrant,
    DeviceUnknown,
    GrantInvalid,
    LastDevice,
    PasskeyRefused,
    approvals,
    pay_codes,
    registry,
)
from backend.risk.events import record
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.secret import hash_of, new_secret

GRANT_LIFE = timedelta(minutes=5)


async def of_person(person_id: str) -> tuple[Device, ...]:
    """The live ones, last used first."""
    return tuple(
        await SEC.query_as(
            Device,
            "select d.device_id, d.label, c.credential_id is not null as passkey, "
            "coalesce(c.backup_eligible, false) as synced, d.created_at, d.last_used_at, "
            "d.trusted_at, d.key_thumbprint is not null as key "
            "from risk.device d left join risk.credential c "
            "on c.device_id = d.device_id and c.removed_at is null "
            "where d.person_id = $1 and d.removed_at is null "
            "order by d.last_used_at desc, d.device_id",
            person_id,
        )
    )


async def held(parts: Parts, device_secret: str) -> str:
    found = await registry.live_device(parts, device_secret, Operation.WHICH)
    if found is None:
        raise NotFound()
    return found.device_id


async def grant(parts: Parts, approval: Approval) -> DeviceGrant:
    await approvals.check(parts, approval, approvals.ADD_DEVICE)
    return await _grant(parts, approval.person_id, None)


async def grant_first_passkey(parts: Parts, person_id: str, device_secret: str) -> DeviceGrant:
    """Only while the person has no passkey at all; afterwards a passkey approves the next."""
    found = await registry.live_device(parts, device_secret, Operation.FIRST_PASSKEY, person_id)
    if found is None:
        raise DeviceUnknown()
    if await registry.credential_ids(person_id):
        raise GrantInvalid()
    return await _grant(parts, person_id, found.device_id)


async def remove(parts: Parts, approval: Approval, device_id: str) -> None:
    """Approved by the passkey of another device, where there is another."""
    approver = await approvals.check(parts, approval, approvals.REMOVE_DEVICE + device_id)
    now = parts.clock.now()
    async with SEC.transaction():
        keys = await _locked_keys(approval.person_id)
        if device_id in keys and len(keys) == 1:
            raise LastDevice()
        if approver.device_id == device_id:
            raise PasskeyRefused(why="own_device")
        removed = await SEC.query(
            "update risk.device set removed_at = $3 where device_id = $1 and person_id = $2 "
            "and removed_at is null returning device_id",
            device_id,
            approval.person_id,
            now,
        )
        if not removed:
            raise NotFound()
        await SEC.query(
            "update risk.credential set removed_at = $2 "
            "where device_id = $1 and removed_at is null",
            device_id,
            now,
        )
        await pay_codes.revoke_all([device_id], now)
        await record(approval.person_id, device_id, ["device_removed"], now)


async def _locked_keys(person_id: str) -> set[str]:
    """Devices with a passkey. Locked: two removals at once must not leave none."""
    rows = await SEC.query(
        "select device_id from risk.credential where person_id = $1 and removed_at is null "
        "order by credential_id for update",
        person_id,
    )
    return {row["device_id"] for row in rows}


async def _grant(parts: Parts, person_id: str, device_id: str | None) -> DeviceGrant:
    made = DeviceGrant(new_secret(), parts.clock.now() + GRANT_LIFE)
    await SEC.query(
        "insert into risk.device_grant (grant_hash, person_id, device_id, expires_at) "
        "values ($1, $2, $3, $4)",
        hash_of(made.grant),
        person_id,
        device_id,
        made.expires_at,
    )
    return made
