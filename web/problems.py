"""Every failure as a page: what happened, whether money moved, what to do. Never a stack trace."""

import re
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from backend.errors import DomainError
from backend.identity import SignedOut
from backend.merchant import NoShop
from backend.statuses import retry_after as retry_after
from backend.statuses import status_of as status_of
from backend.texts import RefusalText
from web import nowhere
from web.http import MAIN, WebRequest, local_path, redirect, request_id_of
from web.i18n import msg, texts
from web.render import page
from web.security import cookies
from web.security.csrf import SAFE_METHODS, ForeignRequest
from web.security.throttle import WINDOW_S
from web.session import visit_of

_log = structlog.get_logger(__name__)

_PARAMETER = re.compile(r"\{[^}]+\}")

# Failures that are no refusals of a module, by status: what happened, what to do.
PLAIN = {
    400: (msg("This request could not be understood."), msg("Go back and try again.")),
    403: (
        msg("This page is out of date, or the request came from elsewhere."),
        msg("Open the page again and repeat what you did."),
    ),
    404: (msg("There is no such page."), msg("Check the address, or start from the home page.")),
    405: (msg("This address can't be used that way."), msg("Start from the home page.")),
    413: (msg("What was sent is too large."), msg("Send less.")),
    429: (msg("Too many tries within a minute."), msg("Wait a minute, then try again.")),
    500: (
        msg("Something went wrong on our side."),
        msg("If you were paying, look at your bills before you try again."),
    ),
}
UNKNOWN_OUTCOME = frozenset({500})


def on_refusal(request: Request[Any, Any, Any], error: DomainError) -> Response[Any]:
    """One line in the log, one page for the person."""
    web = _web(request)
    status_code = status_of(error)
    _log.info("refused", code=error.code, status=status_code, route=_route(web))
    if isinstance(error, SignedOut) and not web.wants_json:
        return _to_sign_in(web)
    if isinstance(error, NoShop) and web.method in SAFE_METHODS and not web.is_partial:
        return redirect(web, "/shop/new")
    headers = {"Retry-After": str(retry_after(error))} if status_code in {429, 503} else {}
    text = texts(visit_of(web).language).refusal(error)
    if web.wants_json:
        return _message(text, status_code, headers)
    return page(
        web,
        "error.html",
        status_code=status_code,
        headers=headers | _retarget(web),
        text=text,
        code=error.code,
        status=status_code,
        whole=web.is_partial,
        request_id=request_id_of(web.scope),
    )


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    web = _web(request)
    status_code = error.status_code if error.status_code in PLAIN else 400
    if isinstance(error, ForeignRequest):
        _log.warning("foreign_request", reason=error.detail, route=_route(web))
    headers = {"Retry-After": str(WINDOW_S)} if status_code == 429 else {}
    if status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(web)))
    return _plain(web, status_code, headers)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The last resort: whether something was carried out is not known here."""
    web = _web(request)
    _log.error("failed", route=_route(web), exc_info=error)
    return _plain(web, 500, {})


HANDLERS: ExceptionHandlersMap = {
    DomainError: on_refusal,
    HTTPException: on_http,
    Exception: on_bug,
}


def _plain(request: WebRequest, status_code: int, headers: dict[str, str]) -> Response[Any]:
    what, todo = PLAIN[status_code]
    unknown = status_code in UNKNOWN_OUTCOME
    text = texts(visit_of(request).language).plain(what, todo, unknown)
    if request.wants_json:
        return _message(text, status_code, headers)
    return page(
        request,
        "error.html",
        status_code=status_code,
        headers=headers | _retarget(request),
        text=text,
        code="",
        status=status_code,
        whole=request.is_partial,
        request_id=request_id_of(request.scope),
    )


def _message(text: RefusalText, status_code: int, headers: dict[str, str]) -> Response[Any]:
    """For passkey.js, which shows it in the form."""
    said = " ".join(part for part in (text.what, text.detail, text.money, text.todo) if part)
    return Response({"message": said}, status_code=status_code, headers=headers)


def _to_sign_in(request: WebRequest) -> Response[Any]:
    path = request.scope["path"] if request.method in SAFE_METHODS else "/"
    here = local_path(path)
    if cookies.SESSION in request.cookies:  # there was a session: say what became of it
        return redirect(request, f"/signed-out?next={here}")
    return redirect(request, "/welcome" if here == "/" else f"/sign-in?next={here}")


def _retarget(request: WebRequest) -> dict[str, str]:
    """A failed part takes the place of the whole content: it would make no sense inside a row."""
    return {"HX-Retarget": MAIN, "HX-Reswap": "innerHTML"} if request.is_partial else {}


def _methods(request: WebRequest) -> set[str]:
    """What the address does take."""
    path = request.scope["path"].rstrip("/") or "/"
    routes = (r for r in request.app.routes if r.path != nowhere.PATH)
    found = (r for r in routes if re.fullmatch(_PARAMETER.sub("[^/]+", r.path), path))
    return {method for route in found for method in getattr(route, "methods", ())}


def _route(request: WebRequest) -> str:
    """The route, not the path: a path may hold what should not be logged."""
    template = request.scope.get("path_template")
    return str(template) if template else "unrouted"


def _web(request: Request[Any, Any, Any]) -> WebRequest:
    return request if isinstance(request, WebRequest) else WebRequest(request.scope)
