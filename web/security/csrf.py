"""Forgery: a token bound to the session (or to the visitor's cookie), and where a request is from.

The token is HMAC(session token): whoever lacks the session can't make one, signing in changes it,
and no key has to be kept or shared between processes. Each page shows it under a fresh mask, so
that its compressed length tells nothing.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from litestar.enums import RequestEncodingType
from litestar.exceptions import PermissionDeniedException
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from web.http import WebRequest
from web.session import visit_of

FIELD = "_csrf_token"
HEADER = "x-csrftoken"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_CONTEXT = b"yipay/csrf/v1"
_SIZE = hashlib.sha256().digest_size


class ForeignRequest(PermissionDeniedException):
    """A request that doesn't come from our own pages, or whose page is out of date."""


def issue(secret: str) -> str:
    """A token for a page that is drawn now."""
    mask = secrets.token_bytes(_SIZE)
    return base64.urlsafe_b64encode(mask + _xor(mask, _mac(secret))).decode()


def valid(token: str, secret: str) -> bool:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(raw) == 2 * _SIZE and hmac.compare_digest(
        _xor(raw[:_SIZE], raw[_SIZE:]), _mac(secret)
    )


class CsrfMiddleware(ASGIMiddleware):
    """Refuses unsafe requests that are not from our own pages. Opt-out: `exclude_from_csrf`."""

    exclude_opt_key = "exclude_from_csrf"

    def __init__(self, origin: str) -> None:
        self._origin = origin

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request = WebRequest(scope, receive)
        if request.method not in SAFE_METHODS:
            if not self._from_here(request):
                raise ForeignRequest("origin")
            secret = visit_of(request).csrf_secret
            if not secret or not valid(await _token(request), secret):
                await _let_go(request)
                raise ForeignRequest("token")
        await next_app(scope, receive, send)

    def _from_here(self, request: WebRequest) -> bool:
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        return request.headers.get("origin") == self._origin


async def _token(request: WebRequest) -> str:
    if HEADER in request.headers or not _has_a_field(request):
        return request.headers.get(HEADER, "")
    field = (await request.form()).get(FIELD, "")
    return field if isinstance(field, str) else ""


async def _let_go(request: WebRequest) -> None:
    """Close the files that came with a refused form."""
    if HEADER not in request.headers and _has_a_field(request):
        await (await request.form()).close()


def _has_a_field(request: WebRequest) -> bool:
    """Forms carry the token. A picture is taken in from nobody but who is signed in."""
    kind = request.content_type[0]
    with_picture = kind == RequestEncodingType.MULTI_PART
    signed_in = visit_of(request).person is not None
    return kind == RequestEncodingType.URL_ENCODED or (with_picture and signed_in)


def _mac(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _CONTEXT, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
