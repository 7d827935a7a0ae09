"""Every route of the JSON face, who it says may call it, and a request that could be meant."""

from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from msgspec import inspect

from backend import ids
from mobile_api.seat import OPT as PERMISSION
from mobile_api.strict import Nothing, body_type

PREFIXES = {
    "order": "ord",
    "payment": "pay",
    "card": "crd",
    "device": "dev",
    "session": "ses",
    "enrolment": "enr",
    "friend": "usr",
    "group": "grp",
    "packet": "red",
    "transfer": "trf",
    "refund": "rfd",
    "store": "sto",
    "terminal": "trm",
    "shop": "mch",
    "member": "usr",
    "batch": "stb",
    "view": "viw",
    "bill": "pay",
    "topup": "top",
    "withdrawal": "wdr",
    "notice": "ntc",
    "ceremony": "cer",
    "payee": "usr",
    "person": "usr",
}
SECRET = "A" * 43
# By pattern: texts that have a form of their own.
SHAPED = (
    ("^88", "88" + "1" * 16),
    (r"^\+", "+8613800138000"),
    (r"^\d{6}", "123456"),
    (r"\d{12,19}", "6222021234567890"),
    (r"^\d{4}$", "1234"),
    ("{43}", SECRET),
    ("food", "food"),
    ("zh-CN", "zh-CN"),
)


class Route(msgspec.Struct, frozen=True):
    method: str
    path: str  # with {names}
    handler: Any

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def open(self) -> bool:
        return bool(self.handler.opt.get("open"))

    @property
    def permission(self) -> str | None:
        """Of staff; None where none is declared."""
        found: str | None = self.handler.opt.get(PERMISSION)
        return found

    def fill(self, known: dict[str, str] | None = None) -> str:
        """The path with ids in it: known ones, or some that nothing has."""
        path = self.path
        while "{" in path:
            name = path.partition("{")[2].partition("}")[0]
            path = path.replace(f"{{{name}}}", (known or {}).get(name) or sample_id(name))
        return path

    def body(self, known: dict[str, str] | None = None) -> Any:
        """One that the strict decoder lets pass; None where the method has none."""
        kind = body_type(self.handler)
        if self.method == "GET" or kind is Nothing:
            return None
        return example(inspect.type_info(kind), "", known or {})


def routes(app: Litestar) -> Iterator[Route]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or not route.path.startswith("/v1/"):
            continue
        for handler in route.route_handlers:
            assert isinstance(handler, HTTPRouteHandler)
            path = route.path_format
            for method in handler.http_methods - {"HEAD", "OPTIONS"}:
                yield Route(str(method), path, handler)


def sample_id(name: str) -> str:
    """For a name like order_id, code_id or secret."""
    plain = name.removesuffix("_id")
    if plain in ("secret", "token", "code"):
        return SECRET
    return ids.new(PREFIXES.get(plain, "ord"))


def example(kind: inspect.Type, name: str, known: dict[str, str]) -> Any:
    """The least that fits the type; ids that are known by name."""
    if isinstance(kind, inspect.StructType):
        return {
            field.encode_name: example(field.type, field.encode_name, known)
            for field in kind.fields
            if field.required or field.encode_name in known
        }
    if isinstance(kind, inspect.Metadata):
        return example(kind.type, name, known)
    if isinstance(kind, inspect.UnionType):
        return example(kind.types[0], name, known)
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return [example(kind.item_type, name, known)] * max(kind.min_length or 0, 1)
    return known.get(name) or _plain(kind, name)


def _plain(kind: inspect.Type, name: str) -> Any:
    match kind:
        case inspect.IntType():
            return kind.ge if kind.ge is not None else (kind.gt or 0) + 1
        case inspect.StrType():
            return _text(kind, name)
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.EnumType():
            return list(kind.cls)[-1].value
        case inspect.DateType():
            return "2026-11-22"
        case inspect.BoolType():
            return True
    return {}


def _text(kind: inspect.StrType, name: str) -> str:
    pattern = kind.pattern or ""
    for mark, text in SHAPED:
        if mark in pattern:
            return text
    if "_" in pattern or name in PREFIXES or name.endswith("_id"):
        return sample_id(name)
    return ("1" * (kind.min_length or 1))[: kind.max_length]
