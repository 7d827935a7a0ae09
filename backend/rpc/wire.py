"""What both sides agree on: calls, answers, frames, limits and transport security.

A request is one msgpack list of calls. A response is a row of frames, each a length of 4 bytes and
a msgpack list of answers; an answer names the call by its place in the request.
"""

import inspect
import ssl
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import msgspec

from backend.errors import Refusal
from backend.settings import Settings

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_CALLS = 2_000  # in one request
MAX_ANSWERS = 200  # in one frame
PATH = "/rpc"
LENGTH_BYTES = 4


class Call(msgspec.Struct, frozen=True, array_like=True):
    method: str
    args: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """Either a value or a refusal, of the call at that place in its request."""

    place: int
    value: msgspec.Raw
    refusal: Refusal | None = None


_encoder = msgspec.msgpack.Encoder()
_calls = msgspec.msgpack.Decoder(list[Call])
_answers = msgspec.msgpack.Decoder(list[Answer])

NOTHING = msgspec.Raw(_encoder.encode(None))


def pack(value: object) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(value))


def encode_calls(calls: Sequence[Call]) -> bytes:
    return _encoder.encode(calls)


def decode_calls(body: bytes) -> list[Call]:
    """Raises msgspec.DecodeError."""
    return _calls.decode(body)


def encode_frames(answers: Sequence[Answer]) -> bytes:
    """One frame for every MAX_ANSWERS, and an empty one for none."""
    frames = []
    for start in range(0, len(answers) or 1, MAX_ANSWERS):
        body = _encoder.encode(answers[start : start + MAX_ANSWERS])
        frames += [len(body).to_bytes(LENGTH_BYTES, "big"), body]
    return b"".join(frames)


def decode_answers(body: bytes) -> list[Answer]:
    """Raises msgspec.DecodeError."""
    return _answers.decode(body)


class Method:
    """How one method of a face is coded."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        hints = get_type_hints(function, include_extras=True)
        self._signature = inspect.signature(function)
        names = [n for n in self._signature.parameters if n != "self"]
        self.name, self._count = name, len(names)
        kinds = tuple[tuple(hints[n] for n in names)] if names else tuple[()]  # type: ignore[misc]
        self.arguments: msgspec.msgpack.Decoder[tuple[Any, ...]] = msgspec.msgpack.Decoder(kinds)
        self.result: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(hints["return"])

    def positional(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All arguments in their order, defaults included. Raises TypeError as a call would."""
        if not named and len(args) == self._count:
            return args
        bound = self._signature.bind(None, *args, **named)
        bound.apply_defaults()
        return bound.args[1:]


def methods(face: type) -> dict[str, Method]:
    return {
        name: Method(name, function)
        for name, function in inspect.getmembers(face, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }


def tls(settings: Settings, *, server: bool) -> ssl.SSLContext:
    """Both sides show a certificate of our own CA and check the other's."""
    purpose = ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH
    context = ssl.create_default_context(purpose, cafile=settings.rpc_ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(settings.rpc_cert, settings.rpc_key)
    return context
