"""Requests as htmx 4 makes them, and redirects that suit both htmx and plain browsers."""

import re
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.types import Scope

LOCAL_PATH = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9_/-]{0,199})?")

MAIN = "#main"
UNSEEN = {"Cache-Control": "no-store"}  # of what is shown once, or only to who has the link
VARY = "HX-Request, HX-Request-Type, Accept-Language, Cookie"


class WebRequest(Request[Any, Any, Any]):
    @property
    def is_htmx(self) -> bool:
        return self.headers.get("hx-request") == "true"

    @property
    def is_partial(self) -> bool:
        """Whether only the page's content is wanted, without its frame."""
        return self.headers.get("hx-request-type") == "partial"

    @property
    def swaps_page(self) -> bool:
        """Whether the part becomes the whole page, so that its title and top bar change too."""
        return self.is_partial and self.headers.get("hx-target", "").endswith(MAIN)

    @property
    def wants_json(self) -> bool:
        """A script of ours that starts a passkey ceremony."""
        return self.headers.get("accept") == "application/json"

    @property
    def address(self) -> str:
        """The socket's address: nothing a client can write into a header."""
        return self.client.host if self.client else ""


def redirect(request: WebRequest, path: str, cookies: Sequence[Cookie] = ()) -> Response[Any]:
    """See another page next. htmx would follow a 303 inside its request."""
    if request.is_htmx:
        headers, status_code = {"HX-Redirect": path}, 200
    else:
        headers, status_code = {"Location": path}, 303
    return Response(
        b"",
        status_code=status_code,
        headers=headers,
        cookies=list(cookies),
        media_type="text/plain",
    )


def local_path(text: str, otherwise: str = "/") -> str:
    """text if it is the path of a page of ours, for "where to go after signing in"."""
    return text if LOCAL_PATH.fullmatch(text) else otherwise


def has_page(request: WebRequest, first: str) -> bool:
    """Whether some address of ours begins with this part."""
    return any(route.path.split("/")[1] == first for route in request.app.routes)


def request_id_of(scope: Scope) -> str:
    return str(scope["state"].get("request_id", ""))
