"""Opening a wallet on a phone: number, code, then passkey and device key in one ceremony."""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend import ids, onboarding
from backend.errors import NotFound
from backend.identity import DisplayName, Language, OpenPhoneSession
from backend.risk import (
    BeginRegistration,
    CheckCode,
    FinishRegistration,
    Phone,
    SmsCode,
    StartEnrolment,
)
from backend.services import Services
from mobile_api.auth import Holder
from mobile_api.caller import Once
from mobile_api.ceremonies import CeremonyBegun, DeviceAnswer, begun
from mobile_api.shapes import timestamp
from mobile_api.tokens import TokensView, tokens_view

OPT = {"open": True, "idempotent": False}


class NewEnrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """phone: E.164. language: of the message with the code."""

    phone: Phone
    language: Language = "zh-CN"


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: SmsCode


class Named(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    display_name: DisplayName


class NewDevice(DeviceAnswer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    display_name: DisplayName
    language: Language = "zh-CN"


class EnrolmentView(msgspec.Struct, frozen=True, kw_only=True):
    """The same for numbers that have a wallet and those that have none. resend: another code may be
    asked for from then on."""

    object: str = "enrolment"
    id: str
    resend: str  # RFC 3339
    expires: str


class ProvenView(msgspec.Struct, frozen=True, kw_only=True):
    """has_wallet: sign in, or add this phone from an older device."""

    object: str = "enrolment"
    id: str
    phone: str
    has_wallet: bool


@post("/v1/enrolments", status_code=201, opt={"open": True})
async def start(
    data: JSONBody[NewEnrolment],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
    once: NamedDependency[Once],
) -> EnrolmentView:
    """Send a code to a phone number.

    Another code takes another enrolment, a minute later.

    Refuses: too_many_codes, resend_too_soon, sms_unavailable.
    """
    enrolment_id = once.id("enr", holder.thumbprint)
    asked = StartEnrolment(enrolment_id, data.phone, holder.address, data.language)
    started = await services.risk.start_enrolment(asked)
    return EnrolmentView(
        id=enrolment_id,
        resend=timestamp(started.resend_at),
        expires=timestamp(started.expires_at),
    )


@post("/v1/enrolments/{enrolment_id:str}/code", status_code=200, opt=OPT)
async def check_code(
    enrolment_id: FromPath[str],
    data: JSONBody[Code],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
) -> ProvenView:
    """Prove the number with the code.

    Refuses: code_wrong, code_expired, code_spent, not_found.
    """
    proven = await services.risk.check_code(CheckCode(_checked(enrolment_id), data.code))
    return ProvenView(id=enrolment_id, phone=proven.phone, has_wallet=proven.has_wallet)


@post("/v1/enrolments/{enrolment_id:str}/ceremony", status_code=200, opt=OPT)
async def begin(
    enrolment_id: FromPath[str],
    data: JSONBody[Named],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
) -> CeremonyBegun:
    """Begin making the passkey of the new wallet.

    Refuses: phone_not_proven, has_wallet, not_found.
    """
    asked = BeginRegistration(ids.new("usr"), data.display_name, _checked(enrolment_id))
    return begun(await services.risk.begin_registration(asked))


@post("/v1/enrolments/{enrolment_id:str}/device", status_code=201, opt=OPT)
async def finish(
    enrolment_id: FromPath[str],
    data: JSONBody[NewDevice],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
) -> TokensView:
    """Open the wallet, with the new passkey and the phone's key.

    Refuses: ceremony_invalid, passkey_refused, device_proof_invalid, device_key_taken,
    phone_not_proven, has_wallet, phone_taken, not_found.
    """
    enrolled = await services.risk.finish_registration(
        FinishRegistration(
            data.ceremony_id,
            data.response_json,
            data.label,
            holder.address,
            device_proof=holder.proof,
            enrolment_id=_checked(enrolment_id),
        )
    )
    await onboarding.open_wallet(services, enrolled, data.display_name, data.language)
    opening = OpenPhoneSession(
        person_id=enrolled.person_id,
        device_id=enrolled.device_id,
        label=data.label,
        thumbprint=holder.thumbprint,
    )
    opened = await onboarding.enter_phone(services, opening)
    return tokens_view(services, opened, holder.thumbprint)


def _checked(enrolment_id: str) -> str:
    """Refuses: NotFound."""
    if not ids.is_id(enrolment_id, "enr"):
        raise NotFound()
    return enrolment_id


handlers = [start, check_code, begin, finish]
