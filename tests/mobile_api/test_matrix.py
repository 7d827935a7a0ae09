"""Every route × everybody: each answers as it declares, and a route that declares nothing is for
whoever is signed in. Doors that are open to all stand here by name. Whose an id in a path is:
test_ownership."""

from collections.abc import Callable

import httpx
import pytest
from litestar import Litestar

from backend import ids
from backend.settings import Settings
from backend.shop_roles import ROLES, Permission, Role
from mobile_api.app import create_app
from mobile_api.seat import MEMBER
from tests.mobile_api.conftest import Phones
from tests.mobile_api.declared import as_declared
from tests.mobile_api.routes import Route, routes
from tests.mobile_api.steps import joined, keeper_of
from tests.phone import Phone
from tests.web.pages.conftest import bank_world
from tests.world import World

__all__ = ["bank_world"]

OPEN = {
    "POST /v1/enrolments",
    "POST /v1/enrolments/{enrolment_id}/code",
    "POST /v1/enrolments/{enrolment_id}/ceremony",
    "POST /v1/enrolments/{enrolment_id}/device",
    "POST /v1/sign-in",
    "POST /v1/sign-in/ceremony",
    "POST /v1/devices",
    "POST /v1/devices/ceremony",
    "POST /v1/tokens/refresh",
    "GET /v1/orders/{order_id}",
    "GET /v1/red-packets/{packet_id}/proof",
    "GET /v1/receipt-keys",
    "GET /v1/version",
}
STAFF = ("/v1/shop", "/v1/till")
PERSONS = ("/v1/shops", "/v1/shop-invitations")  # of somebody who is in no shop yet
# They end what the caller calls with, or stop their money: tried last.
LAST = (
    "DELETE /v1/sessions/{session_id}",
    "POST /v1/freeze",
    "DELETE /v1/sessions",
    "POST /v1/sign-out",
)
ENDLESS = ("/events",)  # streams: whoever is let in would listen for ever


def of_json_face() -> list[Route]:
    found = list(routes(create_app(Settings())))
    return sorted(found, key=lambda route: (_last(route), route.name))


def _last(route: Route) -> int:
    return LAST.index(route.name) if route.name in LAST else -1


@pytest.fixture
async def world(bank_world: World) -> World:
    return bank_world


@pytest.fixture
def every(app: Litestar) -> list[Route]:
    return of_json_face()


def test_what_each_route_declares() -> None:
    every = of_json_face()
    assert len(every) > 100
    assert {route.name for route in every if route.open} == OPEN
    for route in every:
        if route.path.startswith(STAFF) and not route.path.startswith(PERSONS):
            assert route.permission in {MEMBER, *Permission}, f"{route.name} declares no permission"
        else:
            assert route.permission is None, f"{route.name} is not for staff"


async def test_nobody_and_who_has_left(
    phones: Phones, every: list[Route], figure: Callable[[str], None]
) -> None:
    """Without a token, after signing out, from a phone that was removed: 401 wherever it isn't
    open, and never a hint at what is there."""
    nobody, gone, removed = phones.new(), await phones("小吴"), await phones("老钱")
    await gone.done(gone.post("/v1/sign-out"))
    await _removed_by_another(phones, removed)
    for caller in (nobody, gone, removed):
        for route in every:
            answer = await ask(caller, route)
            if route.open:
                assert answer.status_code not in (403, 500), said(route, answer)
            else:
                assert answer.status_code == 401, said(route, answer)
                assert answer.headers["WWW-Authenticate"].startswith("DPoP")
                code = answer.json()["code"]
                assert code in {"signed_out", "token_invalid", "proof_refused"}, said(route, answer)
    figure(f"matrix: {len(every)} routes × nobody, signed out, removed: as declared")


async def test_a_person_in_no_shop(
    phone: Phone, every: list[Route], figure: Callable[[str], None]
) -> None:
    """Asked for staff's things first, because among the others is opening a shop."""
    asked = [route for route in every if not _endless(route)]
    for route in (each for each in asked if each.permission is not None):
        answer = await ask(phone, route)
        assert answer.json()["code"] == "no_shop", said(route, answer)
    await _own_things(phone, asked)
    figure(f"matrix: {len(asked)} routes × a person in no shop: as declared")


@pytest.mark.parametrize("role", [Role.CASHIER, Role.FINANCE, Role.AUDITOR, Role.MANAGER])
async def test_a_role(
    phones: Phones, every: list[Route], role: Role, figure: Callable[[str], None]
) -> None:
    """The owner invites, and may be asked everything; the member is asked for what the role has,
    and for what everybody has."""
    keeper = await keeper_of(phones)
    member = await joined(keeper, await phones("小李"), role)
    asked = [route for route in every if not _endless(route)]
    for route in (each for each in asked if each.permission is not None):
        answer = await ask(member, route)
        if may(role, route):
            assert let_in(answer), said(route, answer)
        else:
            assert answer.status_code == 403, said(route, answer)
            assert answer.json()["code"] == "permission_missing", said(route, answer)
    await _own_things(member, asked)
    figure(f"matrix: {len(asked)} routes × {role}: as declared")


async def test_the_owner(phones: Phones, every: list[Route], figure: Callable[[str], None]) -> None:
    keeper = await keeper_of(phones)
    asked = [route for route in every if not _endless(route)]
    for route in (each for each in asked if each.permission is not None):
        answer = await ask(keeper, route)
        assert let_in(answer), said(route, answer)
    await _own_things(keeper, asked)
    figure(f"matrix: {len(asked)} routes × owner: as declared")


async def _own_things(caller: Phone, asked: list[Route]) -> None:
    """What declares nothing is for whoever is signed in, staff or not."""
    for route in (each for each in asked if each.permission is None):
        answer = await ask(caller, route)
        refused = answer.status_code in (401, 403)
        assert route.open or not refused or gone(route, answer), said(route, answer)


def _endless(route: Route) -> bool:
    return any(mark in route.path for mark in ENDLESS)


def may(role: Role, route: Route) -> bool:
    if route.name == "GET /v1/shop/refund-requests":  # either of two permissions will do
        return bool({Permission.REFUND, Permission.ORDERS} & ROLES[role])
    return route.permission == MEMBER or Permission(route.permission or "") in ROLES[role]


def let_in(answer: httpx.Response) -> bool:
    """Past the door: done, or refused for what was asked, not for who asked."""
    if answer.is_success:
        return True
    code = answer.json()["code"]
    return answer.status_code in (400, 404, 409, 410, 422) and code not in {"no_shop"}


def gone(route: Route, answer: httpx.Response) -> bool:
    """The caller has just ended the very session."""
    return route.name in LAST and answer.json()["code"] == "signed_out"


async def ask(caller: Phone, route: Route) -> httpx.Response:
    """At the doors that are open to all, nobody shows a token. The answer is one that the contract
    knows, its problem too."""
    answer = await caller.call(
        route.method, route.fill(), route.body(), key=ids.new("key"), signed_in=not route.open
    )
    as_declared(route, answer)
    return answer


def said(route: Route, answer: httpx.Response) -> str:
    return f"{route.name}: {answer.status_code} {answer.text[:300]}"


async def _removed_by_another(phones: Phones, removed: Phone) -> None:
    """By another phone of the same person."""
    other = phones.new()
    granted = await removed.done(
        removed.post("/v1/devices/grants", await removed.approved("add_device"))
    )
    await other.join(granted["grant"])
    device_id = (await removed.done(removed.get("/v1/me")))["device"]
    approved = await other.approved(f"remove_device:{device_id}")
    await other.done(other.post(f"/v1/devices/{device_id}/removal", approved))
