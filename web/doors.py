"""What signing up, signing in and adding a device end with: a session of this device."""

from collections.abc import Sequence
from typing import Any

from litestar import Response
from litestar.datastructures import Cookie

from backend import onboarding
from backend.identity import OpenedSession, OpenSession
from backend.risk import Ceremony
from backend.services import Services
from web.http import WebRequest, local_path, redirect
from web.i18n import texts
from web.security import cookies
from web.session import Visit, visit_of

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


async def enter(
    request: WebRequest,
    services: Services,
    opening: OpenSession,
    device_secret: str,
    where: str = "/",
) -> Response[Any]:
    """Open a session and go on."""
    opened = await onboarding.enter(services, opening)
    return await admit(request, services, opened, device_secret, where)


async def admit(
    request: WebRequest,
    services: Services,
    opened: OpenedSession,
    device_secret: str,
    where: str = "/",
) -> Response[Any]:
    """Go on with an open session. The old one of this browser ends: no token survives a sign-in."""
    await _leave(services, visit_of(request))
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
    await _leave(services, visit, visit.device_secret)
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


async def _leave(services: Services, visit: Visit, device_secret: str = "") -> None:
    if visit.session is not None:
        session = visit.session
        await onboarding.leave(services, session.person_id, session.session_id, device_secret)


def _first(names: tuple[tuple[str, str], ...], agent: str) -> str:
    found = (name for mark, name in names if mark in agent)
    return next(found, "")
