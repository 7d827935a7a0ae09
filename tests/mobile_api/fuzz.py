"""Requests made from the contract, sent by a signed-in phone, their answers held against it.

The generator works in a thread of its own and the app in the test's loop, where its databases are.
"""

import copy
import json
import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from datetime import timedelta
from itertools import count
from typing import Any, TypeAlias

import anyio
import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks as openapi_checks

from backend import ids
from mobile_api.reference.pages import CONTRACT
from tests.mobile_api.heard import failed
from tests.phone import Phone
from tests.world import World

Case: TypeAlias = schemathesis.Case[Any]
DOCUMENT: dict[str, Any] = json.loads(CONTRACT.read_bytes())
OPEN = {
    told["operationId"]
    for item in DOCUMENT["paths"].values()
    for told in item.values()
    if not told["security"]
}
ENDLESS = ("/v1/events", "/v1/shop/events")  # test_events looks at them
CALLS_A_MINUTE = 200  # of the test's clock: less than a caller may make
MAX_KNOWN = 20

ALWAYS = (
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
)
REFUSED = (*ALWAYS, openapi_checks.negative_data_rejection)

_ID = re.compile(ids.ID_PATTERN)


def contract() -> dict[str, Any]:
    """Without headers and security: those are the phone's, whatever a generator thinks of."""
    document = copy.deepcopy(DOCUMENT)
    del document["components"]["securitySchemes"]
    for path in ENDLESS:
        del document["paths"][path]
    for told in (each for item in document["paths"].values() for each in item.values()):
        told["parameters"] = [each for each in told["parameters"] if "$ref" not in each]
        del told["security"]
    return document


class Fuzz:
    """Sends cases and remembers the ids that it met, so that later ones find something."""

    def __init__(self, phone: Phone, world: World) -> None:
        self.phone, self.world = phone, world
        self.schema = schemathesis.openapi.from_dict(contract())
        self.known: dict[str, list[str]] = {}
        self.failures: list[str] = []
        self.calls = 0
        self.statuses: dict[tuple[str, int], int] = {}

    def operations(
        self, tags: frozenset[str], mode: str
    ) -> Iterator[APIOperation[Any, Any, Any, Any]]:
        """Where a request takes nothing but ids, none can be wrong, and looking for one is long."""
        for result in self.schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            told = operation.definition.raw
            takes = "requestBody" in told or any(
                each["in"] == "query" for each in told["parameters"]
            )
            if told["tags"][0] in tags and (takes or mode == "positive"):
                yield operation

    def run(self, operation: APIOperation[Any, Any, Any, Any], mode: str, examples: int) -> None:
        """In a worker thread."""
        positive = mode == "positive"
        generated = operation.as_strategy(
            GenerationMode.POSITIVE if positive else GenerationMode.NEGATIVE
        )

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=generated)
        def one(case: Case) -> None:
            if positive:
                self._fill(case)
            self.check(case, ALWAYS if positive else REFUSED)

        # Where a request takes nothing, none can be wrong.
        with nullcontext() if positive else suppress(Unsatisfiable):
            one()

    def walk(self, calls: int, steps: int) -> None:
        """Along the links of the contract: what one operation answers, the next one takes. In a
        worker thread. The server lives on between the walks, so that none goes twice the same way:
        Hypothesis gives up where it sees that, and the next walks begin with another seed."""
        fuzz, until = self, self.calls + calls
        base: Any = self.schema.as_state_machine()

        class Walk(base):  # type: ignore[misc]
            def call(self, case: Case, **kwargs: Any) -> Response:
                return fuzz.check(case, ALWAYS)

            def validate_response(self, response: Any, case: Any, *args: Any, **more: Any) -> None:
                """Done by the call."""

        walking = settings(
            max_examples=calls // steps,
            stateful_step_count=steps,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        for number in count():
            if self.calls >= until:
                break
            with suppress(Flaky):
                run_state_machine_as_test(seed(number)(Walk), settings=walking)

    def check(self, case: Case, checks: Any) -> Response:
        answer = anyio.from_thread.run(self.send, case)
        response = Response.from_httpx(answer, verify=False)
        if failed(case.operation.definition.raw["operationId"], answer):
            self.failures.append(_told(case, answer, "a failure of ours"))
            return response
        try:
            case.validate_response(response, checks=list(checks))
        except (Failure, FailureGroup) as failure:
            self._record(case, answer, failure)
        return response

    async def send(self, case: Case) -> httpx.Response:
        self.calls += 1
        if self.calls % CALLS_A_MINUTE == 0:
            self.world.clock.move(timedelta(seconds=61))
        body = None if isinstance(case.body, schemathesis.core.NotSet) else case.body
        is_open = case.operation.definition.raw["operationId"] in OPEN
        answer = await self.phone.call(
            case.method.upper(),
            case.formatted_path.removeprefix("/api"),
            body,
            params=dict(case.query or {}),
            signed_in=not is_open,
        )
        ran = (case.operation.definition.raw["operationId"], answer.status_code)
        self.statuses[ran] = self.statuses.get(ran, 0) + 1
        if answer.status_code == 401 and not is_open:
            await self.phone.sign_in()
        self._learn(answer)
        return answer

    def _learn(self, answer: httpx.Response) -> None:
        if not answer.is_success or "json" not in answer.headers.get("content-type", ""):
            return
        for thing in _things(answer.json()):
            known = self.known.setdefault(thing["object"], [])
            if thing["id"] not in known and len(known) < MAX_KNOWN:
                known.append(thing["id"])

    def _fill(self, case: Case) -> None:
        """Ids that exist, in the path and in the body, every other time."""
        if self.calls % 2:
            return
        for name in list(case.path_parameters or {}):
            case.path_parameters[name] = self._known(name, case.path_parameters[name])
        if isinstance(case.body, dict):
            case.body = self._filled(copy.deepcopy(case.body))

    def _filled(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._filled(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each, name) for each in value]
        if isinstance(value, str) and _ID.fullmatch(value):
            return self._known(name, value)
        return value

    def _known(self, name: str, otherwise: Any) -> Any:
        known = self.known.get(name.removesuffix("_id"))
        return known[self.calls % len(known)] if known else otherwise

    def _record(self, case: Case, answer: httpx.Response, failure: BaseException) -> None:
        each = failure.exceptions if isinstance(failure, FailureGroup) else (failure,)
        said = "; ".join(f"{found.title}: {found.message[:300]}" for found in each)  # type: ignore[attr-defined]
        self.failures.append(_told(case, answer, said))


def _told(case: Case, answer: httpx.Response, said: str) -> str:
    sent, where = answer.request.content[:300], answer.request.url.raw_path.decode()
    return f"{case.method} {where} {sent!r} → {answer.status_code} {answer.text[:300]}\n    {said}"


def _things(value: Any) -> Iterator[dict[str, str]]:
    """Whatever says what it is and has an id."""
    if isinstance(value, dict):
        if isinstance(value.get("object"), str) and isinstance(value.get("id"), str):
            yield value
        for each in value.values():
            yield from _things(each)
    if isinstance(value, list):
        for each in value:
            yield from _things(each)
