"""Approvals: a fresh assertion of the person for one change of the security settings."""

import re

from backend.errors import BadRequest
from backend.risk import (
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

ADD_DEVICE, UNFREEZE, REMOVE_DEVICE = "add_device", "unfreeze", "remove_device:"
JOIN_SHOP, PAYOUT_CARD = "join_shop:", "payout_card:"

_ID = "[a-z]{3}_[0-9a-z]{26}"
_PURPOSE = re.compile(
    rf"{ADD_DEVICE}|{UNFREEZE}|{REMOVE_DEVICE}dev_[0-9a-z]{{26}}"
    rf"|{JOIN_SHOP}{_ID}|{PAYOUT_CARD}mch_[0-9a-z]{{26}}:{_ID}"
)


async def begin(parts: Parts, person_id: str, purpose: str) -> Ceremony:
    """The purpose is part of the ceremony's kind: an approval serves no other change."""
    if _PURPOSE.fullmatch(purpose) is None:
        raise BadRequest()
    keys = await registry.credential_ids(person_id)
    if not keys:
        raise NeedsPasskey()
    challenge = ceremonies.challenge()
    opening = ceremonies.Opening(
        kind=f"approve:{purpose}",
        options=ceremonies.assertion_options(parts.party, challenge, keys),
        challenge=challenge,
        person_id=person_id,
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
    asserted = verify_assertion(parts.party, opened.challenge, assertion, found.credential)
    await registry.used(found.credential.credential_id, asserted, now)
    await record(found.person_id, found.device_id, asserted.signals, now)
    return found
