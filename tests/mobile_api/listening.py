"""A phone that listens: a stream read message by message, and cut where a test wants it."""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from litestar import Litestar

from tests.phone import API, EARLY, Phone

PATIENCE_S = 20


class Message(msgspec.Struct, frozen=True):
    """event "": a sign of life, or nothing but a place."""

    event: str
    id: str
    data: dict[str, Any]


class Listening:
    """One request to the app itself: a client in between would wait for its end."""

    def __init__(
        self,
        app: Litestar,
        phone: Phone,
        path: str = "/v1/events",
        *,
        last: str = "",
        query: str = "",
    ) -> None:
        self.status, self.headers = 0, dict[str, str]()
        self.heard: list[Message] = []
        self.ended = False
        self._text, self._news, self._gone = "", asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._run(app, phone, path, last, query))

    async def until(self, event: str, count: int = 1) -> list[Message]:
        """The messages of this name, as soon as there are so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [each for each in self.heard if each.event == event]) < count:
                assert not self.ended, f"ended with {self.status} {self.heard} {self._text}"
                await self._news.wait()
                self._news.clear()
        return found

    @property
    def refs(self) -> list[str]:
        return [each.data["ref"] for each in self.heard if each.event == "changed"]

    @property
    def last(self) -> str:
        """Where to resume from."""
        return next(each.id for each in reversed(self.heard) if each.id)

    async def over(self) -> None:
        """Ended by the server."""
        async with asyncio.timeout(PATIENCE_S):
            await self._task

    async def cut(self) -> None:
        self._gone.set()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self, app: Litestar, phone: Phone, path: str, last: str, query: str) -> None:
        if phone.now() > phone.expires_at - EARLY:
            await phone.refresh()
        headers = {
            "authorization": f"DPoP {phone.access_token}",
            "dpop": phone.prove("GET", path, b"", True),
            "accept-encoding": "gzip, zstd",
        }
        if last:
            headers["last-event-id"] = last
        scope: Any = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": API + path,
            "raw_path": (API + path).encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost:8000")]
            + [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 8000),
        }
        try:
            await app(scope, self._receive, self._send)
        finally:
            self.ended = True
            self._news.set()

    async def _receive(self) -> Any:
        if not self.status:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        elif message["type"] == "http.response.body":
            self._text += message.get("body", b"").decode()
            *whole, self._text = self._text.replace("\r\n", "\n").split("\n\n")
            self.heard += [_message(each) for each in whole]
            if not message.get("more_body"):
                self._gone.set()  # the server closes the connection
            self._news.set()


def _message(text: str) -> Message:
    fields = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
    data = msgspec.json.decode(fields["data"]) if "data" in fields else {}
    return Message(fields.get("event", ""), fields.get("id", ""), data)
