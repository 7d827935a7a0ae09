"""The client that is derived from the contract, and what it finds."""

import copy
from typing import Any

import pytest

from tests.api_client import ApiClient, Contract, Undocumented, committed
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import keeper_of, yuan
from tests.phone import Phone

PATH = "/v1/balance"


async def test_operations_go_by_name_and_the_client_fills_their_paths(phones: Phones) -> None:
    keeper = await keeper_of(phones)
    order = await keeper.api.create_till_order(yuan(3_00))
    seen = await keeper.api.get_till_order(order_id=order["id"])
    assert (seen["id"], seen["state"]) == (order["id"], "open")
    page = await keeper.api.list_shop_orders(limit=1, status="open")
    assert [sale["id"] for sale in page["data"]] == [order["id"]]
    refused = await keeper.api.answer("get_till_order", order_id="ord_?a=b#c 面")
    is_problem(refused, 404, "not_found")


async def test_what_the_contract_does_not_have_is_not_sent(phone: Phone) -> None:
    with pytest.raises(AttributeError, match="no operation"):
        await phone.api.make_money()
    more: dict[str, Any]
    for more in ({}, {"order_id": "ord_1", "limit": 5}):
        with pytest.raises(AssertionError):
            await phone.api.get_till_order(**more)
    with pytest.raises(AssertionError, match="takes no body"):
        await phone.api.get_balance({})


async def test_an_answer_that_the_contract_does_not_tell_is_found(phone: Phone) -> None:
    wrong: list[dict[str, Any]] = [copy.deepcopy(committed().document) for _ in range(3)]
    answers = [document["paths"][PATH]["get"]["responses"] for document in wrong]
    answers[0]["202"] = answers[0].pop("200")
    answers[1]["200"]["content"]["text/plain"] = answers[1]["200"]["content"].pop(
        "application/json"
    )
    answers[2]["200"]["content"]["application/json"]["schema"] = {"required": ["gold"]}
    for document, told in zip(wrong, ("the status", "application/json", "gold"), strict=True):
        with pytest.raises(Undocumented, match=told):
            await ApiClient(phone, Contract(document)).get_balance()
    assert await phone.api.get_balance()


async def test_a_problem_that_the_contract_does_not_tell_is_found(phone: Phone) -> None:
    document = copy.deepcopy(committed().document)
    responses = document["paths"]["/v1/topups/{topup_id}"]["get"]["responses"]
    responses["404"] = document["paths"]["/v1/orders/{order_id}"]["get"]["responses"]["429"]
    unknown: dict[str, Any] = {"topup_id": "top_01k0000000000000000000000s"}
    with pytest.raises(Undocumented, match="not_found"):
        await ApiClient(phone, Contract(document)).answer("get_topup", **unknown)
    is_problem(await phone.api.answer("get_topup", **unknown), 404, "not_found")
