"""Bodies as they must be: numbers as numbers, nothing unknown, every mistake told at once."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import HTTPRouteHandler

from backend.errors import DomainError
from mobile_api.fields import FieldError, mistakes

MEDIA_TYPE = "application/json"
NUL = b"\\u0000"  # JSON knows it, PostgreSQL does not


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a write that takes none: absent, or {}."""


NOTHING = Nothing()  # where Litestar sees no body, it asks nobody to decode one


class Invalid(DomainError, code="invalid_request"):
    """Fields or parameters that are missing, unknown or not of their form: all of them at once."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__()
        self.errors = errors


class WrongMediaType(DomainError, code="unsupported_media_type"):
    """A body that is not application/json."""


class StrictRequest(Request[Any, Any, Any]):
    async def json(self) -> Any:
        """The body as the handler's own type. Refuses: Invalid, WrongMediaType."""
        state = self._connection_state
        if not isinstance(state.json, _Decoded):
            body = await self._whole_body()
            if body and self.content_type[0] != MEDIA_TYPE:
                raise WrongMediaType()
            state.json = _Decoded(_decode(body, self.route_handler))
        return state.json.value

    async def _whole_body(self) -> bytes:
        try:
            return await self.body()
        except RequestEntityTooLarge:
            raise
        except HTTPException:  # a content-length that is no number, or not the body's
            raise Invalid(FieldError(code="not_json")) from None


class _Decoded(msgspec.Struct):
    value: Any


def _decode(body: bytes, handler: HTTPRouteHandler) -> Any:
    kind = body_type(handler)
    if not body and kind is Nothing:
        return Nothing()
    if not body:
        raise Invalid(FieldError(code="missing"))
    try:
        decoded = _decoder(kind).decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(*_all_mistakes(body, kind, str(error))) from None
    if NUL in body and (found := tuple(mistakes(kind, msgspec.json.decode(body)))):
        raise Invalid(*found)
    return decoded


def body_type(handler: HTTPRouteHandler) -> Any:
    """The Struct that a handler takes."""
    field = handler.parsed_data_field
    return Nothing if field is None else field.annotation


@lru_cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=True)


def _all_mistakes(body: bytes, kind: Any, said: str) -> Iterator[FieldError]:
    """msgspec stops at the first mistake: the slow way names the others."""
    try:
        loose = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        yield FieldError(code="not_json")
        return
    found = False
    for mistake in mistakes(kind, loose):
        found = True
        yield mistake
    if not found:
        yield FieldError(pointer=_pointer(said), code="wrong_form")


def _pointer(said: str) -> str:
    """ "… - at `$.amount.amount`" as /amount/amount."""
    path = said.partition("`$")[2].partition("`")[0]
    return path.replace("[", ".").replace("]", "").replace(".", "/")
