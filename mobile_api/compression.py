"""Answers packed with zstd or gzip. No secret lies beside what a stranger may choose in one answer:
tokens and proofs are never echoed, and nothing here works with cookies."""

from io import BytesIO
from typing import Any

import zstandard
from litestar.config.compression import CompressionConfig
from litestar.datastructures import Headers
from litestar.enums import CompressionEncoding
from litestar.middleware.compression import CompressionFacade, CompressionMiddleware
from litestar.types import Message, Receive, Scope, Send

SMALLEST_BYTES = 1024
ZSTD_LEVEL = 3
GZIP_LEVEL = 6
STREAM = "stream"  # handlers whose answer is sent bit by bit, unpacked
ZSTD = "zstd"


class ZstdCompression(CompressionFacade):
    encoding = ZSTD

    def __init__(
        self,
        buffer: BytesIO,
        compression_encoding: CompressionEncoding | str,
        config: CompressionConfig,
    ) -> None:
        self._buffer = buffer
        self._compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()

    def write(self, body: bytes) -> None:
        self._buffer.write(self._compressor.compress(body))
        self._buffer.write(self._compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))

    def close(self) -> None:
        self._buffer.write(self._compressor.flush())


CONFIG = CompressionConfig(
    backend=ZSTD,
    minimum_size=SMALLEST_BYTES,
    gzip_compress_level=GZIP_LEVEL,
    compression_facade=ZstdCompression,
    exclude_opt_key=STREAM,
)


class Packing(CompressionMiddleware):
    """Litestar's looks for the encoding's name anywhere in the header, also at "gzip;q=0"."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, CONFIG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = chosen(Headers.from_scope(scope).get("accept-encoding", ""))
        if encoding:
            send = self._unless_small(send, encoding, scope)
        await self.app(scope, receive, send)

    def _unless_small(self, send: Send, encoding: str, scope: Scope) -> Send:
        """Most answers are too small to be packed: no packer is made for them."""
        held: list[Message] = []
        packing: Send | None = None

        async def sending(message: Message) -> None:
            nonlocal packing
            if packing is not None:
                await packing(message)
            elif message["type"] == "http.response.start":
                held.append(message)
            elif held and _is_small(message):
                await send(held.pop())
                await send(message)
            else:
                packing = self.create_compression_send_wrapper(send, encoding, scope)
                for each in (*held, message):
                    await packing(each)

        return sending


def _is_small(message: Message) -> bool:
    """The whole body, of fewer bytes than are worth packing."""
    if message["type"] != "http.response.body" or message.get("more_body", False):
        return False
    return len(message["body"]) < SMALLEST_BYTES


def chosen(accepted: str) -> str:
    """The best of what is accepted that we have, "" for none. zstd wins a tie."""
    wishes = dict(_wish(part) for part in accepted[:500].split(","))
    otherwise = wishes.get("*", 0.0)
    weights = {each: wishes.get(each, otherwise) for each in (ZSTD, CompressionEncoding.GZIP.value)}
    best = max(weights, key=lambda each: weights[each])
    return best if weights[best] > 0 else ""


def _wish(part: str) -> tuple[str, float]:
    name, _, parameter = part.strip().lower().partition(";")
    weight = parameter.strip().removeprefix("q=")
    try:
        return name.strip(), float(weight) if weight else 1.0
    except ValueError:
        return name.strip(), 0.0
