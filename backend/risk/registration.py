"""A passkey and its device: the first of a new wallet, or a further one by grant."""

import secrets
from datetime import datetime
from hashlib import sha256

import asyncpg
import msgspec

from backend.db import SEC
from backend.errors import BadRequest, DomainError, IdReused
from backend.proof import Proof
from backend.risk import (
    BeginRegistration,
    Ceremony,
    CeremonyInvalid,
    DeviceKeyTaken,
    Enrolled,
    FinishRegistration,
    GrantInvalid,
    HasWallet,
    PasskeyRefused,
    PhoneNotProven,
    ceremonies,
    registry,
)
from backend.risk.enrolment import PROOF_LIFE, proven_phone
from backend.risk.events import record
from backend.risk.holders import Shown, bound
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.passkeys import from_base64url, verify_registration
from backend.risk.rules import NEW_DEVICE_COOL_DOWN

HANDLE_BYTES = 32
SHOWN_DIGITS = 4  # of the phone, beside the name in the list of passkeys

_TAKEN: dict[str, type[DomainError]] = {
    "person_phone_key": HasWallet,
    "person_pkey": IdReused,
    "credential_pkey": PasskeyRefused,
    "device_key_thumbprint_key": DeviceKeyTaken,
}


class Grant(msgspec.Struct, frozen=True):
    """device_id: of the device that gets its first passkey; None for a further device."""

    person_id: str
    device_id: str | None
    phone: str
    user_handle: bytes


class Arriving(msgspec.Struct, frozen=True):
    """What is at hand when a ceremony ends. key: of a phone. beside: the secret of whoever used the
    browser before."""

    label: str
    key: Proof | None
    now: datetime
    beside: str


class _User(msgspec.Struct, frozen=True):
    id: str


class _Options(msgspec.Struct, frozen=True):
    user: _User


async def begin(parts: Parts, asked: BeginRegistration) -> Ceremony:
    now = parts.clock.now()
    if bool(asked.grant) == bool(asked.enrolment_id):
        raise BadRequest()
    if asked.grant:
        grant_hash = sha256(asked.grant.encode()).digest()
        grant = await _grant(grant_hash, now)
        if grant is None or grant.person_id != asked.person_id:
            raise GrantInvalid()
        phone, handle, subject = grant.phone, grant.user_handle, f"grant:{grant_hash.hex()}"
    else:
        phone = await _new_phone(asked, now)
        handle, subject = secrets.token_bytes(HANDLE_BYTES), f"enrolment:{asked.enrolment_id}"
    challenge = ceremonies.challenge()
    names = (f"{asked.display_name} ··{phone[-SHOWN_DIGITS:]}", asked.display_name)
    have = await registry.credential_ids(asked.person_id)
    opening = ceremonies.Opening(
        kind=ceremonies.REGISTER,
        options=ceremonies.registration_options(parts.party, challenge, handle, names, have),
        challenge=challenge,
        person_id=asked.person_id,
        subject=subject,
    )
    return await ceremonies.open_one(opening, now)


async def finish(parts: Parts, asked: FinishRegistration) -> Enrolled:
    now = parts.clock.now()
    opened = await ceremonies.use(asked.ceremony_id, ceremonies.REGISTER, now)
    kind, _, subject = opened.subject.partition(":")
    if asked.enrolment_id != (subject if kind == "enrolment" else ""):  # begun at another door
        raise CeremonyInvalid()
    new = verify_registration(parts.party, opened.challenge, asked.response_json)
    key = _key(parts, asked, opened.challenge) if asked.device_proof else None
    arriving = Arriving(asked.device_label, key, now, asked.device_secret)
    try:
        async with SEC.transaction():
            if kind == "grant":
                device = await _by_grant(opened.person_id, bytes.fromhex(subject), arriving)
            else:
                handle = from_base64url(msgspec.json.decode(opened.options, type=_Options).user.id)
                device = await _open_wallet(opened.person_id, handle, subject, arriving)
            await registry.add_credential(new, opened.person_id, device.device_id, now)
    except asyncpg.UniqueViolationError as error:
        raise _TAKEN[error.constraint_name or ""]() from error
    return Enrolled(
        opened.person_id,
        device.device_id,
        device.secret,
        new.backup_eligible,
        await registry.phone_of(opened.person_id),
    )


