"""Signing in with a discoverable passkey, and out."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend import onboarding
from backend.identity import Language, OpenPhoneSession
from backend.risk import FinishSignIn
from backend.services import Services
from mobile_api.auth import Holder
from mobile_api.caller import Caller
from mobile_api.ceremonies import CeremonyBegun, DeviceAnswer, begun
from mobile_api.sessions import EndedView
from mobile_api.strict import NOTHING, Nothing
from mobile_api.tokens import TokensView, tokens_view

OPT = {"open": True, "idempotent": False}


class SignIn(DeviceAnswer, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """language: of a wallet whose opening is finished by this."""

    language: Language = "zh-CN"


@post("/v1/sign-in/ceremony", status_code=200, opt=OPT)
async def begin(
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
    data: JSONBody[Nothing] = NOTHING,
) -> CeremonyBegun:
    """Begin signing in: the same for everybody, because no name is asked for."""
    return begun(await services.risk.begin_sign_in())


@post("/v1/sign-in", status_code=200, opt=OPT)
async def finish(
    data: JSONBody[SignIn], holder: NamedDependency[Holder], services: NamedDependency[Services]
) -> TokensView:
    """Sign in. A phone whose key is new here becomes a new device.

    Refuses: ceremony_invalid, passkey_refused, device_proof_invalid, device_key_taken.
    """
    signed_in = await services.risk.finish_sign_in(
        FinishSignIn(
            data.ceremony_id,
            data.response_json,
            data.label,
            address=holder.address,
            device_proof=holder.proof,
        )
    )
    await onboarding.complete(services, signed_in, data.language)
    opening = OpenPhoneSession(
        person_id=signed_in.person_id,
        device_id=signed_in.device_id,
        label=data.label,
        thumbprint=holder.thumbprint,
    )
    opened = await onboarding.enter_phone(services, opening)
    return tokens_view(services, opened, holder.thumbprint)


@post("/v1/sign-out", status_code=200, opt={"idempotent": False})
async def sign_out(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    data: JSONBody[Nothing] = NOTHING,
) -> EndedView:
    """End this session. Payment codes of this phone end with it; the phone stays bound."""
    await onboarding.leave(services, caller.person.person_id, caller.session_id, caller.proof)
    return EndedView(id=caller.session_id)


handlers = [begin, finish, sign_out]
