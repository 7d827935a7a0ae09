"""Joining a shop by an invitation, with the member's own passkey."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody

from backend.errors import DomainError
from backend.identity import Person
from backend.merchant import Invited
from backend.risk import InvitationInvalid, Secret
from backend.risk.refusals import CeremonyInvalid, PasskeyRefused
from backend.services import Services
from backend.shop_roles import Permission
from web.approvals import approval_of
from web.doors import begun
from web.forms import Form
from web.http import UNSEEN, WebRequest, redirect
from web.problems import status_of
from web.render import page
from web.session import Visit


@get("/j/{secret:str}")
async def show(
    request: WebRequest,
    visit: NamedDependency[Visit],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[str]:
    """Also for visitors, who are led to sign in or to open a wallet, and back."""
    invited = await services.merchant.invitation(_secret(secret))
    return _page(request, invited, visit.person, None)


@post("/j/{secret:str}/ceremony", status_code=200)
async def begin(
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[bytes]:
    return begun(await services.merchant.begin_joining(person.person_id, _secret(secret)))


@post("/j/{secret:str}", status_code=200)
async def join(
    request: WebRequest,
    data: URLEncodedBody[dict[str, str]],
    person: NamedDependency[Person],
    services: NamedDependency[Services],
    secret: FromPath[str],
) -> Response[Any]:
    approval = approval_of(Form(data), person)
    try:
        seat = await services.merchant.join(approval, _secret(secret))
    except (CeremonyInvalid, PasskeyRefused) as refusal:
        invited = await services.merchant.invitation(secret)
        return _page(request, invited, person, refusal)
    return redirect(request, "/shop" if Permission.ORDERS in seat.permissions else "/cashier")


def _page(
    request: WebRequest, invited: Invited, person: Person | None, refusal: DomainError | None
) -> Response[str]:
    return page(
        request,
        "joining/page.html",
        status_code=status_of(refusal) if refusal else 200,
        headers=UNSEEN,
        invited=invited,
        here=f"/j/{invited.secret}",
        guest=person is None,
        refusal=refusal,
    )


def _secret(text: str) -> str:
    """Refuses: InvitationInvalid, for what can't be one."""
    try:
        return msgspec.convert(text, Secret)
    except msgspec.ValidationError:
        raise InvitationInvalid() from None


handlers = [show, begin, join]
