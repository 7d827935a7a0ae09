"""Enrolment, sign-in, devices and approvals, as the security system knows them."""

from datetime import datetime
from typing import Annotated

import msgspec

from backend.ids import Id

# "\d" means digits of all scripts, and "$" lets a line feed follow.
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{6,14}(?![\s\S])")]
"""E.164, for example +8613800138000."""

SmsCode = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$", max_length=6)]
Secret = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""256 random bits, unpadded base64url. Kept as a hash."""

CredentialJson = Annotated[bytes, msgspec.Meta(max_length=16_384)]
"""What the browser's `credential.toJSON()` gave, as UTF-8 JSON."""

Label = Annotated[str, msgspec.Meta(max_length=64)]


class StartEnrolment(msgspec.Struct, frozen=True, array_like=True):
    enrolment_id: Id
    phone: Phone
    address: str  # the asker's network address, for limits
    language: str = "zh-CN"


class EnrolmentStarted(msgspec.Struct, frozen=True, array_like=True):
    """The same for known and unknown numbers."""

    resend_at: datetime
    expires_at: datetime


class CheckCode(msgspec.Struct, frozen=True, array_like=True):
    enrolment_id: Id
    code: SmsCode


class PhoneProven(msgspec.Struct, frozen=True, array_like=True):
    """has_wallet: this number's wallet exists; its owner signs in with a passkey instead."""

    phone: str
    has_wallet: bool


class BeginRegistration(msgspec.Struct, frozen=True, array_like=True):
    """With an enrolment (first device) or a grant from an older device (further ones)."""

    person_id: Id
    display_name: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    enrolment_id: str = ""
    grant: str = ""


class Ceremony(msgspec.Struct, frozen=True, array_like=True):
    """options_json: for `PublicKeyCredential.parse…OptionsFromJSON`. Single use, 2 minutes."""

    ceremony_id: str
    options_json: bytes
    expires_at: datetime


class FinishRegistration(msgspec.Struct, frozen=True, array_like=True):
    """enrolment_id: whose ceremony it must be; "": one by a grant. device_proof: of a phone, for
    this very request, with the ceremony's challenge as `chl`: the device is made with that key and
    gets no secret. device_secret: what the browser kept from whoever used it before."""

    ceremony_id: str
    response_json: CredentialJson
    device_label: Label
    address: str = ""
    device_proof: str = ""
    enrolment_id: str = ""
    device_secret: str = ""


class Enrolled(msgspec.Struct, frozen=True, array_like=True):
    """device_secret goes to the device and nowhere else; "" for a phone's key. phone comes from
    here because no one else may say which number was proven."""

    person_id: str
    device_id: str
    device_secret: str
    synced: bool  # backup eligible: level B
    phone: str = ""


class FinishSignIn(msgspec.Struct, frozen=True, array_like=True):
    """device_secret: of a device known already, or "" on a new one, which is then bound; another
    person's tells that it is the same machine.
    device_proof: of a phone instead, as in `FinishRegistration`; a known key is the known device.
    """

    ceremony_id: str
    response_json: CredentialJson
    device_label: Label
    device_secret: str = ""
    address: str = ""
    device_proof: str = ""


class SignedIn(msgspec.Struct, frozen=True, array_like=True):
    person_id: str
    device_id: str
    device_secret: str  # empty when the device was known, and for a phone's key
    new_device: bool
    phone: str = ""  # so that a wallet whose opening stopped half-way can be completed


class Device(msgspec.Struct, frozen=True, array_like=True):
    device_id: str
    label: str
    passkey: bool
    synced: bool
    created_at: datetime
    last_used_at: datetime
    trusted_at: datetime  # until then the limits of a new device apply
    key: bool = False  # a phone, which proves itself by a key of its own


class SeenMark(msgspec.Struct, frozen=True, array_like=True):
    """How far somebody has read of what the security system has seen; 0, 0 is the beginning."""

    xact: int
    seq: int


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened to an account's security; kind: as in events.py. person_id may be a
    shop's id. label: the device's, also of one that was removed since."""

    mark: SeenMark
    person_id: str
    kind: str
    device_id: str
    label: str
    at: datetime


class Approval(msgspec.Struct, frozen=True, array_like=True):
    """A finished assertion ceremony of the person, for a change of security settings."""

    person_id: str
    ceremony_id: str
    response_json: CredentialJson


class DeviceGrant(msgspec.Struct, frozen=True, array_like=True):
    """A one-time secret with which a new device may register a passkey, for 5 minutes."""

    grant: str
    expires_at: datetime


class Alarm(msgspec.Struct, frozen=True, array_like=True):
    alarm_id: int
    kind: str
    detail: str  # ids only, no personal data
    accounts: tuple[str, ...]
    raised_at: datetime


class Status(msgspec.Struct, frozen=True, array_like=True):
    """Of the security system, for /health/ready and the metrics."""

    alarms: tuple[Alarm, ...]  # the newest open ones, at most 20
    open_alarms: int
    audited_seq: int  # the journal is verified up to here
    audited_at: datetime | None
