"""Approvals: a fresh assertion of the person for one change of the security settings."""

import re
import secrets

import msgspec

from backend.canonical import digest
from backend.errors import BadRequest
from backend.risk import (
    ALL_STORES,
    REMOVED,
    Approval,
    Ceremony,
    CeremonyInvalid,
    NeedsPasskey,
    PasskeyRefused,
    ceremonies,
    registry,
)
from backend.risk.events import record
from backend.risk.parts import Parts
from backend.risk.passkeys import parse_assertion, verify_assertion
from backend.risk.registry import Owned
from backend.shop_roles import Role

ADD_DEVICE, UNFREEZE, REMOVE_DEVICE = "add_device", "unfreeze", "remove_device:"
JOIN_SHOP, PAYOUT_CARD = "join_shop:", "payout_card:"

NONCE_BYTES = 32

_ID = "[a-z]{3}_[0-9a-z]{26}"
_ROLE = "|".join(role for role in Role if role is not Role.OWNER)
_STORE = f"sto_[0-9a-z]{{26}}|{ALL_STORES}"
PURPOSE = re.compile(
    rf"{ADD_DEVICE}|{UNFREEZE}|{REMOVE_DEVICE}dev_[0-9a-z]{{26}}"
    rf"|{JOIN_SHOP}{_ID}|{PAYOUT_CARD}mch_[0-9a-z]{{26}}:{_ID}"
    rf"|invite_member:mch_[0-9a-z]{{26}}:({_ROLE}):({_STORE})"
    rf"|change_member:mch_[0-9a-z]{{26}}:usr_[0-9a-z]{{26}}:({_ROLE}|{REMOVED}):({_STORE})"
)


class Approved(msgspec.Struct, frozen=True, array_like=True):
    """What a passkey signs: the challenge is its digest, so the signature is good for it alone."""

    person_id: str
    purpose: str
    nonce: bytes


async def begin(parts: Parts, person_id: str, purpose: str) -> Ceremony:
    """The purpose is part of the ceremony's kind and of its challenge: an approval serves no other
    change, and the signature says which it was for."""
    if PURPOSE.fullmatch(purpose) is None:
        raise BadRequest()
    keys = await registry.credential_ids(person_id)
    if not keys:
        raise NeedsPasskey()
    nonce = secrets.token_bytes(NONCE_BYTES)
    challenge = _challenge(person_id, purpose, nonce)
    opening = ceremonies.Opening(
        kind=f"approve:{purpose}",
        options=ceremonies.assertion_options(parts.party, challenge, keys),
        challenge=challenge,
        person_id=person_id,
        subject=nonce.hex(),
    )
    return await ceremonies.open_one(opening, parts.clock.now())


async def check(parts: Parts, approval: Approval, purpose: str) -> Owned:
    """Whose passkey approved. Refuses: CeremonyInvalid, PasskeyRefused."""
    now = parts.clock.now()
    opened = await ceremonies.use(approval.ceremony_id, f"approve:{purpose}", now)
    if opened.person_id != approval.person_id:
        raise CeremonyInvalid()
    assertion = parse_assertion(approval.response_json)
    found = await registry.owned(assertion.credential_id)
    if found is None or found.person_id != approval.person_id:
        raise PasskeyRefused(why="owner")
    # Made anew from what is to be changed, not taken from where it was kept.
    challenge = _challenge(approval.person_id, purpose, bytes.fromhex(opened.subject))
    asserted = verify_assertion(parts.party, challenge, assertion, found.credential)
    await ceremonies.verified(approval.ceremony_id)
    await registry.used(found.credential.credential_id, asserted, now)
    await record(found.person_id, found.device_id, asserted.signals, now)
    return found


async def check_or_repeated(parts: Parts, approval: Approval, purpose: str) -> Owned | None:
    """None: the call is repeated, this very approval was good for it a moment ago. Such a call
    changes nothing any more. Refuses: CeremonyInvalid, PasskeyRefused."""
    try:
        return await check(parts, approval, purpose)
    except CeremonyInvalid:
        kind, now = f"approve:{purpose}", parts.clock.now()
        if await ceremonies.was_good(approval.ceremony_id, kind, approval.person_id, now):
            return None
        raise


def _challenge(person_id: str, purpose: str, nonce: bytes) -> bytes:
    return digest("approval/v1", Approved(person_id, purpose, nonce))
