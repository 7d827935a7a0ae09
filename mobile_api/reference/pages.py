"""What the reference shows, made of the contract."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup, escape

from backend.ids import ID_PATTERN

CONTRACT = Path(__file__).parents[1] / "openapi.json"
MAX_DEPTH = 4

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Getting in": ("enrolment", "sign_in", "tokens", "devices", "sessions", "version"),
    "Account": ("me", "settings", "limits", "approvals", "freeze", "notices", "events"),
    "Money": (
        "balance", "cards", "topups", "withdrawals", "bills", "receipts", "orders", "payments",
        "codes", "static_codes", "receive", "pay_code", "refunds",
    ),
    "People": ("friends", "groups", "transfers", "requests", "red_packets", "inbox"),
    "Shops": (
        "shops", "till", "shop_today", "shop_orders", "shop_refunds", "stores", "staff", "joining",
        "settlement", "files",
    ),
}  # fmt: skip
REST = "More"
TITLES = {
    "topups": "Top-ups",
    "pay_code": "Payment codes",
    "receive": "Receive codes",
    "joining": "Joining a shop",
    "shop_today": "A shop's day",
}


class Field(msgspec.Struct, frozen=True):
    """depth: how far inside. rule: what a value must be, in words."""

    name: str
    kind: str
    required: bool
    rule: str
    depth: int


class Failure(msgspec.Struct, frozen=True):
    code: str
    title: str


class Shown(msgspec.Struct, frozen=True):
    """One body: of a request or an answer."""

    status: str
    example: str
    fields: tuple[Field, ...]
    note: str = ""


class Shape(msgspec.Struct, frozen=True):
    """An operation, as it is drawn."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    is_open: bool
    parameters: tuple[Field, ...]
    headers: tuple[str, ...]
    request: Shown | None
    answer: Shown
    failures: Mapping[str, tuple[Failure, ...]]


class Page(msgspec.Struct, frozen=True):
    """slug: its address below /reference, "" for the first page."""

    slug: str
    title: str
    lead: str
    operations: tuple[Shape, ...] = ()


class Reference:
    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self.version: str = document["info"]["version"]
        self.intro = _marked(document["info"]["description"])
        by_tag: dict[str, list[Shape]] = {}
        for path, item in document["paths"].items():
            for method, told in item.items():
                by_tag.setdefault(told["tags"][0], []).append(self._shape(method, path, told))
        leads = {tag["name"]: tag["description"] for tag in document["tags"]}
        self.pages = {"": Page("", "易支付 API", "")} | {
            tag: Page(tag, _titled(tag), leads[tag], tuple(found)) for tag, found in by_tag.items()
        }
        self.groups = dict(_grouped(self.pages))
        self.problems = tuple(
            (name.removeprefix("problem."), told["value"])
            for name, told in sorted(self._components["examples"].items())
        )
        self.count = sum(len(page.operations) for page in self.pages.values())

    def _shape(self, method: str, path: str, told: dict[str, Any]) -> Shape:
        status = next(each for each in told["responses"] if each.startswith("2"))
        taken = told.get("requestBody")
        return Shape(
            name=told["operationId"],
            method=method.upper(),
            path=path,
            summary=told["summary"],
            description=told.get("description", ""),
            is_open=not told["security"],
            parameters=tuple(_parameter(each) for each in told["parameters"] if "in" in each),
            headers=tuple(
                each["$ref"].rpartition("/")[2] for each in told["parameters"] if "$ref" in each
            ),
            request=self._shown("", taken) if taken else None,
            answer=self._shown(status, told["responses"][status]),
            failures=dict(self._failures(told["responses"])),
        )

    def _shown(self, status: str, told: dict[str, Any]) -> Shown:
        content: dict[str, Any] = told.get("content", {})
        found = content.get("application/json", {})
        if "example" not in found:
            note = f"A file: {', '.join(content)}" if content else "No content"
            return Shown(status, "", (), note)
        example = msgspec.json.format(msgspec.json.encode(found["example"]), indent=2).decode()
        return Shown(status, example, tuple(self._fields(found["schema"], 0)))

    def _fields(self, schema: dict[str, Any], depth: int) -> Iterator[Field]:
        inner = self._object_in(schema)
        if inner is None or depth >= MAX_DEPTH:
            return
        for name, each in inner.get("properties", {}).items():
            required = name in inner.get("required", ())
            yield Field(name, _kind(each), required, _rule(each), depth)
            yield from self._fields(each, depth + 1)

    def _object_in(self, schema: dict[str, Any]) -> dict[str, Any] | None:
        """The object that a schema is, or has many of, or may be."""
        if "$ref" in schema:
            found: dict[str, Any] = self._components["schemas"][schema["$ref"].rpartition("/")[2]]
            return self._object_in(found)
        if "properties" in schema:
            return schema
        for each in (schema.get("items"), *schema.get("anyOf", ())):
            found_in = self._object_in(each) if isinstance(each, dict) else None
            if found_in is not None:
                return found_in
        return None

    def _failures(self, responses: dict[str, Any]) -> Iterator[tuple[str, tuple[Failure, ...]]]:
        for status, told in responses.items():
            if not told.get("$ref", "").startswith("#/components/responses/"):
                continue
            found = self._components["responses"][told["$ref"].rpartition("/")[2]]
            codes = found["content"]["application/problem+json"]["examples"]
            yield (
                status,
                tuple(
                    Failure(code, self._components["examples"][f"problem.{code}"]["summary"])
                    for code in codes
                ),
            )


