"""The document: one walk over the routes."""

import inspect
import re
from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.response.sse import ServerSentEvent
from litestar.routes import HTTPRoute

from mobile_api import idempotent, version
from mobile_api.contract import failures, frame, samples
from mobile_api.contract.links import add_links
from mobile_api.contract.names import operation_id, schema_name
from mobile_api.problems import Problem
from mobile_api.shapes import Page
from mobile_api.strict import Nothing, body_type

JSON = "application/json"
PRODUCES = "produces"  # a handler's opt: media types of an answer that is a file
DESCRIBED = "described"  # another: schema and example by media type, where a file has some
REF = "#/components/schemas/{name}"


class Operation(msgspec.Struct, frozen=True):
    """A handler under one of its methods. parameters: as Litestar found them."""

    method: str
    path: str
    handler: HTTPRouteHandler
    parameters: list[dict[str, Any]]

    @property
    def name(self) -> str:
        return operation_id(self.method, self.path, is_list=self.is_list)

    @property
    def is_open(self) -> bool:
        return bool(self.handler.opt.get("open"))

    @property
    def is_once(self) -> bool:
        is_safe = self.method in idempotent.SAFE_METHODS
        return not is_safe and bool(self.handler.opt.get(idempotent.OPT, True))

    @property
    def is_made_again(self) -> bool:
        return idempotent.FRESH.items() <= self.handler.opt.items()

    @property
    def is_proven(self) -> bool:
        """Whether the phone's key signs it."""
        return not self.is_open or "holder" in self.handler.parsed_fn_signature.parameters

    @property
    def takes(self) -> Any:
        return body_type(self.handler)

    @property
    def gives(self) -> Any:
        return self.handler.parsed_fn_signature.return_type.annotation

    @property
    def is_list(self) -> bool:
        return get_origin(self.gives) is Page or self.gives is Page

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.handler.fn) or ""

    @property
    def tag(self) -> str:
        return self.handler.fn.__module__.rpartition(".")[2]


def document(app: Litestar) -> dict[str, Any]:
    """OpenAPI 3.1, ready for JSON. Raises UnknownCode, NoExample."""
    found = sorted(operations(app), key=lambda each: (each.path, each.method))
    schemas, components = _schemas(found)
    paths: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    for each in found:
        told = _operation(each, schemas, components)
        told["responses"] |= failures.responses(codes_of(each), problems)
        paths.setdefault(each.path, {})[each.method.lower()] = told
    add_links(paths, components)
    codes = {code for each in found for code in codes_of(each)}
    shared = {
        "responses": dict(sorted(problems.items())),
        "schemas": components,
        "examples": failures.examples(codes),
    }
    return frame.whole(paths, shared, _tags(found), frame.words(found))


def operations(app: Litestar) -> Iterator[Operation]:
    told = app.openapi_schema.to_schema()["paths"]
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            if method == "OPTIONS" or not handler.resolve_include_in_schema():
                continue
            parameters = told[route.path_format][method.lower()].get("parameters", [])
            yield Operation(method, route.path_format, handler, parameters)


def codes_of(operation: Operation) -> set[str]:
    codes = {*failures.EVERYWHERE, *failures.named(operation.doc)}
    if operation.is_proven:
        codes.update(failures.HOLDER if operation.is_open else failures.SIGNED_IN)
    if "services" in operation.handler.parsed_fn_signature.parameters:
        codes.update(failures.ELSEWHERE)
    if operation.method not in idempotent.SAFE_METHODS:
        codes.update(failures.WITH_BODY)
    if operation.is_once:
        codes.update(failures.ONCE)
    if "{" in operation.path:
        codes.add("not_found")
    return codes


