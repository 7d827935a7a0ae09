"""A client whose methods come from the OpenAPI document that the server gives, at run time.

    client = await ApiClient.of(phone)
    payment = await client.create_payment({"order": "ord_…"})
    bills = await client.list_bills(limit=5)

Path and query parameters go by name, a body first. An answer that the document doesn't know of, or
a parameter that it doesn't have, is an error: whoever uses this client tests the document.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec

from tests.phone import Phone

METHODS = ("get", "post", "put", "patch", "delete")
DOCUMENT = "/api/schema/openapi.json"


class Operation(msgspec.Struct, frozen=True):
    name: str
    method: str
    path: str  # with {names}, from /v1
    inside: frozenset[str]  # names of parameters in the path
    query: frozenset[str]
    answers: frozenset[str]  # documented statuses
    takes_body: bool


class Undocumented(AssertionError):
    """The server answered what its document doesn't say."""


class ApiClient:
    def __init__(self, document: dict[str, Any], phone: Phone) -> None:
        self.phone = phone
        self.operations = {found.name: found for found in operations(document)}

    @classmethod
    async def of(cls, phone: Phone) -> "ApiClient":
        answer = await phone.client.get(DOCUMENT)
        assert answer.status_code == 200, answer.text
        return cls(answer.json(), phone)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        operation = self.operations.get(name)
        if operation is None:
            raise AttributeError(f"no operation {name}; there are {', '.join(self.operations)}")

        async def call(body: Any = None, *, key: str | None = None, **params: Any) -> Any:
            answer = await self.send(operation, body, key=key, **params)
            assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

        return call

    async def send(
        self, operation: Operation, body: Any = None, *, key: str | None = None, **params: Any
    ) -> httpx.Response:
        """The answer, a refusal too, if the document knows of it."""
        assert set(params) >= operation.inside, f"{operation.name}: {operation.inside}"
        query = {name: params[name] for name in params.keys() - operation.inside}
        assert query.keys() <= operation.query, f"{operation.name}: {operation.query}"
        assert body is None or operation.takes_body, f"{operation.name} takes no body"
        answer = await self.phone.call(
            operation.method.upper(),
            operation.path.format_map(params),
            body,
            params=query,
            key=key,
        )
        if str(answer.status_code) not in operation.answers:
            raise Undocumented(f"{operation.name}: {answer.status_code} {answer.text}")
        return answer


def operations(document: dict[str, Any]) -> list[Operation]:
    """Everything that the document describes."""
    return [
        _operation(document, path, method, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _operation(document: dict[str, Any], path: str, method: str, told: dict[str, Any]) -> Operation:
    parameters = [_found(document, each) for each in told.get("parameters", [])]
    return Operation(
        name=snake(told["operationId"]),
        method=method,
        path=path.removeprefix("/api"),
        inside=frozenset(found["name"] for found in parameters if found["in"] == "path"),
        query=frozenset(found["name"] for found in parameters if found["in"] == "query"),
        answers=frozenset(told["responses"]),
        takes_body="requestBody" in told,
    )


def _found(document: dict[str, Any], each: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to, or the thing itself."""
    found: Any = each
    if "$ref" in each:
        found = document
        for step in each["$ref"].removeprefix("#/").split("/"):
            found = found[step]
    assert isinstance(found, dict)
    return found


def snake(operation_id: str) -> str:
    """listBills and ListBills become list_bills."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation_id).replace(".", "_").lower()
