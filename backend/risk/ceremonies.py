"""Ceremonies: single-use challenges of one kind, for two minutes."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
)
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from backend import ids
from backend.db import SEC
from backend.risk import Ceremony, CeremonyInvalid
from backend.risk.passkeys import ALGORITHMS, RelyingParty

CEREMONY_LIFE = timedelta(minutes=2)
RP_NAME = "易支付 YiPay"
REGISTER, SIGN_IN, PAY = "register", "sign_in", "pay"

INSERT = """
insert into risk.ceremony
    (ceremony_id, kind, person_id, subject, challenge, options, expires_at)
"""


class Opened(msgspec.Struct, frozen=True):
    """A ceremony that was just used up."""

    person_id: str
    subject: str
    challenge: bytes
    options: bytes


def challenge() -> bytes:
    return secrets.token_bytes(32)


def assertion_options(party: RelyingParty, value: bytes, keys: Sequence[bytes]) -> bytes:
    """For `navigator.credentials.get`; without `keys` the person picks a discoverable one."""
    options = generate_authentication_options(
        rp_id=party.rp_id,
        challenge=value,
        timeout=CEREMONY_LIFE // timedelta(milliseconds=1),
        allow_credentials=[PublicKeyCredentialDescriptor(id=key) for key in keys],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options).encode()


def registration_options(
    party: RelyingParty, value: bytes, user_handle: bytes, names: tuple[str, str], have: list[bytes]
) -> bytes:
    """For `navigator.credentials.create`. names: account name and display name."""
    options = generate_registration_options(
        rp_id=party.rp_id,
        rp_name=RP_NAME,
        user_id=user_handle,
        user_name=names[0],
        user_display_name=names[1],
        challenge=value,
        timeout=CEREMONY_LIFE // timedelta(milliseconds=1),
        attestation=AttestationConveyancePreference.NONE,
        # The library changes the object it is given: a new one for every call.
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=key) for key in have],
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json(options).encode()


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    options: bytes
    challenge: bytes
    person_id: str = ""
    subject: str = ""


async def open_one(opening: Opening, now: datetime) -> Ceremony:
    ceremony = Ceremony(ids.new("cer"), opening.options, now + CEREMONY_LIFE)
    await SEC.query(
        f"{INSERT} values ($1, $2, $3, $4, $5, $6, $7)",
        ceremony.ceremony_id,
        opening.kind,
        opening.person_id,
        opening.subject,
        opening.challenge,
        opening.options,
        ceremony.expires_at,
    )
    return ceremony


async def verified(ceremony_id: str) -> None:
    """What came back was good."""
    await SEC.query("update risk.ceremony set verified = true where ceremony_id = $1", ceremony_id)


async def was_good(ceremony_id: str, kind: str, person_id: str, now: datetime) -> bool:
    """Used up already, with a good answer, and its time is not over yet."""
    rows = await SEC.query(
        "select 1 from risk.ceremony where ceremony_id = $1 and kind = $2 and person_id = $3 "
        "and used_at is not null and verified and expires_at > $4",
        ceremony_id,
        kind,
        person_id,
        now,
    )
    return bool(rows)


async def use(ceremony_id: str, kind: str, now: datetime) -> Opened:
    """Use it up, whatever comes of it: a failed answer needs a new challenge.

    Not inside a transaction that a refusal would roll back. Refuses: CeremonyInvalid.
    """
    used = await SEC.one(
        Opened,
        "update risk.ceremony set used_at = $3 "
        "where ceremony_id = $1 and kind = $2 and used_at is null and expires_at > $3 "
        "returning person_id, subject, challenge, options",
        ceremony_id,
        kind,
        now,
    )
    if used is None:
        raise CeremonyInvalid()
    return used
