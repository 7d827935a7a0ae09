"""HEAD answers as GET does, without the body (RFC 9110 § 9.3.2)."""

from typing import Any

from litestar import Litestar

STREAMS = "/events"  # would never end


class HeadLikeGet(Litestar):
    """Routes know GET only, so the method changes before they are looked at."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == STREAMS:
            await super().__call__(scope, receive, send)
            return
        ended = False

        async def send_head(message: Any) -> None:
            nonlocal ended
            if message["type"] != "http.response.body":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        as_get: Any = {**scope, "method": "GET"}
        await super().__call__(as_get, receive, send_head)
