"""What is no amount, at every call that takes one: the field is named, in the caller's language,
and nothing moves. Money is a whole number of fen; no text, no fraction, no other script."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest

from tests.mobile_api.problem import is_problem
from tests.mobile_api.steps import yuan
from tests.mobile_api.test_paying_refusals import (
    LANGUAGES,
    Scene,
    asks,
    code_of,
    dynamic,
    on,
    personal_orders,
    speak,
    static_orders,
)
from tests.phone import Phone
from tests.web.pages.paying import books

__all__ = ["on"]  # the fixture

NONE: list[Any] = [
    0,
    -1,
    12.5,
    1000.0,
    1e22,
    10**10 + 1,
    10**30,
    True,
    None,
    "1250",
    "12.50",
    "１２．５０",
    "1,000.00",
    "¥12",
    "1e3",
    "０",
    "-1",
    "٣",
    "NaN",
    "",
    [],
    {},
]
SIGNED_OUT = ("你已退出登录，或太久没有操作。", "You are signed out, or were away too long.")
NO_JSON: list[Any] = [float("nan"), float("inf"), float("-inf")]

Send: TypeAlias = Callable[[Any], Awaitable[httpx.Response]]


async def paying(on: Scene) -> tuple[Phone, Send]:
    order_id = await dynamic(on)
    return on.payer, lambda amount: asks(on.payer, order_id, amount)["paid"]()


async def shops_code(on: Scene) -> tuple[Phone, Send]:
    path = await static_orders(on)
    return on.payer, lambda amount: on.payer.post(path, yuan(amount))


async def persons_code(on: Scene) -> tuple[Phone, Send]:
    path = await personal_orders(on)
    return on.payer, lambda amount: on.payer.post(path, yuan(amount))


async def code_of_ones_own(on: Scene) -> tuple[Phone, Send]:
    return on.payee, lambda amount: on.payee.post("/v1/receive-codes", yuan(amount))


async def till(on: Scene) -> tuple[Phone, Send]:
    return on.keeper, lambda amount: on.keeper.post("/v1/till/orders", yuan(amount))


async def till_with_a_code(on: Scene) -> tuple[Phone, Send]:
    body = {"pay_code": await code_of(on.payer)}
    return on.keeper, lambda amount: on.keeper.post("/v1/till/charges", body | yuan(amount))


PLACES = (paying, shops_code, persons_code, code_of_ones_own, till, till_with_a_code)


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_amount(
    on: Scene, place: Callable[[Scene], Awaitable[tuple[Phone, Send]]]
) -> None:
    phone, send = await place(on)
    before = await books()
    told = []
    for language in LANGUAGES:
        await speak(on, phone, language)
        for amount in NONE:
            if amount is None and place is code_of_ones_own:
                continue  # null is a code for any amount
            body = is_problem(await send(amount), 400, "invalid_request")
            assert body["money_moved"] == "no"
            [error] = [each for each in body["errors"] if each["pointer"] == "/amount/amount"]
            assert error["detail"], amount
            told.append((language, body["title"], error["detail"]))
        for amount in NO_JSON:
            body = is_problem(await send(amount), 400, "invalid_request")
            assert body["money_moved"] == "no"
            assert [error["code"] for error in body["errors"]] == ["not_json"]
        on.world.later(seconds=61)  # calls of a person are counted by the minute
    assert await books() == before
    chinese = {words for language, *words_of in told if language == "zh-CN" for words in words_of}
    english = {words for language, *words_of in told if language == "en" for words in words_of}
    assert not chinese & english
    assert all(words.isascii() for words in english)


async def test_a_wrong_amount_does_not_burn_the_customers_code(on: Scene) -> None:
    body = {"pay_code": await code_of(on.payer)}
    for amount in NONE:
        assert (await on.keeper.post("/v1/till/charges", body | yuan(amount))).status_code == 400
    done = await on.keeper.done(on.keeper.post("/v1/till/charges", body | yuan(23_00)))
    assert done["state"] == "paid"


async def test_until_there_is_a_person_the_request_says_what_to_speak(on: Scene) -> None:
    body = {"order": await dynamic(on)} | yuan(23_00)
    for language, title in zip(LANGUAGES, SIGNED_OUT, strict=True):
        stranger = on.phones.new(language)
        told = (await stranger.post("/v1/payments", body)).json()
        assert (told["status"], told["money_moved"], told["title"]) == (401, "no", title)
