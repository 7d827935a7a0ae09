"""Orders over the JSON face, and how it says no."""

import httpx
import pytest

from backend import ids
from tests.world import Line, World

MEMBERS = {"type", "title", "status", "instance", "code", "request_id", "retryable", "money_moved"}


async def test_an_order_as_its_payer_sees_it(api: httpx.AsyncClient, world: World) -> None:
    owner = await world.person()
    order = await world.order(await world.shop(owner), 23_00)
    answer = await api.get(f"/api/v1/orders/{order.order_id}")
    assert answer.status_code == 200
    body = answer.json()
    assert body["amount"] == {"amount": 2300, "currency": "CNY"}
    assert (body["object"], body["id"], body["status"]) == ("order", order.order_id, "open")
    assert body["created"].endswith("Z")
    assert owner.person_id not in answer.text  # who owns the shop is nobody's business
    assert set(body) == {
        "object",
        "id",
        "payee",
        "amount",
        "note",
        "status",
        "created",
        "expires",
    }


@pytest.mark.parametrize("order_id", ["x", "ord_x", "usr_01k0000000000000000000000s", ""])
async def test_what_does_not_exist(api: httpx.AsyncClient, order_id: str) -> None:
    _is_problem(await api.get(f"/api/v1/orders/{order_id}"), 404, "not_found")


async def test_an_unknown_order(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"/api/v1/orders/{ids.new('ord')}")
    _is_problem(answer, 404, "not_found")
    assert answer.json()["money_moved"] == "no"


async def test_methods_and_failures_are_problems_too(
    api: httpx.AsyncClient, payments: Line
) -> None:
    _is_problem(await api.post("/api/v1/version"), 405, "method_not_allowed")
    _is_problem(await api.get("/api/nothing"), 404, "not_found")

    payments.crash_before.add("order")
    answer = await api.get(f"/api/v1/orders/{ids.new('ord')}")
    _is_problem(answer, 500, "internal_error")
    assert "before order" not in answer.text
    assert answer.json()["money_moved"] == "unknown"


async def test_answers_say_what_they_are(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/version")
    assert answer.json()["version"] == answer.headers["yipay-version"] == "2026-11-01"
    assert answer.headers["cache-control"] == "no-store"
    assert not answer.headers.get_list("set-cookie")
    schema = (await api.get("/api/schema/openapi.json")).json()
    assert "/v1/orders/{order_id}" in schema["paths"]


def _is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert set(body) >= MEMBERS
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == answer.headers["request-id"]
