"""Which version of the API this is, what it promises, and how something ends.

A version is a date. What only adds (a member, a value, an operation, a parameter that may be left
out) comes without a new one: clients ignore what they don't know. What breaks one gets a new date,
and the old one goes on for at least SUNSET_MONTHS after its Deprecation header first appeared.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

import msgspec
from litestar import get
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import DomainError
from mobile_api.fields import FieldError
from mobile_api.strict import Invalid

API_VERSION = "2026-11-01"
VERSIONS = (API_VERSION,)
HEADER = "yipay-version"
SUNSET_MONTHS = 12
DEPRECATED = "deprecated"  # a handler's opt, with an Ending


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A handler that ends: since when that is said, when it is over, and what to use instead."""

    since: date
    sunset: date
    instead: str  # a path below /api


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """versions: what YiPay-Version may name."""

    object: str = "version"
    version: str = API_VERSION
    versions: tuple[str, ...] = VERSIONS
    sunset_months: int = SUNSET_MONTHS


class UnsupportedVersion(DomainError, code="unsupported_version"):
    """A YiPay-Version that we don't speak."""


class EntryMiddleware(ASGIMiddleware):
    """What every request must be before anybody looks at it.

    Refuses: UnsupportedVersion, Invalid.
    """

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        wanted = Headers.from_scope(scope).get(HEADER)
        if wanted is not None and wanted not in VERSIONS:
            raise UnsupportedVersion()
        # No text of ours may hold it: PostgreSQL has no place for it.
        if "\0" in scope["path"]:
            raise Invalid(FieldError(parameter="path", code="wrong_form"))
        if b"%00" in scope["query_string"]:
            raise Invalid(FieldError(parameter="query", code="wrong_form"))
        await next_app(scope, receive, send)


@get("/v1/version", opt={"open": True})
async def version() -> Version:
    """Say which versions of the API there are."""
    return Version()


async def version_headers(message: Message, scope: Scope) -> None:
    """The version with every answer, and its end with what ends. A `before_send` hook."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    headers[HEADER] = API_VERSION
    opt: Mapping[str, object] = getattr(scope.get("route_handler"), "opt", {})
    ending = opt.get(DEPRECATED)
    if isinstance(ending, Ending):
        headers["deprecation"] = f"@{int(_midnight(ending.since).timestamp())}"  # RFC 9745
        headers["sunset"] = format_datetime(_midnight(ending.sunset), usegmt=True)  # RFC 8594
        headers["link"] = f'</api{ending.instead}>; rel="successor-version"'


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


handlers = [version]
