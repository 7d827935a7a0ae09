"""Arriving from another site: the session cookie (SameSite=Strict) stays behind on that request.

The visitor gets a small public page that goes to the same address once more, now from our own site.
"""

from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from web.http import WebRequest
from web.render import page
from web.security import cookies

WHOLE_PAGES = frozenset({"document", "empty"})  # the latter when a service worker forwards it


class ArrivalMiddleware(ASGIMiddleware):
    exclude_opt_key = "asset"

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request = WebRequest(scope, receive)
        if not _from_elsewhere(request):
            await next_app(scope, receive, send)
            return
        response = page(request, "arrival.html", again=_again(request))
        await response.to_asgi_response(app=None, request=request)(scope, receive, send)


def _from_elsewhere(request: WebRequest) -> bool:
    return (
        request.method == "GET"
        and request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest", "document") in WHOLE_PAGES
        and cookies.SESSION not in request.cookies
    )


def _again(request: WebRequest) -> str:
    """The same address; with our origin in front, so that "//…" can't lead to another host."""
    origin = request.app.state.settings.public_origin
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{origin}{request.url.path}" + (f"?{query}" if query else "")