def _schemas(found: list[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Each type's schema, and the components, under names that suit clients."""
    kinds: list[Any] = [Problem]
    for kind in (kind for each in found for kind in (each.takes, each.gives)):
        plain = _item(kind) or kind
        if _is_shape(plain) and plain not in kinds:
            kinds.append(plain)
    made, named = msgspec.json.schema_components(kinds, ref_template=REF)
    names = {name: schema_name(name) for name in named}
    assert len(set(names.values())) == len(names), "two schemas of one name"
    schemas = {kind: _renamed(schema, names) for kind, schema in zip(kinds, made, strict=True)}
    components = {names[name]: _renamed(named[name], names) for name in named}
    for kind in {each.gives for each in found if each.is_list}:
        schemas[kind] = _page(schemas[_item(kind)], components)
    return schemas, dict(sorted(components.items()))


def _item(kind: Any) -> Any:
    """Of a page: msgspec gives two pages of items with one name one schema."""
    return get_args(kind)[0] if get_origin(kind) is Page else None


def _page(item: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = f"{item['$ref'].rpartition('/')[2]}Page"
    components[name] = {
        "title": name,
        "description": inspect.getdoc(Page),
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": item},
            "has_more": {"type": "boolean", "default": False},
            "next_cursor": {"type": "string", "default": ""},
        },
        "required": ["data"],
    }
    return {"$ref": REF.format(name=name)}


def _is_shape(kind: Any) -> bool:
    if kind in (None, NoneType, Nothing, bytes, str, Any):
        return False
    return not _is_file(kind)


def _is_file(kind: Any) -> bool:
    plain = get_origin(kind) or kind
    return isinstance(plain, type) and issubclass(plain, Response | Stream | ServerSentEvent)


def _renamed(schema: Any, names: dict[str, str]) -> Any:
    match schema:
        case {"$ref": str(ref), **rest}:
            return {"$ref": REF.format(name=names[ref.rpartition("/")[2]]), **rest}
        case dict():
            return {
                key: schema_name(each) if _is_title(key, each) else _renamed(each, names)
                for key, each in schema.items()
            }
        case list():
            return [_renamed(each, names) for each in schema]
        case _:
            return schema


def _is_title(key: str, value: Any) -> bool:
    """Of a schema, not a field of that name."""
    return key == "title" and isinstance(value, str)


def _operation(each: Operation, schemas: dict[Any, Any], components: Any) -> dict[str, Any]:
    summary, description = _said(each.doc)
    told: dict[str, Any] = {
        "operationId": each.name,
        "tags": [each.tag],
        "summary": summary,
    }
    if description:
        told["description"] = description
    told["parameters"] = [*_parameters(each, components), *frame.header_parameters(each)]
    if each.takes is not Nothing:
        told["requestBody"] = _body(schemas[each.takes], components)
    told["responses"] = _answers(each, schemas, components)
    if isinstance(each.handler.opt.get(version.DEPRECATED), version.Ending):
        told["deprecated"] = True
    told["security"] = [] if each.is_open else [{"phone": []}]
    return told


def _said(doc: str) -> tuple[str, str]:
    """The first line without its full stop, and the rest without what is refused."""
    text = re.sub(r"\s*Refuses:.*", "", doc, flags=re.DOTALL).strip()
    first, _, rest = text.partition("\n\n")
    first = " ".join(first.split())
    summary, _, more = first.partition(". ")
    paragraphs = [more, *(" ".join(each.split()) for each in rest.split("\n\n"))]
    return summary.rstrip("."), "\n\n".join(each for each in paragraphs if each)


def _parameters(each: Operation, components: Any) -> Iterator[dict[str, Any]]:
    for given in each.parameters:
        if given["in"] not in {"path", "query"}:
            continue
        schema = _simple(given["schema"])
        told = {"name": given["name"], "in": given["in"], "required": given["required"]}
        if "description" in schema:
            told["description"] = schema.pop("description")
        told["schema"] = schema
        if given["in"] == "path":
            named = given["name"].removesuffix("_id")
            told["example"] = (
                samples.ids_of(named)
                if given["name"].endswith("_id")
                else samples.example({"type": "string"}, components, named)
            )
        yield told


def _simple(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter that may be left out: not there is not null."""
    plain = {key: _whole(value) for key, value in schema.items() if key not in {"oneOf", "default"}}
    if schema.get("default") not in (None, ""):
        plain["default"] = schema["default"]
    for each in schema.get("oneOf", ()):
        if each.get("type") != "null":
            plain |= {key: _whole(value) for key, value in each.items()}
    return plain


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _body(schema: dict[str, Any], components: Any) -> dict[str, Any]:
    content = {"schema": schema, "example": samples.example(schema, components)}
    return {"required": True, "content": {JSON: content}}


def _answers(each: Operation, schemas: dict[Any, Any], components: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": _said(each.doc)[0],
        "headers": frame.answer_headers(each),
    }
    kinds = _media_types(each)
    if kinds:
        known = each.handler.opt.get(DESCRIBED, {})
        text = {"schema": {"type": "string"}}
        told["content"] = {kind: known.get(kind, text) for kind in kinds}
    elif each.gives in schemas:
        schema = schemas[each.gives]
        content = {"schema": schema, "example": samples.example(schema, components)}
        told["content"] = {JSON: content}
    answers = {str(each.handler.status_code): told}
    if each.method == "GET" and not kinds:
        answers["304"] = frame.UNCHANGED
    return answers


def _media_types(each: Operation) -> tuple[str, ...]:
    """Of an answer that is no JSON of ours."""
    if not _is_file(each.gives):
        return ()
    given: tuple[str, ...] = each.handler.opt.get(PRODUCES, ())
    return given or (str(each.handler.media_type),)


def _tags(found: list[Operation]) -> list[dict[str, str]]:
    told: dict[str, str] = {}
    for each in found:
        doc = inspect.getdoc(inspect.getmodule(each.handler.fn)) or ""
        told.setdefault(each.tag, " ".join(doc.partition("\n\n")[0].split()))
    return [{"name": name, "description": told[name]} for name in sorted(told)]
