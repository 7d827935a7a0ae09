"""Signing in: a discoverable passkey says who it is; an unknown browser becomes a new device."""

from datetime import datetime

import asyncpg

from backend.db import SEC
from backend.proof import Proof
from backend.risk import (
    Ceremony,
    DeviceKeyTaken,
    FinishSignIn,
    PasskeyRefused,
    SignedIn,
    ceremonies,
    registry,
)
from backend.risk.events import record
from backend.risk.holders import Shown, bound
from backend.risk.operations import Operation
from backend.risk.parts import Parts
from backend.risk.passkeys import Asserted, parse_assertion, verify_assertion
from backend.risk.registry import Owned
from backend.risk.rules import NEW_DEVICE_COOL_DOWN
from backend.risk.secret import hash_of


async def begin(parts: Parts) -> Ceremony:
    """The same for everybody: no name is asked for, so none can be tried."""
    challenge = ceremonies.challenge()
    opening = ceremonies.Opening(
        kind=ceremonies.SIGN_IN,
        options=ceremonies.assertion_options(parts.party, challenge, []),
        challenge=challenge,
    )
    return await ceremonies.open_one(opening, parts.clock.now())


async def finish(parts: Parts, asked: FinishSignIn) -> SignedIn:
    now = parts.clock.now()
    opened = await ceremonies.use(asked.ceremony_id, ceremonies.SIGN_IN, now)
    assertion = parse_assertion(asked.response_json)
    found = await registry.owned(assertion.credential_id)
    if found is None or assertion.response.user_handle is None:
        raise PasskeyRefused(why="unknown")
    asserted = verify_assertion(parts.party, opened.challenge, assertion, found.credential)
    key = _key(parts, asked, opened.challenge) if asked.device_proof else None
    try:
        async with SEC.transaction():
            return await _enter(found, asserted, asked, key, now)
    except asyncpg.UniqueViolationError as error:
        raise DeviceKeyTaken() from error  # or made by a call at the same time: again will do


def _key(parts: Parts, asked: FinishSignIn, challenge: bytes) -> Proof:
    return bound(parts, asked.device_proof, challenge, Operation.SIGN_IN)


async def _enter(
    found: Owned, asserted: Asserted, asked: FinishSignIn, key: Proof | None, now: datetime
) -> SignedIn:
    person_id = found.person_id
    phone = await registry.phone_of(person_id)
    await registry.used(found.credential.credential_id, asserted, now)
    by = Shown(thumbprint=key.thumbprint) if key else Shown(hash_of(asked.device_secret))
    known = await registry.device_shown(by, person_id)
    if known is not None:
        await SEC.query(
            "update risk.device set last_used_at = $2 where device_id = $1", known.device_id, now
        )
        await record(person_id, known.device_id, ["signed_in", *asserted.signals], now)
        return SignedIn(person_id, known.device_id, "", new_device=False, phone=phone)
    trusted_at = now + NEW_DEVICE_COOL_DOWN
    device = await registry.add_device(
        person_id, asked.device_label, now, trusted_at, key, asked.device_secret
    )
    await record(person_id, device.device_id, ["signed_in", "new_device", *asserted.signals], now)
    return SignedIn(person_id, device.device_id, device.secret, True, phone)
