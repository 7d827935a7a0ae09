"""The contract: as committed, complete, and each example fits its schema."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar, get
from litestar.openapi import OpenAPIConfig
from msgspec import inspect

from backend.errors import REFUSALS
from mobile_api import app, openapi, version
from mobile_api.contract import failures, samples
from mobile_api.contract.document import Operation, document, operations
from mobile_api.contract.failures import UnknownCode
from mobile_api.contract.names import operation_id
from mobile_api.reference.pages import CONTRACT
from mobile_api.strict import Nothing

PROBLEM = "application/problem+json"
DOCUMENT: dict[str, Any] = json.loads(CONTRACT.read_bytes())
OPERATIONS = {
    told["operationId"]: told for item in DOCUMENT["paths"].values() for told in item.values()
}


@pytest.fixture(scope="module")
def described() -> list[Operation]:
    made = Litestar(
        route_handlers=app.route_handlers(),
        dependencies=app.DEPENDENCIES,
        openapi_config=OpenAPIConfig(title="YiPay", version="1", path="/described"),
    )
    return list(operations(made))


def test_the_committed_contract_is_that_of_the_handlers() -> None:
    if openapi.current() != CONTRACT.read_bytes():
        pytest.fail(f"The contract has changed. Look at the change: {openapi.REWRITE}; git diff")


def test_every_operation_says_all_that_a_client_needs() -> None:
    for name, told in OPERATIONS.items():
        assert told["summary"], name
        assert {"400", "429", "500"} <= told["responses"].keys(), name
        assert told["security"] or "401" not in told["responses"] or _is_proven(told), name
        taken = told.get("requestBody", {}).get("content", {})
        for content in taken.values():
            assert "example" in content, name
        successes = [each for status, each in told["responses"].items() if status.startswith("2")]
        assert len(successes) == 1, name
        for kind, content in successes[0].get("content", {}).items():
            assert "example" in content or kind != "application/json" or not content["schema"], name


def test_names_are_told_apart_and_stay_readable() -> None:
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    for method, path, is_list, name in (
        ("GET", "/v1/bills", True, "listBills"),
        ("GET", "/v1/bills/{bill_id}", False, "getBill"),
        ("POST", "/v1/payments/{payment_id}/confirm", False, "confirmPayment"),
        ("POST", "/v1/payments/{payment_id}/ceremony", False, "createPaymentCeremony"),
        ("PUT", "/v1/shop/stores/{store_id}", False, "putShopStore"),
        ("DELETE", "/v1/sessions", False, "deleteSessions"),
        ("POST", "/v1/sign-in", False, "signIn"),
    ):
        assert operation_id(method, path, is_list=is_list) == name


def test_every_example_fits_its_schema() -> None:
    for where, schema, example in _examples():
        whole = {**schema, "components": DOCUMENT["components"]}
        errors = list(jsonschema_rs.validator_for(whole).iter_errors(example))
        assert errors == [], f"{where}: {errors[0]}"


def test_examples_of_problems_are_what_the_server_says() -> None:
    for name, told in DOCUMENT["components"]["examples"].items():
        code = name.removeprefix("problem.")
        value = told["value"]
        assert value["code"] == code
        assert value["status"] == failures.status(code)
        assert not value["title"].startswith("refusal."), code
        assert not value["todo"].startswith("refusal."), code
        if code in REFUSALS:
            kind = REFUSALS[code]
            assert value["retryable"] in {kind.retryable, value["status"] == 429}
            assert value["money_moved"] == kind.money_moved


def test_every_problem_of_every_operation_has_an_example_with_texts() -> None:
    told = 0
    for name, operation in OPERATIONS.items():
        for status, given in operation["responses"].items():
            content = _resolved(given).get("content", {}).get(PROBLEM)
            if not status.startswith(("4", "5")):
                assert content is None, name
                continue
            assert content is not None, f"{name}: {status} is no problem"
            [codes] = [
                part["properties"]["code"]["enum"] for part in content["schema"]["allOf"][1:]
            ]
            assert codes, f"{name}: {status}"
            assert content["examples"].keys() == set(codes), f"{name}: {status}"
            for code, each in content["examples"].items():
                value = _resolved(each)["value"]
                assert (value["code"], str(value["status"])) == (code, status), name
                assert all(value[text] for text in ("type", "title", "detail", "todo")), code
                told += 1
    assert told > len(OPERATIONS) * 5


def test_every_answer_with_a_body_has_an_example() -> None:
    for name, operation in OPERATIONS.items():
        [(status, success)] = [
            each for each in operation["responses"].items() if each[0].startswith("2")
        ]
        content = success.get("content", {})
        assert bool(content) == (status != "204"), name
        for kind, each in content.items():
            assert kind != "application/json" or "example" in each, name


def test_the_document_says_how_versions_come_and_go() -> None:
    info = DOCUMENT["info"]
    assert info["version"] == version.API_VERSION
    for word in (version.HEADER, "deprecation", "sunset", "twelve months"):
        assert word in info["description"].lower()
    for name, operation in OPERATIONS.items():
        names = {each.get("$ref", "").rpartition("/")[2] for each in operation["parameters"]}
        assert "YiPay-Version" in names, name
        for status, given in operation["responses"].items():
            if status.startswith("2"):
                assert "YiPay-Version" in given["headers"], name


def test_bodies_are_closed(described: list[Operation]) -> None:
    for each in described:
        if each.takes is Nothing:
            continue
        for kind in _structs(inspect.type_info(each.takes)):
            assert kind.forbid_unknown_fields, f"{each.path}: {kind.cls.__name__} is open"


def test_every_route_is_in_the_contract(described: list[Operation]) -> None:
    for each in described:
        assert each.method.lower() in DOCUMENT["paths"][each.path]


def test_writes_take_a_key_and_calls_a_proof(described: list[Operation]) -> None:
    for each in described:
        told = DOCUMENT["paths"][each.path][each.method.lower()]
        names = {found.get("$ref", "").rpartition("/")[2] for found in told["parameters"]}
        assert ("Idempotency-Key" in names) == each.is_once, each.path
        assert ("DPoP" in names) == each.is_proven, each.path
        assert bool(told["security"]) != each.is_open, each.path


def test_writes_that_are_not_as_the_others_are_named(described: list[Operation]) -> None:
    told = DOCUMENT["info"]["description"]
    made_again = told.partition("**Answers that are made again.**")[2].partition("\n\n")[0]
    without_key = told.partition("**Writes without a key**")[2].partition("\n\n")[0]
    assert len(described) > 100
    for each in described:
        is_write, name = each.method != "GET", f"`{each.name}`"
        assert (name in without_key) == (is_write and not each.is_once), name
        assert (name in made_again) == each.is_made_again, name


def test_a_refusal_that_there_is_not_is_found() -> None:
    assert failures.named("Pay.\n\nRefuses: not_found, bad_request (why).\n\nMore.") == (
        "not_found",
        "bad_request",
    )
    assert failures.named("Pay.") == ()
    with pytest.raises(UnknownCode):
        failures.named("Pay.\n\nRefuses: never_heard_of.")


def test_a_text_that_no_sample_fits_is_found() -> None:
    with pytest.raises(samples.NoExample):
        samples.example({"type": "string", "pattern": "^%%%$"}, {})


def test_another_contract_is_another_file() -> None:
    @get("/v1/new")
    async def new() -> None:
        """Something new."""

    made = Litestar(
        route_handlers=[*app.route_handlers(), new],
        dependencies=app.DEPENDENCIES,
        openapi_config=OpenAPIConfig(title="YiPay", version="1", path="/described"),
    )
    assert openapi.rendered(document(made)) != CONTRACT.read_bytes()


def _resolved(given: dict[str, Any]) -> dict[str, Any]:
    found: Any = given
    if "$ref" in given:
        found = DOCUMENT
        for step in given["$ref"].removeprefix("#/").split("/"):
            found = found[step]
    assert isinstance(found, dict)
    return found


def _is_proven(told: dict[str, Any]) -> bool:
    return {"$ref": "#/components/parameters/DPoP"} in told["parameters"]


def _examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    for name, told in OPERATIONS.items():
        contents = [told.get("requestBody", {}).get("content", {})]
        contents += [each.get("content", {}) for each in told["responses"].values()]
        for content in (each for found in contents for each in found.values()):
            if "example" in content:
                yield name, content["schema"], content["example"]
        for each in told["parameters"]:
            if "example" in each:
                yield name, each["schema"], each["example"]
    problem = {"$ref": "#/components/schemas/Problem"}
    for name, told in DOCUMENT["components"]["examples"].items():
        yield name, problem, told["value"]


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    if isinstance(kind, inspect.StructType):
        yield kind
        for field in kind.fields:
            yield from _structs(field.type)
    for name in ("type", "item_type", "value_type"):
        inner = getattr(kind, name, None)
        if isinstance(inner, inspect.Type):
            yield from _structs(inner)
    for inner in getattr(kind, "types", ()) or getattr(kind, "item_types", ()):
        yield from _structs(inner)


def test_a_struct_within_a_struct_is_looked_at() -> None:
    class Inner(msgspec.Struct):
        pass

    class Outer(msgspec.Struct, forbid_unknown_fields=True):
        inner: list[Inner | None]

    found = {kind.cls for kind in _structs(inspect.type_info(Outer))}
    assert found == {Outer, Inner}
