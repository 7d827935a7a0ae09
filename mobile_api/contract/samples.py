"""Examples of bodies and answers, made of their schemas. Valid by construction, the same each time.

What a schema alone cannot say (what a link looks like) stands here by the name of the field.
"""

import re
from collections.abc import Mapping
from typing import Any

from backend import ids

REF = "#/components/schemas/"
MAX_DEPTH = 8
WHEN, DAY = "2026-11-22T10:30:00.123Z", "2026-11-22"

# By the name of the field, tried in this order against its schema; then those for any field.
BY_NAME: Mapping[str, Any] = {
    **dict.fromkeys(("created", "expires", "posted", "resend", "seen", "arrives", "ended"), WHEN),
    **dict.fromkeys(("at", "until", "since", "wait_until", "opened", "closed", "made"), WHEN),
    "status": "posted",
    "refusal_code": "",
    "reasons": "over_free_day",
    "day": DAY,
    "phone": "+8613812345678",
    "digits": "881234567890123456",
    "display_name": "安娜",
    "name": "安娜",
    "payee": "老王面馆",
    "note": "午饭",
    "takes": "passkey",
    "level": "A",
    "currency": "CNY",
    "next_cursor": "djEuMTc2Mzgw",
    "label": "Pixel 9",
    "language": "zh-CN",
    "token_type": "DPoP",
    "expires_in": 300,
    "limit": 20,
}
BY_FORMAT: Mapping[str, str] = {
    "date": DAY,
    "date-time": WHEN,
    "uuid": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
TEXTS = (
    "text",
    "zh-CN",
    "food",
    "+8613812345678",
    "123456",
    "8842",
    "6222020200112233445",
    "881234567890123456",
    "Asia/Shanghai",
    "11010519491231002X",
    "Q2hhbGxlbmdlIG9mIGEgdGlsbCB0aGF0IGlzIG5vd2h",
    "0123456789abcdef" * 4,
    "https://pay.example/p/01kb0n5dqfe0m8a3g9t2xw4yzr",
)
AMOUNT = 2300
PREFIXES: Mapping[str, str] = {
    "order": "ord", "payment": "pay", "card": "crd", "ceremony": "cer", "person": "usr",
    "friend": "usr", "group": "grp", "request": "req", "shop": "mch", "store": "sto",
    "terminal": "trm", "payee": "usr", "transfer": "trf", "topup": "top", "refund": "rfd",
    "bill": "pay", "device": "dev", "session": "ses", "enrolment": "enr", "packet": "red",
}  # fmt: skip


class NoExample(Exception):
    """No sample fits a schema: one belongs into TEXTS."""


def example(schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "") -> Any:
    """A value that the schema accepts. Raises NoExample."""
    return _made(schema, components, name, 0)


def _made(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> Any:
    if "$ref" in schema:
        found = components[schema["$ref"].removeprefix(REF)]
        return _made(found, components, name, depth + 1)
    for given in ("const", "default"):
        if schema.get(given) not in (None, "", [], False):
            return schema[given]
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return _choice(schema[many], components, name, depth)
    return _plain(schema, components, name, depth)


def _choice(schemas: Any, components: Mapping[str, Any], name: str, depth: int) -> Any:
    filled = [each for each in schemas if each.get("type") != "null"]
    if not filled or depth > MAX_DEPTH:
        return None
    return _made(filled[0], components, name, depth)


def _plain(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, components, name, depth)
        case "array":
            return _array(schema, components, name, depth)
        case "string":
            return _text(schema, name)
        case "integer":
            return _number(schema, name)
        case "boolean":
            return bool(schema.get("default", False))
        case _:
            return None


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> Any:
    kind = schema.get("properties", {}).get("object", {}).get("default", "")
    return {
        field: ids_of(kind or name)
        if field == "id" and (kind or name)
        else _made(each, components, field, depth + 1)
        for field, each in schema.get("properties", {}).items()
    }


def _array(schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int) -> Any:
    if depth > MAX_DEPTH and not schema.get("minItems"):
        return []
    if "prefixItems" in schema:
        return [_made(each, components, name, depth + 1) for each in schema["prefixItems"]]
    return [_made(schema.get("items", {}), components, name, depth + 1)]


def _text(schema: Mapping[str, Any], name: str) -> str:
    if "format" in schema:
        return BY_FORMAT[schema["format"]]
    own = ids_of(name.removesuffix("_id"))
    named = own if name.removesuffix("_id") in PREFIXES else TEXTS[0]
    tried = [str(BY_NAME.get(name, named)), own, *TEXTS]
    for each in tried:
        if _fits(each, schema):
            return each
    raise NoExample(f"{name}: {dict(schema)}")


def _fits(text: str, schema: Mapping[str, Any]) -> bool:
    return (
        schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
        and re.search(schema.get("pattern", ""), text) is not None
    )


def _number(schema: Mapping[str, Any], name: str) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", 10**12) - 1)
    wanted = BY_NAME.get(name, AMOUNT if "amount" in name or "fen" in name else 1)
    return int(min(max(wanted if isinstance(wanted, int) else 1, least), most))


def ids_of(kind: str) -> str:
    """The same id for the same kind of thing."""
    return ids.derived(PREFIXES.get(kind, (kind.replace("_", "") + "xxx")[:3]), "example", kind)
