"""What the contract says that an operation may answer, held against what it did answer."""

import json
from functools import cache
from typing import Any

import httpx

from mobile_api.reference.pages import CONTRACT
from tests.mobile_api.routes import Route

PROBLEM = "application/problem+json"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CONTRACT.read_bytes())
    return found


def as_declared(route: Route, answer: httpx.Response) -> None:
    """Its status stands in the contract, and so does the code of its problem. Never a failure."""
    told = f"{route.name}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, told
    responses = document()["paths"][route.path][route.method.lower()]["responses"]
    assert str(answer.status_code) in responses, f"not in the contract: {told}"
    if answer.is_success or answer.status_code == 304:
        return
    assert answer.headers["content-type"].startswith(PROBLEM), told
    assert answer.json()["code"] in _codes(responses[str(answer.status_code)]), (
        f"its code is not in the contract: {told}"
    )


def _codes(response: dict[str, Any]) -> set[str]:
    if "$ref" in response:
        response = document()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    parts = response["content"][PROBLEM]["schema"]["allOf"]
    told = [part["properties"]["code"]["enum"] for part in parts if "properties" in part]
    return {code for codes in told for code in codes}
