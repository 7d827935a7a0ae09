"""Joining a shop by an invitation, with the member's own passkey."""

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend.risk import Approval, InvitationInvalid, Secret
from backend.services import Services
from mobile_api.caller import Caller
from mobile_api.consent import CeremonyView, Confirmation, ceremony_view
from mobile_api.idempotent import FRESH
from mobile_api.shapes import timestamp
from mobile_api.shops import SeatView, seat_view


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """What an invitation is to."""

    object: str = "joining"
    id: str
    shop: str
    role: str
    expires: str


class JoiningCeremony(msgspec.Struct, frozen=True, kw_only=True):
    object: str = "ceremony"
    ceremony: CeremonyView


@get("/v1/shop-invitations/{secret:str}")
async def show_joining(services: NamedDependency[Services], secret: FromPath[str]) -> Joining:
    """Which shop, and as what.

    Refuses: invitation_invalid."""
    invited = await services.merchant.invitation(_secret(secret))
    return Joining(
        id=invited.invitation_id,
        shop=invited.shop_name,
        role=invited.role,
        expires=timestamp(invited.expires_at),
    )


@post("/v1/shop-invitations/{secret:str}/ceremony", status_code=200, opt=FRESH)
async def begin_joining(
    caller: NamedDependency[Caller], services: NamedDependency[Services], secret: FromPath[str]
) -> JoiningCeremony:
    """What the passkey is to sign.

    Refuses: invitation_invalid, needs_passkey."""
    ceremony = await services.merchant.begin_joining(caller.person.person_id, _secret(secret))
    return JoiningCeremony(ceremony=ceremony_view(ceremony))


@post("/v1/shop-invitations/{secret:str}/confirm", status_code=200)
async def join_shop(
    data: JSONBody[Confirmation],
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> SeatView:
    """Join, and act for the shop from now on.

    Refuses: invitation_invalid, ceremony_invalid, passkey_refused, already_member."""
    approval = Approval(caller.person.person_id, data.ceremony_id, data.response_json)
    return seat_view(await services.merchant.join(approval, _secret(secret)))


def _secret(text: str) -> str:
    """Refuses: InvitationInvalid, for what can't be one."""
    try:
        return msgspec.convert(text, Secret)
    except msgspec.ValidationError:
        raise InvitationInvalid() from None


handlers = [show_joining, begin_joining, join_shop]