def _grouped(pages: Mapping[str, Page]) -> Iterator[tuple[str, tuple[Page, ...]]]:
    known = {slug for slugs in GROUPS.values() for slug in slugs} | {""}
    for name, slugs in GROUPS.items():
        yield name, tuple(pages[slug] for slug in slugs if slug in pages)
    rest = tuple(page for slug, page in pages.items() if slug not in known)
    if rest:
        yield REST, rest


def _titled(tag: str) -> str:
    return TITLES.get(tag) or tag.replace("_", " ").capitalize()


def _parameter(told: dict[str, Any]) -> Field:
    schema = told["schema"]
    rule = " · ".join(each for each in (told.get("description", ""), _rule(schema)) if each)
    return Field(told["name"], f"{told['in']} {_kind(schema)}", told["required"], rule, 0)


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        kinds = [_kind(each) for each in schema["anyOf"]]
        return " | ".join(kinds)
    if schema.get("type") == "array":
        return f"{_kind(schema.get('items', {}))}[]"
    if "enum" in schema or "const" in schema:
        return "string"
    if _is_id(schema):
        return "id"
    return str(schema.get("format") or schema.get("type", "any"))


def _rule(schema: dict[str, Any]) -> str:
    said = [schema["description"]] if "description" in schema else []
    if "enum" in schema:
        said.append(" | ".join(map(str, schema["enum"])))
    if schema.get("default") not in (None, "", False, [], {}) and "object" not in str(schema):
        said.append(f"default {schema['default']}")
    for key, word in (
        ("minimum", "≥ {}"),
        ("maximum", "≤ {}"),
        ("exclusiveMinimum", "> {}"),
        ("minLength", "at least {} characters"),
        ("maxLength", "at most {} characters"),
        ("minItems", "at least {}"),
        ("maxItems", "at most {}"),
        ("pattern", "{}"),
    ):
        if key in schema and not _is_id(schema):
            said.append(word.format(schema[key]))
    return " · ".join(said)


def _is_id(schema: dict[str, Any]) -> bool:
    return schema.get("pattern") == ID_PATTERN


def _marked(text: str) -> Markup:
    """Paragraphs with **bold** and `code`, nothing else."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        plain = str(escape(" ".join(paragraph.split())))
        bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", plain)
        coded = re.sub(r"`(.+?)`", r"<code>\1</code>", bold)
        paragraphs.append(f"<p>{coded}</p>")
    return Markup("\n").join(Markup(each) for each in paragraphs)  # noqa: S704 — escaped above
