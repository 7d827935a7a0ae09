"""A thin client for the load generator: what `tests.phone.Phone` uses of httpx, at a third of the
cost, so that the figure is the server's and not the client's."""

import json
from typing import Any

import aiohttp
import msgspec

KEPT_S = 5  # an idle connection: less than the server keeps it


class Answer(msgspec.Struct, frozen=True):
    status_code: int
    headers: Any  # case-insensitive
    content: bytes
    path: str

    @property
    def is_success(self) -> bool:
        return self.status_code < 400

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def request(self) -> "Answer":
        return self

    @property
    def url(self) -> "Answer":
        return self

    def json(self) -> Any:
        return json.loads(self.content)


class Wire:
    """One phone's connections, from an address of its own: the doors count by address."""

    def __init__(self, url: str, number: int) -> None:
        high, low = divmod(number, 200)
        connector = aiohttp.TCPConnector(
            local_addr=(f"127.0.{high}.{low + 2}", 0), keepalive_timeout=KEPT_S
        )
        self._session = aiohttp.ClientSession(url, connector=connector)

    async def request(self, method: str, path: str, **options: Any) -> Answer:
        content, params = options["content"], options["params"]
        async with self._session.request(
            method, path, data=content, params=params, headers=options["headers"]
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read(), path)

    async def close(self) -> None:
        await self._session.close()
