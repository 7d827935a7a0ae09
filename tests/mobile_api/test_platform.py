"""What stands around every handler: strict input, versions, ETags, packing, brakes, problems."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Annotated, Any, Literal, cast

import httpx
import msgspec
import pytest
import zstandard
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from mobile_api.app import MAX_BODY_BYTES, create_app
from mobile_api.compression import SMALLEST_BYTES, chosen
from mobile_api.etag import is_known, tag_of
from mobile_api.fields import MAX_ERRORS
from mobile_api.rate import ADDRESS, WINDOW_S, TooManyCalls
from mobile_api.shapes import Money
from mobile_api.strict import Invalid, WrongMediaType
from mobile_api.version import API_VERSION, Ending, UnsupportedVersion
from tests.mobile_api.problem import is_problem
from tests.phone import Phone
from tests.world import World

OPEN = {"open": True, "idempotent": False}
ENDING = Ending(since=date(2026, 11, 1), sunset=date(2027, 11, 1), instead="/v1/new")


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    money: Money
    note: Annotated[str, msgspec.Meta(max_length=3)] = ""
    kind: Literal["a", "b"] = "a"
    code: Annotated[str, msgspec.Meta(pattern="^a+$")] | None = None
    days: Annotated[list[date], msgspec.Meta(max_length=2)] = []
    more: dict[str, int] = {}
    on: bool = False


RIGHT = {"money": {"amount": 2300, "currency": "CNY"}}


@post("/v1/asked", status_code=200, opt=OPEN)
async def ask(data: JSONBody[Asked]) -> Asked:
    return data


@post("/v1/nothing", status_code=204, opt=OPEN)
async def nothing() -> None:
    return


@get("/v1/many", opt=OPEN)
async def many(limit: FromQuery[int] = 1, most: FromQuery[int] = 9) -> list[str]:
    return ["¥23.00"] * limit


@get("/v1/things/{name:str}", opt=OPEN)
async def thing(name: FromPath[str]) -> str:
    return name


@get("/v1/old", opt=OPEN | {"deprecated": ENDING})
async def old() -> str:
    return "old"


@get("/v1/broken", opt=OPEN)
async def broken() -> None:
    raise RuntimeError("a bug with a secret in it")


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(world.settings, world.clock, [ask, nothing, many, thing, old, broken])
    app.state.services = world.services
    transport = httpx.ASGITransport(cast(Any, app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


async def _ask(client: httpx.AsyncClient, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await client.post(
        "/v1/asked", content=content, headers={"content-type": "application/json"} | headers
    )


# strict input


async def test_all_mistakes_are_told_at_once(client: httpx.AsyncClient) -> None:
    wrong = {
        "money": {"amount": "2300", "cur/rency": "CNY"},
        "note": "abcd",
        "kind": "c",
        "code": "b",
        "days": ["2026-11-22", "22.11.2026", 5],
        "more": {"a": 1, "b": "2"},
        "on": 1,
        "else": None,
    }
    answer = await _ask(client, wrong, **{"accept-language": "en"})
    body = is_problem(answer, 400, Invalid.code)
    assert {(each["pointer"], each["code"]) for each in body["errors"]} == {
        ("/money/amount", "wrong_type"),
        ("/money/currency", "missing"),
        ("/money/cur~1rency", "unknown"),
        ("/note", "too_long"),
        ("/kind", "not_a_choice"),
        ("/code", "wrong_form"),
        ("/days", "too_many"),
        ("/days/1", "wrong_form"),
        ("/days/2", "wrong_form"),
        ("/more/b", "wrong_type"),
        ("/on", "wrong_type"),
        ("/else", "unknown"),
    }
    texts = {each["pointer"]: each["detail"] for each in body["errors"]}
    assert texts["/note"] == "It must have at most 3 characters."
    assert texts["/kind"] == "It must be one of: a, b."
    assert (body["retryable"], body["money_moved"]) == (False, "no")


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (b"0", "too_small"),
        (b"-1", "too_small"),
        (b"99999999999999999999999999", "too_large"),
        (b"23.0", "wrong_type"),
        (b"1e3", "wrong_type"),
        (b"true", "wrong_type"),
        (b'"23"', "wrong_type"),
        (b"null", "wrong_type"),
        (b"[]", "wrong_type"),
    ],
)
async def test_money_is_whole_fen(client: httpx.AsyncClient, amount: bytes, code: str) -> None:
    answer = await _ask(client, b'{"money": {"amount": %b, "currency": "CNY"}}' % amount)
    [mistake] = is_problem(answer, 400, Invalid.code)["errors"]
    assert (mistake["pointer"], mistake["code"]) == ("/money/amount", code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"money": NaN}',
        b'{"note": "\\ud800"}',
        b"[" * 60_000,
        b"null",
        b"[]",
        b"1",
        b'"\\u0000"',
    ],
)
async def test_what_is_no_such_object_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    assert is_problem(await _ask(client, body), 400, Invalid.code)["errors"]


async def test_no_text_holds_a_nul(client: httpx.AsyncClient) -> None:
    answer = await _ask(client, RIGHT | {"note": "a\0b"})
    [mistake] = is_problem(answer, 400, Invalid.code)["errors"]
    assert (mistake["pointer"], mistake["code"]) == ("/note", "wrong_form")
    assert (await _ask(client, b'{"money": {"amount": 1, "currency": "CNY"}}')).status_code == 200
    escaped = {"money": RIGHT["money"], "more": {"\\u0000": 1}}  # a backslash, not a NUL
    assert (await _ask(client, escaped)).status_code == 200
    is_problem(await client.get("/v1/things/a%00"), 400, Invalid.code)
    is_problem(await client.get("/v1/many?limit=%00"), 400, Invalid.code)


async def test_mistakes_are_counted(client: httpx.AsyncClient) -> None:
    wrong = {f"field{number}": 1 for number in range(500)}
    assert len((await _ask(client, wrong)).json()["errors"]) == MAX_ERRORS


async def test_only_json_is_read(client: httpx.AsyncClient) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    is_problem(await _ask(client, RIGHT, **form), 415, WrongMediaType.code)
    charset = {"content-type": "application/json; charset=utf-8"}
    assert (await _ask(client, RIGHT, **charset)).status_code == 200


async def test_a_body_has_its_limit(client: httpx.AsyncClient) -> None:
    is_problem(await _ask(client, b" " * (MAX_BODY_BYTES + 1)), 413, "too_large")
    most = json.dumps(RIGHT).encode().ljust(MAX_BODY_BYTES)
    assert (await _ask(client, most)).status_code == 200


async def test_who_takes_nothing_takes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/nothing")).status_code == 204


async def test_parameters_are_told_all_at_once(client: httpx.AsyncClient) -> None:
    body = is_problem(await client.get("/v1/many?limit=x&most=1.5"), 400, Invalid.code)
    assert {each["parameter"] for each in body["errors"]} == {"limit", "most"}


# languages and problems


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("en-GB", "There is no such thing"),
        ("zh-CN", "没有"),
        ("", "没有"),
        ("de, en;q=0.5", "There"),
    ],
)
async def test_problems_speak_the_language_asked_for(
    client: httpx.AsyncClient, asked: str, title: str
) -> None:
    answer = await client.get("/nowhere", headers={"accept-language": asked})
    body = is_problem(answer, 404, "not_found")
    assert (body["title"][0] in "TIS") == (title[0] == "T"), body["title"]


async def test_problems_speak_the_persons_language(phone: Phone) -> None:
    answer = await phone.get("/v1/payments/nothing")
    first = is_problem(answer, 404, "not_found")["title"]
    await phone.done(phone.patch("/v1/settings", {"language": "en"}))
    second = (await phone.get("/v1/payments/nothing")).json()["title"]
    assert first != second
    assert second.isascii()


async def test_a_bug_tells_nothing_but_that_it_is_one(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/broken")
    body = is_problem(answer, 500, "internal_error")
    assert (body["retryable"], body["money_moved"]) == (True, "unknown")
    assert "secret" not in answer.text


async def test_a_method_that_is_not_taken(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/many")
    is_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


# versions


async def test_the_version_stands_in_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/v1/many", "/nowhere", "/v1/broken"):
        assert (await client.get(path)).headers["yipay-version"] == API_VERSION


async def test_a_version_that_is_not_ours(client: httpx.AsyncClient) -> None:
    ours = await client.get("/v1/many", headers={"yipay-version": API_VERSION})
    assert ours.status_code == 200
    other = await client.get("/v1/many", headers={"yipay-version": "2020-01-01"})
    is_problem(other, 400, UnsupportedVersion.code)


async def test_what_ends_says_so(client: httpx.AsyncClient) -> None:
    ends = (await client.get("/v1/old")).headers
    assert ends["deprecation"] == "@1793491200"
    assert ends["sunset"] == "Mon, 01 Nov 2027 00:00:00 GMT"
    assert ends["link"] == '</api/v1/new>; rel="successor-version"'
    assert "deprecation" not in (await client.get("/v1/many")).headers


async def test_the_path_in_a_problem_is_a_uri_reference(client: httpx.AsyncClient) -> None:
    for asked, told in (
        ("/v1/面%20%22馆%5C", "/v1/%E9%9D%A2%20%22%E9%A6%86%5C"),
        ("/v1/asked%3Fa%23b", "/v1/asked%3Fa%23b"),
    ):
        body = is_problem(await client.get(asked), 404, "not_found")
        assert body["instance"] == told


# ETags


async def test_what_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/v1/many?limit=200")
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = await client.get("/v1/many?limit=200", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-type" not in again.headers
    other = await client.get("/v1/many?limit=199", headers={"if-none-match": tag})
    assert (other.status_code, len(other.json())) == (200, 199)


async def test_only_answers_have_tags(client: httpx.AsyncClient) -> None:
    assert "etag" not in (await client.get("/nowhere")).headers
    assert "etag" not in (await _ask(client, RIGHT)).headers
    assert not is_known(tag_of(b"a"), "")


# packing


async def test_answers_are_packed_as_asked(client: httpx.AsyncClient) -> None:
    for asked, unpack in (
        ("zstd", zstandard.ZstdDecompressor().decompressobj().decompress),
        ("gzip", gzip.decompress),
    ):
        async with client.stream(
            "GET", "/v1/many?limit=500", headers={"accept-encoding": asked}
        ) as answer:
            packed = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == asked
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert json.loads(unpack(packed)) == ["¥23.00"] * 500
        assert len(packed) < 500


async def test_small_answers_stay_as_they_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/many", headers={"accept-encoding": "zstd, gzip"})
    assert len(answer.content) < SMALLEST_BYTES
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip", "gzip"),
        ("zstd;q=0.1, gzip;q=0.9", "gzip"),
        ("gzip;q=0", ""),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("identity", ""),
        ("x-gzip", ""),
        ("gzip;q=x", ""),
    ],
)
def test_the_encoding_is_negotiated(accepted: str, encoding: str) -> None:
    assert chosen(accepted) == encoding


# brakes


async def test_what_is_left_is_told(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/v1/many")).headers
    assert headers["ratelimit-policy"] == f'"address";q={ADDRESS.most};w={WINDOW_S}'
    assert headers["ratelimit"].startswith(f'"address";r={ADDRESS.most - 1};t=')
    assert f"r={ADDRESS.most - 2};" in (await client.get("/v1/many")).headers["ratelimit"]


async def test_too_many_calls_wait_for_the_next_minute(
    client: httpx.AsyncClient, world: World
) -> None:
    for _ in range(ADDRESS.most):
        answer = await client.get("/v1/many")
        assert answer.status_code == 200
    refused = await client.get("/v1/many")
    body = is_problem(refused, 429, TooManyCalls.code)
    assert body["retryable"] is True
    wait = int(refused.headers["retry-after"])
    assert 1 <= wait <= WINDOW_S
    assert f"r=0;t={wait}" in refused.headers["ratelimit"]
    world.clock.move(timedelta(seconds=wait))
    assert (await client.get("/v1/many")).status_code == 200


# parameters


async def test_unknown_parameters_and_words_for_nothing_are_refused(phone: Phone) -> None:
    answer = await phone.get("/v1/bills", max="null", colour="red")
    assert answer.status_code == 400
    said = {error["parameter"]: error["code"] for error in answer.json()["errors"]}
    assert said == {"max": "wrong_form", "colour": "unknown"}
    assert (await phone.get("/v1/bills", q="null")).status_code == 200  # a text may say so
