"""Failures as RFC 9457 problems. Statuses are this face's own."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap, Message, Scope

from backend import ids
from backend.errors import DomainError
from mobile_api import idempotent

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPES = "https://docs.yipay.example/problems/"
STATUSES = {
    "bad_request": 400,
    "invalid_request": 400,
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "idempotency_mismatch": 422,
    "write_running": 409,
    "unsupported_media_type": 415,
    "signed_out": 401,
    "not_found": 404,
    "order_expired": 410,
    "order_cancelled": 410,
}
PLAIN = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
RETRY_AFTER_S = 5
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    title: str
    status: int
    detail: str = ""
    instance: str
    code: str
    request_id: str
    retryable: bool
    money_moved: str


async def security_headers(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("request-id", request_id_of(scope))


def request_id_of(scope: Scope) -> str:
    """The id that the parent app gave the request, or a new one when served alone."""
    return str(scope["state"].setdefault("request_id", ids.new("req")))


def on_refusal(request: Request[Any, Any, Any], error: DomainError) -> Response[Problem]:
    status = STATUSES.get(error.code, 503 if error.retryable else 409)
    _log.info("refused", code=error.code, status=status)
    if error.retryable:
        idempotent.not_for_good(request.scope)
    return _answer(request, status, error.code, error.retryable, error.money_moved)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    status = error.status_code if error.status_code in PLAIN else 400
    return _answer(request, status, PLAIN[status], status == 429, "no")


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _log.error("failed", exc_info=error)
    return _answer(request, 500, "internal_error", True, "unknown")


HANDLERS: ExceptionHandlersMap = {
    DomainError: on_refusal,
    HTTPException: on_http,
    Exception: on_bug,
}


def _answer(
    request: Request[Any, Any, Any], status: int, code: str, retryable: bool, moved: str
) -> Response[Problem]:
    problem = Problem(
        type=TYPES + code.replace("_", "-"),
        title=code.replace("_", " ").capitalize(),
        status=status,
        instance=request.scope["path"],
        code=code,
        request_id=request_id_of(request.scope),
        retryable=retryable,
        money_moved=moved,
    )
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in {429, 503} else {}
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)
