"""Which operation goes on with the thing that another has answered: OpenAPI links, by its id."""

import re
from collections.abc import Mapping
from typing import Any

REF = "#/components/schemas/"
# What a thing calls itself, where parameters call it otherwise.
CALLED = {"red_packet": "packet", "top_up": "topup", "shop_order": "order", "bill_file": "file"}

_PARAMETER = re.compile(r"\{([a-z_]+)_id\}")


def add_links(paths: dict[str, Any], components: Mapping[str, Any]) -> None:
    """Of a success that is a thing, or a page of things, to what takes just such an id."""
    takers = _takers(paths)
    for told in (each for item in paths.values() for each in item.values()):
        answer = next(each for status, each in told["responses"].items() if status[0] == "2")
        content = answer.get("content", {}).get("application/json")
        if content is None:
            continue
        kind, where = _thing(content["schema"], components)
        links = {
            name: {"operationId": name, "parameters": {f"{kind}_id": where}}
            for name in takers.get(kind, ())
            if name != told["operationId"]
        }
        if links:
            answer["links"] = links


def _takers(paths: Mapping[str, Any]) -> dict[str, list[str]]:
    """Operations by the one kind of thing whose id their path takes."""
    found: dict[str, list[str]] = {}
    for path, item in paths.items():
        names = _PARAMETER.findall(path)
        if len(names) == 1 and path.count("{") == 1:
            found.setdefault(names[0], []).extend(told["operationId"] for told in item.values())
    return found


def _thing(schema: Mapping[str, Any], components: Mapping[str, Any]) -> tuple[str, str]:
    """What the schema is of, and where its id stands; "" for nothing."""
    whole = _resolved(schema, components)
    properties = whole.get("properties", {})
    if "data" in properties and "has_more" in properties:
        inner = _resolved(properties["data"]["items"], components)
        return _kind(inner), "$response.body#/data/0/id"
    return _kind(whole), "$response.body#/id"


def _kind(schema: Mapping[str, Any]) -> str:
    properties = schema.get("properties", {})
    if "id" not in properties:
        return ""
    name = str(properties.get("object", {}).get("default", ""))
    return CALLED.get(name, name)


def _resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    ref = schema.get("$ref")
    return components[ref.removeprefix(REF)] if ref else schema
