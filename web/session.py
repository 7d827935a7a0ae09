"""Who is visiting: session, person, device and language, found once per request."""

import secrets

import msgspec
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from backend.identity import Person, Session, SignedOut
from backend.services import Services
from backend.texts import negotiate
from web.http import WebRequest
from web.security import cookies

_STATE = "visit"

EVENTS = "/events"
# Parts that ask for themselves anew, as htmx names them in HX-Source; no person stands behind that.
REFRESHING = frozenset(
    {
        "div#home",
        "div#board",
        "div#friends",
        "div#group",
        "div#asked",
        "div#packets",
        "div#shares",
        "section#filling",
        "section#paycode",
        "section#received",
        "section#today",
        "section#order",
        "section#pay",
        "section#topup",
        "section#withdrawal",
        "section#transfer",
        "section#request",
        "div#requests",
        "div#notices",
        "a#bell",
    }
)


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """device_secret: "" on a device that was never bound. address: of the socket."""

    person: Person | None = None
    session: Session | None = None
    device_secret: str = ""
    address: str = ""
    language: str
    csrf_secret: str
    csrf_is_new: bool = False  # the next page sets the cookie


class VisitMiddleware(ASGIMiddleware):
    """Finds the visit. Handlers with the opt `asset` have none."""

    exclude_opt_key = "asset"

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request = WebRequest(scope, receive)
        services: Services = scope["litestar_app"].state.services
        token = request.cookies.get(cookies.SESSION, "")
        session = await _session(services, token, not by_itself(request)) if token else None
        person = await services.identity.person(session.person_id) if session else None
        scope["state"][_STATE] = _visit(request, person, session, token)
        await next_app(scope, receive, send)


def visit_of(request: WebRequest) -> Visit:
    """The visit; an anonymous one where the request failed before it was found."""
    found = request.scope["state"].get(_STATE)
    if found is None:
        found = request.scope["state"][_STATE] = _visit(request, None, None, "")
    assert isinstance(found, Visit)
    return found


async def provide_visit(request: WebRequest) -> Visit:
    return visit_of(request)


async def provide_person(request: WebRequest) -> Person:
    """The signed-in person. Refuses: SignedOut."""
    person = visit_of(request).person
    if person is None:
        raise SignedOut()
    return person


def by_itself(request: WebRequest) -> bool:
    """Whether a page asks without anybody having done anything: that keeps no session awake."""
    return request.method == "GET" and (
        request.scope["path"] == EVENTS or request.headers.get("hx-source", "") in REFRESHING
    )


async def _session(services: Services, token: str, touch: bool) -> Session | None:
    try:
        return await services.identity.session(token, touch)
    except SignedOut:
        return None


def _visit(
    request: WebRequest, person: Person | None, session: Session | None, token: str
) -> Visit:
    anonymous = request.cookies.get(cookies.CSRF, "")
    fresh = "" if session or anonymous else secrets.token_urlsafe(32)
    return Visit(
        person=person,
        session=session,
        device_secret=request.cookies.get(cookies.DEVICE, ""),
        address=request.address,
        language=negotiate(
            # Demo people are shared: each visitor reads them in their own language.
            person.language if person and not person.demo else "",
            request.cookies.get(cookies.LANGUAGE, ""),
            request.headers.get("accept-language", ""),
        ),
        csrf_secret=token if session else anonymous or fresh,
        csrf_is_new=bool(fresh),
    )
