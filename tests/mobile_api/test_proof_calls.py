"""Every route that hands a phone's proof on has its place in the security system's table."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from backend.risk.operations import KNOWN
from backend.settings import Settings
from mobile_api.app import create_app
from tests.mobile_api.routes import routes

HANDS_ON = re.compile(r"\b(?:caller|holder)\.proof\b")
NAME = re.compile(r"\b[A-Za-z_]\w*\b")
# Only whose key it is, for the end of the stream: nothing is asked of the security system by it.
OWN_USE = {"GET /v1/events", "GET /v1/shop/events"}


def hands_on(function: Callable[..., Any], seen: set[str]) -> bool:
    """In itself, or in a function of ours that it names."""
    source = inspect.getsource(function)
    if HANDS_ON.search(source):
        return True
    return any(
        hands_on(called, seen | {function.__qualname__})
        for called in _named(function, source)
        if called.__qualname__ not in seen
    )


def _named(function: Callable[..., Any], source: str) -> Iterator[Callable[..., Any]]:
    known = inspect.unwrap(function).__globals__
    for name in set(NAME.findall(source)):
        found = known.get(name)
        if inspect.isfunction(found) and found.__module__.startswith("mobile_api."):
            yield found


def test_every_proof_is_for_something() -> None:
    found = {
        re.sub(r"\{[^}]*\}", "{}", route.name)
        for route in routes(create_app(Settings()))
        if hands_on(route.handler.fn, {route.handler.fn.__qualname__})
    }
    assert found >= OWN_USE
    assert found - OWN_USE == KNOWN


async def _asks(caller: Any) -> Any:
    return caller.proof


async def _not(caller: Any) -> Any:
    return caller.person


def test_the_walk_sees_what_it_looks_for() -> None:
    assert hands_on(_asks, set())
    assert not hands_on(_not, set())
