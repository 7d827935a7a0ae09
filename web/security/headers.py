"""Headers on every answer, errors and unknown addresses included; a nonce per answer."""

import secrets
from collections.abc import Awaitable, Callable

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from backend.settings import Settings

NONCE_BYTES = 16
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), publickey-credentials-get=(self), payment=(self)",
    "cache-control": "no-store",
}
HSTS = "max-age=63072000; includeSubDomains; preload"
# Of files that are no page: a service worker may fetch from us, nothing else may do anything.
STATIC_CSP = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'"

_NONCE, _ALLOWED = "csp_nonce", "csp_allowed"


def nonce_of(scope: Scope) -> str:
    """The nonce of this answer, made when first asked for."""
    return str(scope["state"].setdefault(_NONCE, secrets.token_urlsafe(NONCE_BYTES)))


def allow(scope: Scope, directive: str, source: str) -> None:
    """Widen the policy of this answer alone, for example ("media-src", "'self'") for a sound."""
    allowed: dict[str, list[str]] = scope["state"].setdefault(_ALLOWED, {})
    allowed.setdefault(directive, []).append(source)


def policy(nonce: str, allowed: dict[str, list[str]]) -> str:
    directives = {
        "default-src": ["'none'"],
        "script-src": [f"'nonce-{nonce}'", "'strict-dynamic'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["yipay", "htmx"],
    }
    for directive, sources in allowed.items():
        directives[directive] = [*directives.get(directive, []), *sources]
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


def security_headers(settings: Settings) -> Callable[[Message, Scope], Awaitable[None]]:
    """The hook that runs before every answer leaves; it keeps what a handler has set itself."""
    fixed = ALWAYS | ({"strict-transport-security": HSTS} if settings.secure_transport else {})

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        for name, value in fixed.items():
            headers.setdefault(name, value)
        if "content-security-policy" not in headers:
            allowed = scope["state"].get(_ALLOWED, {})
            headers["content-security-policy"] = policy(nonce_of(scope), allowed)

    return add
