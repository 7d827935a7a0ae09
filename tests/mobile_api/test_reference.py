"""The reference: each operation and each problem is on a page, and nothing comes from elsewhere."""

import re
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import msgspec
import pytest

from backend.settings import Settings
from mobile_api import reference
from mobile_api.app import create_app
from mobile_api.reference.pages import CONTRACT, GROUPS, Reference

DOCUMENT: dict[str, Any] = msgspec.json.decode(CONTRACT.read_bytes())
TAGS = [tag["name"] for tag in DOCUMENT["tags"]]


@pytest.fixture
async def client(databases: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(databases, None, list(reference.handlers))
    transport = httpx.ASGITransport(cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made


async def test_the_contract_is_served_as_committed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/schema/openapi.json")
    assert answer.content == CONTRACT.read_bytes()
    assert answer.headers["content-type"] == "application/json"
    packed = await client.get("/schema/openapi.json", headers={"accept-encoding": "zstd"})
    assert packed.headers["content-encoding"] == "zstd"
    known = {"if-none-match": answer.headers["etag"]}
    assert (await client.get("/schema/openapi.json", headers=known)).status_code == 304


async def test_every_operation_has_its_place(client: httpx.AsyncClient) -> None:
    for tag in TAGS:
        page = await client.get(f"/reference/{tag}")
        assert page.status_code == 200, tag
        for path, item in DOCUMENT["paths"].items():
            for told in (each for each in item.values() if each["tags"] == [tag]):
                assert f'<article id="{told["operationId"]}"' in page.text
                assert f"/api{path}" in page.text
    start = (await client.get("/reference")).text
    for tag in TAGS:
        assert f'href="/api/reference/{tag}"' in start


async def test_every_problem_is_explained(client: httpx.AsyncClient) -> None:
    start = (await client.get("/reference")).text
    for name in DOCUMENT["components"]["examples"]:
        assert f'id="problem-{name.removeprefix("problem.")}"' in start


async def test_nothing_comes_from_elsewhere(client: httpx.AsyncClient) -> None:
    for path in ("/reference", "/reference/payments"):
        page = await client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r'(?:src|href)="(?!/api/|#)', page.text)
        assert " style=" not in page.text
        assert "<style" not in page.text
        assert not re.search(r"<script(?! src)", page.text)
        for found in re.findall(r'"(/api/reference-files/[^"]+)"', page.text):
            asset = await client.get(found.removeprefix("/api"))
            assert asset.status_code == 200
            assert "immutable" in asset.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/reference/nothing", "/reference-files/0/reference.css", "/reference-files/0/x"]
)
async def test_what_there_is_not(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def test_every_resource_has_a_group() -> None:
    known = {slug for slugs in GROUPS.values() for slug in slugs}
    assert set(TAGS) <= known, "a resource stands under More"
    assert Reference(DOCUMENT).count == sum(len(item) for item in DOCUMENT["paths"].values())