def _key(parts: Parts, asked: FinishRegistration, challenge: bytes) -> Proof:
    return bound(parts, asked.device_proof, challenge, Operation.REGISTER)


async def _new_phone(asked: BeginRegistration, now: datetime) -> str:
    phone = await proven_phone(asked.enrolment_id, now)
    if phone is None:
        raise PhoneNotProven()
    if await SEC.query("select 1 from risk.person where phone = $1", phone):
        raise HasWallet()
    return phone


async def _grant(grant_hash: bytes, now: datetime) -> Grant | None:
    return await SEC.one(
        Grant,
        "select g.person_id, g.device_id, p.phone, p.user_handle from risk.device_grant g "
        "join risk.person p using (person_id) "
        "where g.grant_hash = $1 and g.used_at is null and g.expires_at > $2",
        grant_hash,
        now,
    )


async def _open_wallet(
    person_id: str, handle: bytes, enrolment_id: str, arriving: Arriving
) -> registry.NewDevice:
    """The first device of a new wallet is trusted: there is nothing yet to protect from it."""
    now = arriving.now
    rows = await SEC.query(
        "update risk.enrolment set used_at = $2 "
        "where enrolment_id = $1 and used_at is null and proven_at > $3 returning phone",
        enrolment_id,
        now,
        now - PROOF_LIFE,
    )
    if not rows:
        raise PhoneNotProven()
    await registry.add_person(person_id, rows[0]["phone"], handle, now)
    device = await registry.add_device(
        person_id, arriving.label, now, now, arriving.key, arriving.beside
    )
    await record(person_id, device.device_id, ["wallet_opened"], now)
    return device


async def _by_grant(person_id: str, grant_hash: bytes, arriving: Arriving) -> registry.NewDevice:
    now = arriving.now
    rows = await SEC.query(
        "update risk.device_grant set used_at = $2 "
        "where grant_hash = $1 and used_at is null and expires_at > $2 returning device_id",
        grant_hash,
        now,
    )
    if not rows:
        raise GrantInvalid()
    device_id: str | None = rows[0]["device_id"]
    if device_id is None:
        device = await _further(person_id, arriving)
    else:  # its first passkey: only while there is none, or a stolen secret could add one
        if await registry.credential_ids(person_id):
            raise GrantInvalid()
        device = await _same(person_id, device_id, arriving.key)
    await record(person_id, device.device_id, ["device_added"], now)
    return device


async def _further(person_id: str, arriving: Arriving) -> registry.NewDevice:
    """A new device; or the phone that has signed in with another device's passkey before, and gets
    one of its own now. Refuses: DeviceKeyTaken."""
    known = await _known(person_id, arriving.key)
    if known is None:
        trusted_at = arriving.now + NEW_DEVICE_COOL_DOWN
        return await registry.add_device(
            person_id, arriving.label, arriving.now, trusted_at, arriving.key, arriving.beside
        )
    if await SEC.query(
        "select 1 from risk.credential where device_id = $1 and removed_at is null", known.device_id
    ):
        raise DeviceKeyTaken()
    return registry.NewDevice(known.device_id, "")


async def _same(person_id: str, device_id: str, key: Proof | None) -> registry.NewDevice:
    """Refuses: GrantInvalid: the device proves itself by a key, and this is not it."""
    known = await _known(person_id, key)
    if known is not None and known.device_id == device_id:
        return registry.NewDevice(device_id, "")
    rows = await SEC.query(
        "select 1 from risk.device where device_id = $1 and removed_at is null "
        "and key_thumbprint is null for no key update",
        device_id,
    )
    if not rows:
        raise GrantInvalid()
    return await registry.renew_holder(device_id, key)


async def _known(person_id: str, key: Proof | None) -> registry.LiveDevice | None:
    return await registry.device_shown(Shown(thumbprint=key.thumbprint), person_id) if key else None
