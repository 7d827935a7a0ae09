"""What signing up, signing in and adding a device end with: a session of this device."""

from collections.abc import Sequence
from typing import Any

import structlog
from litestar import Response
from litestar.datastructures import Cookie

from backend.errors import DomainError
from backend.identity import NewPerson, OpenedSession, OpenSession
from backend.risk import Ceremony
from backend.services import Services
from web.http import WebRequest, local_path, redirect
from web.i18n import texts
from web.security import cookies
from web.session import Visit, visit_of

_log = structlog.get_logger(__name__)

MAX_LABEL = 64

_OVER = (cookies.CSRF, cookies.ENROLMENT, cookies.NEXT)  # of no use once somebody is signed in

# In order: browsers that claim to be others come before those they claim to be.
_BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device_label(request: WebRequest) -> str:
    """Browser and system as a person knows them, for example "Chrome · Windows"."""
    agent = request.headers.get("user-agent", "")[:512]
    found = [_first(names, agent) for names in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in found if name)[:MAX_LABEL] or "?"


async def open_wallet(services: Services, new: NewPerson) -> None:
    """Who somebody is, and an account in the books. Idempotent, so that it can be completed."""
    await services.identity.create_person(new)
    await services.payments.open_wallet(new.person_id)


async def enter(
    request: WebRequest,
    services: Services,
    opening: OpenSession,
    device_secret: str,
    where: str = "/",
) -> Response[Any]:
    """Open a session and go on. A wallet whose opening stopped half-way is finished here."""
    await services.payments.open_wallet(opening.person_id)
    opened = await services.identity.open_session(opening)
    return await admit(request, services, opened, device_secret, where)


async def admit(
    request: WebRequest,
    services: Services,
    opened: OpenedSession,
    device_secret: str,
    where: str = "/",
) -> Response[Any]:
    """Go on with an open session. The old one of this browser ends: no token survives a sign-in."""
    await _end(services, visit_of(request))
    session = opened.session
    _log.info("signed_in", person_id=session.person_id, device_id=session.device_id)
    kept: list[Cookie] = [cookies.session(opened.token)]
    kept += [cookies.gone(name) for name in _OVER if name in request.cookies]
    if device_secret:
        kept.append(cookies.device(device_secret))
    return redirect(request, local_path(where), kept)


async def leave(
    request: WebRequest, services: Services, where: str, more: Sequence[Cookie] = ()
) -> Response[Any]:
    """End this session; what the browser keeps of the pages goes, the device stays bound."""
    visit = visit_of(request)
    await _void_codes(services, visit)
    await _end(services, visit)
    if visit.person is not None:
        _log.info("signed_out", person_id=visit.person.person_id)
    response = redirect(request, where, [cookies.gone(cookies.SESSION), *more])
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def begun(ceremony: Ceremony) -> Response[bytes]:
    """A ceremony as passkey.js reads it."""
    body = b'{"ceremony_id":"%s","options":%s}' % (
        ceremony.ceremony_id.encode(),
        ceremony.options_json,
    )
    return Response(body, media_type="application/json", status_code=200)


def refused(request: WebRequest, message: str) -> Response[dict[str, str]]:
    """A ceremony that can't begin, because of what the form holds."""
    said = texts(visit_of(request).language).gettext(message)
    return Response({"message": said}, status_code=422)


async def _end(services: Services, visit: Visit) -> None:
    if visit.session is None:
        return
    try:
        await services.identity.end_session(visit.session.person_id, visit.session.session_id)
    except DomainError as refusal:  # it has ended meanwhile: what was asked for is so
        _log.info("session_gone", code=refusal.code)


async def _void_codes(services: Services, visit: Visit) -> None:
    """Payment codes that this device has shown or taken along end with the session here."""
    if visit.person is None or not visit.device_secret:
        return
    try:
        await services.risk.revoke_codes(visit.person.person_id, visit.device_secret)
    except DomainError as refusal:  # signing out goes on; the codes end by themselves in a day
        _log.warning("codes_not_revoked", person_id=visit.person.person_id, code=refusal.code)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    found = (name for mark, name in names if mark in agent)
    return next(found, "")
