"""What a refusal looks like to a phone."""

from typing import Any

import httpx

MEMBERS = {"type", "title", "status", "instance", "code", "request_id", "retryable", "money_moved"}


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """RFC 9457, with this status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = answer.json()
    assert set(body) >= MEMBERS
    assert (body["status"], body["code"]) == (status, code), body
    assert body["request_id"] == answer.headers["request-id"]
    return body
