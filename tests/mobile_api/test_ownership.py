"""What is somebody's is nobody else's: every id that a path takes, asked with another's phone."""

import httpx
import pytest

from backend.settings import Settings
from mobile_api.app import create_app
from tests.mobile_api.belongings import one_of_everything
from tests.mobile_api.conftest import Phones
from tests.mobile_api.routes import Route, routes
from tests.mobile_api.steps import keeper_of
from tests.web.pages.conftest import bank_world
from tests.world import World

__all__ = ["bank_world"]

# An id in these paths is nobody's own.
SHARED = {
    "GET /v1/friend-links/{secret}": "whoever was given the secret",
    "GET /v1/group-links/{secret}": "whoever was given the secret",
    "POST /v1/group-links/{secret}/join": "whoever was given the secret",
    "GET /v1/shop-invitations/{secret}": "whoever was given the secret",
    "POST /v1/shop-invitations/{secret}/ceremony": "whoever was given the secret",
    "POST /v1/shop-invitations/{secret}/confirm": "whoever was given the secret",
    "POST /v1/enrolments/{enrolment_id}/code": "nobody is signed in; test_enrolment has its holder",
    "POST /v1/enrolments/{enrolment_id}/ceremony": "the same",
    "POST /v1/enrolments/{enrolment_id}/device": "the same",
    "GET /v1/static-codes/{code_id}": "hangs on the wall",
    "POST /v1/static-codes/{code_id}/orders": "hangs on the wall",
    "GET /v1/receive-codes/{code_id}": "shown to whoever pays",
    "POST /v1/receive-codes/{code_id}/orders": "shown to whoever pays",
    "GET /v1/orders/{order_id}": "shown to whoever pays",
    "GET /v1/red-packets/{packet_id}": "the envelope, by its address",
    "PUT /v1/red-packets/{packet_id}/seen": "the envelope, by its address",
    "GET /v1/red-packets/{packet_id}/proof": "how a lot was drawn, for everybody",
    "PUT /v1/notices/switches/{kind}": "a kind, no id",
    "POST /v1/friends/{friend_id}/decline": "ends what the caller has with them, if anything",
    "DELETE /v1/friends/{friend_id}": "ends what the caller has with them, if anything",
}
ENDS = ("/v1/sessions", "/v1/groups/{group_id}/membership")
# Not a 404: that the thing is there they know already, or it tells nobody anything.
OTHERWISE = {
    "GET /v1/orders/{order_id}/quote": (403, "not_for_you"),
    "POST /v1/red-packets/{packet_id}/open": (403, "packet_not_for_you"),
    "GET /v1/shop/downloads/{token}": (410, "download_expired"),  # as one that never was
}


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


def with_ids() -> list[Route]:
    """What reads, then what changes, then what ends: earlier calls leave later ones theirs."""
    order = ("GET", "PUT", "PATCH", "POST", "DELETE")
    found = [route for route in routes(create_app(Settings())) if "{" in route.path]
    return sorted(found, key=lambda route: (route.path.startswith(ENDS), order.index(route.method)))


async def test_what_is_anothers_is_not_there(phones: Phones, world: World) -> None:
    """To a stranger with a shop of their own, with friends, money and a trusted phone."""
    eve = await keeper_of(phones, "伊芙", "对门饭馆")
    made = await one_of_everything(phones, world)
    every = [route for route in with_ids() if route.name not in SHARED]
    untried = [route.name for route in every if made.used_by(route) is None]
    assert untried == [], "routes with an id in their path that no case tries"
    refused = {route.name: await made.ask(route, eve) for route in every}
    wrong = []
    for route in every:
        answer = refused[route.name]
        wanted = OTHERWISE.get(route.name, (404, "not_found"))
        if (answer.status_code, _code(answer)) != wanted:
            wrong.append(_said(route, answer))
    for route in every:  # the same by its owner is something else
        answer, before = await made.ask(route), _code(refused[route.name])
        if answer.status_code == 404 or _code(answer) == before:
            wrong.append(f"its owner, {_said(route, answer)}")
    assert wrong == [], "\n".join(wrong)
    assert len(every) > 55


def test_what_is_shared_is_there() -> None:
    every = {route.name for route in with_ids()}
    assert SHARED.keys() | OTHERWISE.keys() <= every


def _code(answer: httpx.Response) -> str:
    return "" if answer.is_success else str(answer.json()["code"])


def _said(route: Route, answer: httpx.Response) -> str:
    return f"{route.name}: {answer.status_code} {answer.text[:300]}"
