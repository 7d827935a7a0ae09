"""Tokens of a phone: a short access token, and a refresh token for the next one."""

from typing import Annotated, Any

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend import onboarding
from backend.access_token import LIFE, Grantee
from backend.identity import PHONE_SESSION_LIFE, PhoneTokens
from backend.services import Services
from mobile_api.auth import REFRESH_REFUSED, SCHEME, Holder, refusing
from mobile_api.shapes import timestamp


class Refresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    refresh_token: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class TokensView(msgspec.Struct, frozen=True, kw_only=True):
    """Both are bound to the phone's key. `id` is the session's; it lives at most until `ends`."""

    object: str = "tokens"
    id: str
    created: str  # RFC 3339
    ends: str
    person: str
    device: str
    token_type: str = SCHEME
    access_token: str
    expires_in: int  # seconds
    refresh_token: str


@post("/v1/tokens/refresh", status_code=200, opt={"open": True, "idempotent": False, "known": True})
async def refresh(
    request: Request[Any, Any, Any],
    data: JSONBody[Refresh],
    holder: NamedDependency[Holder],
    services: NamedDependency[Services],
) -> TokensView:
    """Get the next tokens.

    The same refresh token again within 30 seconds, by the same key, gives a good answer too. Later,
    by another key, or an older one, it is taken for a theft: the session ends at once,
    and the person's outgoing money is held for 24 hours.

    Refuses: signed_out, refresh_reused.
    """
    with refusing(request.scope, REFRESH_REFUSED):
        turned = await onboarding.refresh(services, data.refresh_token, holder.thumbprint)
    return tokens_view(services, turned, holder.thumbprint)


def tokens_view(services: Services, opened: PhoneTokens, thumbprint: str) -> TokensView:
    session = opened.session
    token = services.tokens.issue(
        Grantee(
            person_id=session.person_id,
            session_id=session.session_id,
            device_id=session.device_id,
            thumbprint=thumbprint,
            auth_time=int(session.created_at.timestamp()),
        )
    )
    return TokensView(
        id=session.session_id,
        created=timestamp(session.created_at),
        ends=timestamp(session.created_at + PHONE_SESSION_LIFE),
        person=session.person_id,
        device=session.device_id,
        access_token=token,
        expires_in=int(LIFE.total_seconds()),
        refresh_token=opened.refresh_token,
    )


handlers = [refresh]
