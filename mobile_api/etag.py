"""ETag and If-None-Match: what a phone has already is not sent again (RFC 9110 § 8.8, § 13).

Of every JSON answer to GET; lists are what it helps most. Weak, since the same answer may be packed
in several ways. Nothing is stored between: no-store stays, the phone itself remembers.
"""

from hashlib import blake2b
from typing import Any

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware.base import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

TAG_BYTES = 12
MAX_HEADER_CHARS = 2_000
JSON = "application/json"


class EtagMiddleware(ASGIMiddleware):
    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope.get("method") == "GET":
            known = Headers.from_scope(scope).get("if-none-match", "")[:MAX_HEADER_CHARS]
            send = _tagged(send, known)
        await next_app(scope, receive, send)


def tag_of(body: bytes) -> str:
    return f'W/"{blake2b(body, digest_size=TAG_BYTES).hexdigest()}"'


def is_known(tag: str, known: str) -> bool:
    """Compared weakly, as If-None-Match is."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return known.strip() == "*" or tag.removeprefix("W/") in tags


def _tagged(send: Send, known: str) -> Send:
    """The start waits for the body, unless the answer has several parts."""
    start: Any = None

    async def wrapped(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and _is_json(message):
            start = message
            return
        if start is None or message["type"] != "http.response.body":
            await send(message)
            return
        begun, start = start, None
        if not message.get("more_body"):
            message = _with_tag(begun, message, known)
        await send(begun)
        await send(message)

    return wrapped


def _with_tag(start: Any, message: Any, known: str) -> Any:
    headers = MutableScopeHeaders.from_message(start)
    tag = headers["etag"] = tag_of(message["body"])
    if not known or not is_known(tag, known):
        return message
    start["status"] = 304
    for name in ("content-length", "content-type"):
        if name in headers:
            del headers[name]
    return {"type": "http.response.body", "body": b"", "more_body": False}


def _is_json(message: Any) -> bool:
    kind = MutableScopeHeaders.from_message(message).get("content-type", "")
    is_success: bool = message["status"] == 200
    return is_success and kind.startswith(JSON)
