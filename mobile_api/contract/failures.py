"""The problems that an operation may answer: what its docstring names, and what its frame adds."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec

from backend.errors import REFUSALS, DomainError
from backend.statuses import status_of
from backend.texts import catalogue
from mobile_api.problems import INTERNAL, MEDIA_TYPE, PLAIN, TYPES, Mistake, Problem

EVERYWHERE = ("bad_request", "invalid_request", "unsupported_version", "too_many_calls", INTERNAL)
SIGNED_IN = ("signed_out", "token_invalid", "proof_refused", "proof_replayed", "use_dpop_nonce")
HOLDER = ("proof_refused", "proof_replayed", "use_dpop_nonce")
WITH_BODY = ("unsupported_media_type", "too_large")
ONCE = (
    "idempotency_key_missing",
    "idempotency_key_invalid",
    "idempotency_mismatch",
    "write_running",
)
ELSEWHERE = ("unavailable", "outcome_unknown")  # another system is asked

_NAMED = re.compile(r"Refuses:\s*(.+?)\s*(?:\n\s*\n|\Z)", re.DOTALL)
_CODE = re.compile(r"[a-z][a-z0-9_]+")
_STATUS_OF_PLAIN = {code: status for status, code in PLAIN.items()} | {INTERNAL: 500}


class UnknownCode(Exception):
    """A docstring names a refusal that there is not."""


def named(docstring: str) -> tuple[str, ...]:
    """The codes after "Refuses:". Remarks in brackets are left out. Raises UnknownCode."""
    found = _NAMED.search(docstring)
    if found is None:
        return ()
    plain = re.sub(r"\([^)]*\)", "", found[1])
    codes = tuple(word.strip(" .\n") for word in plain.split(","))
    for code in codes:
        if not _CODE.fullmatch(code) or code not in REFUSALS:
            raise UnknownCode(code)
    return codes


def status(code: str) -> int:
    if code in REFUSALS:
        return status_of(REFUSALS[code]())
    return _STATUS_OF_PLAIN[code]


def responses(codes: Iterable[str], shared: dict[str, Any]) -> dict[str, Any]:
    """One per status, with the codes that it may carry. Most operations share most of them, so they
    stand in components/responses, which `shared` becomes."""
    by_status: dict[int, list[str]] = {}
    for code in sorted(set(codes)):
        by_status.setdefault(status(code), []).append(code)
    told: dict[str, Any] = {}
    for number, found in sorted(by_status.items()):
        name = f"{number}.{blake2b(' '.join(found).encode(), digest_size=4).hexdigest()}"
        shared.setdefault(name, _response(number, found))
        told[str(number)] = {"$ref": f"#/components/responses/{name}"}
    return told


def examples(codes: Iterable[str]) -> dict[str, Any]:
    """components/examples of problems."""
    return {
        f"problem.{code}": {"summary": _title(code), "value": msgspec.to_builtins(_example(code))}
        for code in sorted(set(codes))
    }


def _response(number: int, codes: list[str]) -> dict[str, Any]:
    headers: dict[str, Any] = {"Request-Id": {"$ref": "#/components/headers/Request-Id"}}
    if any(_example(code).retryable for code in codes):
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if number == 401:
        for name in ("WWW-Authenticate", "DPoP-Nonce"):
            headers[name] = {"$ref": f"#/components/headers/{name}"}
    return {
        "description": "; ".join(_title(code).rstrip(".") for code in codes),
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Problem"},
                        {"properties": {"code": {"enum": codes}}},
                    ]
                },
                "examples": {
                    code: {"$ref": f"#/components/examples/problem.{code}"} for code in codes
                },
            }
        },
    }


def _title(code: str) -> str:
    return catalogue("en").gettext(f"refusal.{code}")


def _example(code: str) -> Problem:
    kind = REFUSALS.get(code, DomainError)
    failed = code == INTERNAL
    mistakes = (
        Mistake(detail="It must be at least 1.", code="too_small", pointer="/amount/amount"),
        Mistake(detail="It is missing.", code="missing", pointer="/order"),
    )
    return Problem(
        type=TYPES + code.replace("_", "-"),
        title=_title(code),
        status=status(code),
        detail=_title(code),
        instance="/v1/…",
        code=code,
        request_id="req_01kb0n5dqfe0m8a3g9t2xw4yzr",
        retryable=kind.retryable or failed or status(code) == 429,
        money_moved="unknown" if failed else kind.money_moved,
        todo=catalogue("en").gettext(f"refusal.{code}.todo"),
        errors=mistakes if code == "invalid_request" else (),
    )
