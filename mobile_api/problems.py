"""Failures as RFC 9457 problems, in the caller's language."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request, Response
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException, ValidationException
from litestar.routes import HTTPRoute
from litestar.types import ExceptionHandlersMap, Message, Scope

from backend import ids
from backend.errors import DomainError, MoneyMoved
from backend.statuses import RETRY_AFTER_S, retry_after, status_of
from backend.texts import Catalogue, catalogue, negotiate
from mobile_api import idempotent
from mobile_api.caller import Caller
from mobile_api.fields import FieldError
from mobile_api.strict import Invalid

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPES = "https://docs.yipay.example/problems/"

# What fails before or beside every handler: their texts are "refusal.<code>" too.
PLAIN: Mapping[int, str] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    429: "too_many_requests",
}
INTERNAL = "internal_error"

_PARAMETER = re.compile(r"\{[^}]+\}")
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Mistake(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field (pointer: RFC 6901, into the body) or one parameter (of path, query or header)."""

    detail: str
    code: str
    pointer: str = ""
    parameter: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. Clients ignore members that they don't know.

    code: stable, for programs. title: the same for every problem of a type. detail: for people.
    todo: what to do next, for people. money_moved: "no" or "unknown".
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    money_moved: MoneyMoved
    todo: str = ""
    errors: tuple[Mistake, ...] = ()


async def security_headers(message: Message, scope: Scope) -> None:
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.setdefault("request-id", request_id_of(scope))


def request_id_of(scope: Scope) -> str:
    """The id that the parent app gave the request, or a new one when served alone."""
    return str(scope["state"].setdefault("request_id", ids.new("req")))


def language_of(request: Request[Any, Any, Any]) -> str:
    """The person's own, else what the request asks for."""
    caller = request.scope["state"].get("caller")
    chosen = caller.person.language if isinstance(caller, Caller) else ""
    return negotiate(chosen, "", request.headers.get("accept-language", ""))


def on_refusal(request: Request[Any, Any, Any], error: DomainError) -> Response[Problem]:
    status = status_of(error)
    _log.info("refused", code=error.code, status=status)
    if error.retryable:
        idempotent.not_for_good(request.scope)
    said = catalogue(language_of(request))
    text = said.refusal(error)
    problem = _problem(
        request,
        status,
        code=error.code,
        title=text.what,
        detail=text.detail,
        todo=text.todo,
        retryable=error.retryable or status == 429,
        money_moved=error.money_moved,
        errors=_mistakes(said, error.errors) if isinstance(error, Invalid) else (),
    )
    return _answer(problem, retry_after(error))


def on_invalid(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """Parameters of path, query and headers; bodies are refused by the strict decoder."""
    found = error.extra if isinstance(error.extra, list) else []
    return on_refusal(
        request,
        Invalid(
            *(FieldError(parameter=str(each.get("key", "")), code="wrong_form") for each in found)
        ),
    )


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    status = error.status_code if error.status_code in PLAIN else 400
    answer = _plain(request, status, PLAIN[status], retryable=status == 429)
    if status == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    _log.error("failed", exc_info=error)
    return _plain(request, 500, INTERNAL, retryable=True, money_moved="unknown")


HANDLERS: ExceptionHandlersMap = {
    DomainError: on_refusal,
    ValidationException: on_invalid,
    HTTPException: on_http,
    Exception: on_bug,
}


def _methods(request: Request[Any, Any, Any]) -> set[str]:
    """What the address does take."""
    path = request.scope["path"].rstrip("/") or "/"
    return {
        method
        for route in request.app.routes
        if isinstance(route, HTTPRoute) and re.fullmatch(_PARAMETER.sub("[^/]+", route.path), path)
        for method in route.methods
    }


def _plain(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    *,
    retryable: bool,
    money_moved: MoneyMoved = "no",
) -> Response[Problem]:
    said = catalogue(language_of(request))
    problem = _problem(
        request,
        status,
        code=code,
        title=said.gettext(f"refusal.{code}"),
        todo=said.gettext(f"refusal.{code}.todo"),
        retryable=retryable,
        money_moved=money_moved,
    )
    return _answer(problem, RETRY_AFTER_S)


def _problem(request: Request[Any, Any, Any], status: int, **members: Any) -> Problem:
    given = {"detail": ""} | members
    given["detail"] = given["detail"] or given["title"]
    return Problem(
        type=TYPES + given["code"].replace("_", "-"),
        status=status,
        instance=quote(request.scope["path"]),
        request_id=request_id_of(request.scope),
        **given,
    )


def _mistakes(said: Catalogue, errors: tuple[FieldError, ...]) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            detail=said.gettext(f"field.{each.code}").replace("{limit}", each.limit),
            code=each.code,
            pointer=each.pointer,
            parameter=each.parameter,
        )
        for each in errors
    )


def _answer(problem: Problem, retry_after_s: int) -> Response[Problem]:
    headers = {"Retry-After": str(retry_after_s)} if problem.retryable else {}
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)
