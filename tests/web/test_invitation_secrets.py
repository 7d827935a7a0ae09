"""The secret of an invitation stands in its address: it is in no line of any log, whatever happens
to the request, and no page passes it on to another site."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import msgspec
import pytest
import structlog

from backend import ids, logs
from backend.server import serve
from tests.ports import free_port
from tests.world import Line, World
from web.app import create_app


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Everything is logged, by everybody, as a process of ours does it."""
    root = logging.getLogger()
    before = root.handlers, root.level
    yield capfd
    root.handlers, level = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
async def client(world: World) -> AsyncIterator[tuple[httpx.AsyncClient, Line]]:
    """The real server; the shops' service fails where it is told to."""
    settings = msgspec.structs.replace(world.settings, port=free_port(), log_level="debug")
    logs.configure(settings, "web")
    shops = Line(world.services.merchant)
    services = msgspec.structs.replace(world.services, merchant=shops)
    serving = asyncio.create_task(serve(create_app(settings, services, world.clock), settings))
    address = f"http://127.0.0.1:{settings.port}"
    async with httpx.AsyncClient(base_url=address, headers={"Host": "localhost"}) as made:
        async with asyncio.timeout(30):
            while True:
                with suppress(httpx.TransportError):
                    await made.get("/welcome")
                    break
                await asyncio.sleep(0.1)
        yield made, shops
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def test_no_log_and_no_other_site_learns_the_secret_of_a_link(
    written: pytest.CaptureFixture[str], client: tuple[httpx.AsyncClient, Line], world: World
) -> None:
    http, shops = client
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the client's own words, not ours
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    owner = await world.person()
    await world.shop(owner)
    merchant, seat = world.services.merchant, await world.services.merchant.seat(owner.person_id)
    invited = await merchant.invite(seat, await world.inviting(owner))
    friends = world.services.friends
    group = await friends.new_group(ids.new("grp"), owner.person_id, "朋友")
    of_group = await friends.invite_link(owner.person_id, group.group_id)
    of_friend = await friends.link(owner.person_id)
    answers = []
    for path in (
        f"/j/{invited.secret}",
        f"/sign-in?next=/j/{invited.secret}",
        f"/g/{of_group}",
        f"/f/{of_friend}",
        f"/j/{invited.secret}/no/such",
        f"/api/v1/shop-invitations/{invited.secret}",
        f"/api/v1/group-links/{of_group}",
    ):
        answers.append(await http.get(path))
        answers.append(await http.post(path, data={"x": "y"}))
        answers.append(await http.request("PUT", path))
    shops.crash_before.add("invitation")
    answers.append(await http.get(f"/j/{invited.secret}"))
    assert answers[0].status_code == 200
    assert answers[-1].status_code == 500
    for answer in answers:
        assert answer.headers["referrer-policy"] == "no-referrer", answer.request.url
    said = "".join(written.readouterr())
    assert "failed" in said
    assert "/j/{secret}" in said  # the route is told, what stood in it is not
    for secret in (invited.secret, of_group, of_friend):
        assert secret not in said
