"""A client whose methods come from the OpenAPI document: one for each operation, by its id.

    payment = await phone.api.create_payment({"order": "ord_…", "amount": …})
    bills = await phone.api.list_bills(limit=5)
    refused = await phone.api.answer("create_payment", {…}, key="…")     # the HTTP answer

The body comes first, path and query parameters go by name. A status, a shape or a problem code
that the document doesn't tell of, or a parameter that it doesn't have, is an error: whoever uses
this client tests the document. Under load the shapes are let be (`strict`): looking at them would
be the load generator's time.
"""

import json
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import jsonschema_rs
import msgspec

from mobile_api.reference.pages import CONTRACT

METHODS = ("get", "post", "put", "patch", "delete")


class Operation(msgspec.Struct, frozen=True):
    name: str
    method: str
    path: str  # with {names}, from /v1
    inside: frozenset[str]  # names of parameters in the path
    query: frozenset[str]
    answers: dict[str, dict[str, Any]]  # by status
    takes_body: bool
    is_open: bool  # nobody need be signed in


class Calls(Protocol):
    """Whoever sends the requests: a phone with its keys."""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        key: str | None = None,
        signed_in: bool = True,
        **claims: Any,
    ) -> httpx.Response: ...


class Undocumented(AssertionError):
    """The server answered what its document doesn't say."""


class Contract:
    """A document, its operations by their name, and what looks at the shapes of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = {found.name: found for found in operations(document)}
        self._validators: dict[tuple[str, str], Any] = {}

    def wrong(self, operation: Operation, answer: httpx.Response, *, strict: bool = True) -> str:
        """What the document doesn't tell of, "" if nothing."""
        status = str(answer.status_code)
        if status not in operation.answers:
            return "the status"
        kind: str = answer.headers.get("content-type", "").partition(";")[0]
        content = operation.answers[status].get("content", {})
        if answer.content and kind not in content:
            return kind
        if strict and kind.endswith("json"):
            look = self._validator(operation.name, status, content[kind]["schema"])
            for error in look.iter_errors(answer.json()):
                return f"{error.instance_path} {error.message}"
        return ""

    def _validator(self, name: str, status: str, schema: dict[str, Any]) -> Any:
        if (name, status) not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[name, status] = jsonschema_rs.validator_for(whole)
        return self._validators[name, status]


@cache
def committed() -> Contract:
    """As the server serves it: a test sees to it that the handlers are described by it."""
    return Contract(json.loads(CONTRACT.read_bytes()))


class ApiClient:
    def __init__(self, phone: Calls, contract: Contract | None = None) -> None:
        self.phone, self.contract, self.strict = phone, contract or committed(), True

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        self._operation(name)

        async def call(body: Any = None, **more: Any) -> Any:
            answer = await self.answer(name, body, **more)
            assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

        return call

    async def answer(
        self,
        name: str,
        body: Any = None,
        *,
        key: str | None = None,
        proof: dict[str, Any] | None = None,
        **params: Any,
    ) -> httpx.Response:
        """The answer, a refusal too, if the document knows of it. `proof`: claims of the proof."""
        operation = self._operation(name)
        assert params.keys() >= operation.inside, f"{name}: {operation.inside}"
        query = {each: params[each] for each in params.keys() - operation.inside}
        assert query.keys() <= operation.query, f"{name}: {operation.query}"
        assert body is None or operation.takes_body, f"{name} takes no body"
        answer = await self.phone.call(
            operation.method.upper(),
            filled(operation, params),
            body,
            params=query,
            key=key,
            signed_in=not operation.is_open,
            **proof or {},
        )
        if wrong := self.contract.wrong(operation, answer, strict=self.strict):
            raise Undocumented(f"{name}: {wrong}: {answer.status_code} {answer.text[:500]}")
        return answer

    def _operation(self, name: str) -> Operation:
        found = self.contract.operations.get(name)
        if found is None:
            known = ", ".join(self.contract.operations)
            raise AttributeError(f"no operation {name}; there are {known}")
        return found


def filled(operation: Operation, params: dict[str, Any]) -> str:
    """The path, with what belongs into it."""
    inside = {name: quote(str(params[name]), safe="") for name in operation.inside}
    return operation.path.format_map(inside)


def operations(document: dict[str, Any]) -> list[Operation]:
    """Everything that the document describes."""
    return [
        _described(document, path, method, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _described(document: dict[str, Any], path: str, method: str, told: dict[str, Any]) -> Operation:
    parameters = [_found(document, each) for each in told.get("parameters", [])]
    return Operation(
        name=snake(told["operationId"]),
        method=method,
        path=path.removeprefix("/api"),
        inside=frozenset(found["name"] for found in parameters if found["in"] == "path"),
        query=frozenset(found["name"] for found in parameters if found["in"] == "query"),
        answers={status: _found(document, each) for status, each in told["responses"].items()},
        takes_body="requestBody" in told,
        is_open=not told["security"],
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
