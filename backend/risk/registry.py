"""The registry of devices and passkeys: rows in, rows out. Callers open the transactions."""

from datetime import datetime

import msgspec

from backend import ids
from backend.db import SEC
from backend.proof import Proof
from backend.risk.holders import Shown, shown
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.passkeys import Asserted, NewCredential, StoredCredential
from backend.risk.secret import hash_of, new_secret


class NewDevice(msgspec.Struct, frozen=True):
    """secret: "" of a phone, which has its key."""

    device_id: str
    secret: str


class LiveDevice(msgspec.Struct, frozen=True):
    device_id: str
    person_id: str
    trusted_at: datetime


class Owned(msgspec.Struct, frozen=True):
    """A live passkey with its owner and device."""

    credential: StoredCredential
    person_id: str
    device_id: str


async def add_person(person_id: str, phone: str, handle: bytes, now: datetime) -> None:
    await SEC.query(
        "insert into risk.person (person_id, phone, user_handle, created_at) "
        "values ($1, $2, $3, $4)",
        person_id,
        phone,
        handle,
        now,
    )
    await SEC.query(
        "insert into risk.spending values ($1, '-infinity', 0, 0, 0, 0, 0, 0, 0)", person_id
    )
    await SEC.query("insert into risk.opener (person_id) values ($1)", person_id)


async def add_device(  # noqa: PLR0913 — who it belongs to, how long it is new, what it holds
    person_id: str,
    label: str,
    now: datetime,
    trusted_at: datetime,
    key: Proof | None = None,
    beside: str = "",
) -> NewDevice:
    """With a phone's key, or with a new secret. beside: the secret of another person's device that
    is on this machine; they are counted as one.

    That holds for browsers alone. A phone has no secret to show, and makes a new key for each
    wallet, so for us the key is the machine: wallets on one phone are counted apart. Without an
    attestation by the phone's maker nothing it says about itself could be believed instead.

    Raises UniqueViolationError: the key is taken."""
    device = NewDevice(ids.new("dev"), "" if key else new_secret())
    await SEC.query(
        "insert into risk.device (device_id, person_id, secret_hash, label, created_at, "
        "last_used_at, trusted_at, device_key, key_thumbprint, machine_id) "
        "values ($1, $2, $3, $4, $5, $5, greatest($6, "
        "(select held_until from risk.person where person_id = $2)), $7, $8, "
        "(select coalesce(machine_id, device_id) from risk.device where secret_hash = $9))",
        device.device_id,
        person_id,
        None if key else hash_of(device.secret),
        label,
        now,
        trusted_at,
        key.jwk if key else None,
        key.thumbprint if key else None,
        hash_of(beside) if beside else None,
    )
    return device


async def renew_holder(device_id: str, key: Proof | None) -> NewDevice:
    """A new secret, or the phone's key from now on. Raises UniqueViolationError: the key is
    taken."""
    device = NewDevice(device_id, "" if key else new_secret())
    await SEC.query(
        "update risk.device set secret_hash = $2, device_key = $3, key_thumbprint = $4 "
        "where device_id = $1",
        device_id,
        None if key else hash_of(device.secret),
        key.jwk if key else None,
        key.thumbprint if key else None,
    )
    return device


async def live_device(
    parts: Parts, device: str, operation: Operation, person_id: str | None = None
) -> LiveDevice | None:
    """The live device whose secret this is, or whose proof of a call for this operation."""
    return await device_shown(shown(parts, device, operation), person_id)


async def device_shown(by: Shown, person_id: str | None = None) -> LiveDevice | None:
    return await SEC.one(
        LiveDevice,
        "select device_id, person_id, trusted_at from risk.device "
        "where (secret_hash = $1 or key_thumbprint = $2) "
        "and removed_at is null and ($3::text is null or person_id = $3)",
        by.secret_hash,
        by.thumbprint,
        person_id,
    )


async def is_stopped(person_id: str, now: datetime) -> bool:
    """Frozen by the person or by an alarm."""
    rows = await SEC.query(
        "select p.frozen_at is not null and (p.thaws_at is null or p.thaws_at > $2) or exists ("
        "select 1 from risk.frozen_account where account_id = 'person:' || $1) as stopped "
        "from risk.person p where p.person_id = $1",
        person_id,
        now,
    )
    return bool(rows) and bool(rows[0]["stopped"])


async def add_credential(new: NewCredential, person_id: str, device_id: str, now: datetime) -> None:
    await SEC.query(
        "insert into risk.credential (credential_id, person_id, device_id, public_key, "
        "sign_count, backup_eligible, backed_up, aaguid, created_at, last_used_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        new.credential_id,
        person_id,
        device_id,
        new.public_key,
        new.sign_count,
        new.backup_eligible,
        new.backed_up,
        new.aaguid,
        now,
    )


async def phone_of(person_id: str) -> str:
    [row] = await SEC.query("select phone from risk.person where person_id = $1", person_id)
    return str(row["phone"])


async def credential_ids(person_id: str) -> list[bytes]:
    rows = await SEC.query(
        "select credential_id from risk.credential where person_id = $1 and removed_at is null "
        "order by created_at",
        person_id,
    )
    return [row["credential_id"] for row in rows]


async def owned(credential_id: bytes) -> Owned | None:
    rows = await SEC.query(
        "select c.public_key, c.sign_count, c.backup_eligible, c.backed_up, p.user_handle, "
        "c.person_id, c.device_id from risk.credential c join risk.person p using (person_id) "
        "where c.credential_id = $1 and c.removed_at is null",
        credential_id,
    )
    if not rows:
        return None
    row = dict(rows[0])
    person_id, device_id = row.pop("person_id"), row.pop("device_id")
    return Owned(StoredCredential(credential_id=credential_id, **row), person_id, device_id)


async def used(credential_id: bytes, asserted: Asserted, now: datetime) -> None:
    """Keep the newest counter and backup state. The counter never goes back here."""
    await SEC.query(
        "update risk.credential set sign_count = greatest(sign_count, $2), backed_up = $3, "
        "last_used_at = $4 where credential_id = $1",
        credential_id,
        asserted.sign_count,
        asserted.backed_up,
        now,
    )
