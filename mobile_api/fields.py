"""What is wrong with each field of a decoded body, compared with the type it should have.

Only looked at after a strict decoder has refused the body, which then is what refuses it.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from msgspec import inspect

MAX_ERRORS = 50
MAX_NAME_CHARS = 64

_JSON_NAMES = {bool: "boolean", type(None): "null"}


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """Where (a JSON pointer into the body, or the name of a parameter) and what, by a code that has
    a text "field.<code>"; limit fills it."""

    pointer: str = ""
    parameter: str = ""
    code: str
    limit: str = ""


def mistakes(kind: Any, value: Any) -> Iterator[FieldError]:
    """kind: a type; value: decoded JSON."""
    return islice(_walk(_described(kind), value, ""), MAX_ERRORS)


@lru_cache
def _described(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _walk(kind: inspect.Type, value: Any, at: str) -> Iterator[FieldError]:
    match kind:
        case inspect.Metadata():
            yield from _walk(kind.type, value, at)
        case inspect.StructType():
            yield from _struct(kind, value, at)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _items(kind, value, at)
        case inspect.DictType():
            yield from _entries(kind, value, at)
        case inspect.UnionType():
            yield from _union(kind, value, at)
        case _:
            yield from _leaf(kind, value, at)


def _struct(kind: inspect.StructType, value: Any, at: str) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(pointer=at, code="wrong_type", limit="object")
        return
    known = {field.encode_name: field for field in kind.fields}
    for name, field in known.items():
        if name in value:
            yield from _walk(field.type, value[name], f"{at}/{_escaped(name)}")
        elif field.required:
            yield FieldError(pointer=f"{at}/{_escaped(name)}", code="missing")
    if kind.forbid_unknown_fields:
        for name in value:
            if name not in known and name != kind.tag_field:
                yield FieldError(pointer=f"{at}/{_escaped(name)}", code="unknown")


def _items(
    kind: inspect.ListType | inspect.VarTupleType, value: Any, at: str
) -> Iterator[FieldError]:
    if not isinstance(value, list):
        yield FieldError(pointer=at, code="wrong_type", limit="array")
        return
    yield from _length(kind, len(value), at, "few", "many")
    for index, each in enumerate(value):
        yield from _walk(kind.item_type, each, f"{at}/{index}")


def _entries(kind: inspect.DictType, value: Any, at: str) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(pointer=at, code="wrong_type", limit="object")
        return
    yield from _length(kind, len(value), at, "few", "many")
    for name, each in value.items():
        yield from _walk(kind.key_type, name, f"{at}/{_escaped(name)}")
        yield from _walk(kind.value_type, each, f"{at}/{_escaped(name)}")


def _union(kind: inspect.UnionType, value: Any, at: str) -> Iterator[FieldError]:
    """What the alternative that comes nearest says: the one with the deepest mistakes."""
    tried = [list(_walk(each, value, at)) for each in kind.types]
    if all(tried):
        yield from max(tried, key=lambda found: min(len(each.pointer) for each in found))


def _leaf(kind: inspect.Type, value: Any, at: str) -> Iterator[FieldError]:
    match kind:
        case inspect.IntType():
            yield from _integer(kind, value, at)
        case inspect.StrType():
            yield from _text(kind, value, at)
        case inspect.BoolType() | inspect.NoneType():
            wanted = "boolean" if isinstance(kind, inspect.BoolType) else "null"
            if _JSON_NAMES.get(type(value)) != wanted:
                yield FieldError(pointer=at, code="wrong_type", limit=wanted)
        case inspect.LiteralType():
            yield from _choice(kind.values, value, at)
        case inspect.EnumType():
            yield from _choice(_values(kind.cls), value, at)
        case _:
            yield from _other(kind, value, at)


def _integer(kind: inspect.IntType, value: Any, at: str) -> Iterator[FieldError]:
    if type(value) is not int:
        yield FieldError(pointer=at, code="wrong_type", limit="integer")
        return
    least = kind.ge if kind.gt is None else kind.gt + 1
    most = kind.le if kind.lt is None else kind.lt - 1
    if least is not None and value < least:
        yield FieldError(pointer=at, code="too_small", limit=str(least))
    if most is not None and value > most:
        yield FieldError(pointer=at, code="too_large", limit=str(most))


def _text(kind: inspect.StrType, value: Any, at: str) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield FieldError(pointer=at, code="wrong_type", limit="string")
        return
    yield from _length(kind, len(value), at, "short", "long")
    if "\0" in value or (kind.pattern is not None and not re.search(kind.pattern, value)):
        yield FieldError(pointer=at, code="wrong_form")


def _choice(values: tuple[Any, ...], value: Any, at: str) -> Iterator[FieldError]:
    if not any(type(each) is type(value) and each == value for each in values):
        yield FieldError(pointer=at, code="not_a_choice", limit=", ".join(map(str, values)))


_TEXTS: dict[type, Any] = {
    inspect.DateTimeType: datetime,
    inspect.DateType: date,
    inspect.UUIDType: UUID,
}


def _other(kind: inspect.Type, value: Any, at: str) -> Iterator[FieldError]:
    """Times, days and what else is a text on the wire: the decoder's own word."""
    python = _TEXTS.get(type(kind))
    if python is None:
        return
    try:
        msgspec.convert(value, python)
    except msgspec.ValidationError:
        yield FieldError(pointer=at, code="wrong_form")


def _length(kind: Any, length: int, at: str, short: str, long: str) -> Iterator[FieldError]:
    if kind.min_length is not None and length < kind.min_length:
        yield FieldError(pointer=at, code=f"too_{short}", limit=str(kind.min_length))
    if kind.max_length is not None and length > kind.max_length:
        yield FieldError(pointer=at, code=f"too_{long}", limit=str(kind.max_length))


def _values(kind: type[Enum]) -> tuple[Any, ...]:
    return tuple(each.value for each in kind)


def _escaped(name: str) -> str:
    return name[:MAX_NAME_CHARS].replace("~", "~0").replace("/", "~1")
