"""The live stream: own topics only, resumes, says only that something changed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta

import msgspec
import pytest
from litestar import Litestar
from litestar.response import ServerSentEventMessage

from backend.events import service as events_service
from backend.identity import IDLE_LIFE
from backend.wallet import streams as streams_module
from backend.wallet.streams import MAX_OF_SESSION, Streams
from tests.web.pages.conftest import Enter, Guest, Till, code_path
from tests.web.pages.test_till import pay
from web.events import _lives_on, _messages
from web.security import cookies


async def yes() -> bool:
    return True


async def listen(till: Till, topic: str, after: int | None) -> AsyncGenerator[str, None]:
    messages = _messages(till.world.services.events, (topic,), after, yes)
    async with aclosing(messages) as stream:
        async for message in stream:
            yield message.encode().decode()


async def test_an_order_is_announced_when_it_is_paid(till: Till, enter: Enter) -> None:
    payer, order = await enter(balance=100_00), await till.order()
    async with aclosing(listen(till, f"order:{order.order_id}", None)) as stream:
        assert "event: listening" in await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.5)
        await pay(payer, code_path(order))
        said = await asyncio.wait_for(waiting, 20)
    assert "event: changed" in said
    data = said.split("data: ")[1].splitlines()[0]
    assert set(msgspec.json.decode(data)) == {"kind", "ref"}  # no amounts, no names
    number = int(said.split("id: ")[1].splitlines()[0])
    async with aclosing(listen(till, f"order:{order.order_id}", number - 1)) as again:
        first = await anext(again)
        assert "listening" not in first
        assert f"id: {number}" in await asyncio.wait_for(anext(again), 20)


@pytest.mark.parametrize("topics", ["", "person:usr_x", "order:ord_x", "shop:mch_x", "all", "x:y"])
async def test_what_is_not_yours_is_not_found(enter: Enter, topics: str) -> None:
    guest = await enter()
    assert (await guest.see(f"/events?topics={topics}")).status_code == 404


async def test_the_shop_next_door_is_not_heard(till: Till, enter: Enter) -> None:
    stranger, order = await enter(), await till.order()
    for topic in (
        f"order:{order.order_id}",
        f"shop:{till.shop.shop_id}",
        f"person:{till.owner.wallet.person_id}",
    ):
        own = f"person:{stranger.wallet.person_id}"
        assert (await stranger.see(f"/events?topics={own},{topic}")).status_code == 404


async def endless() -> AsyncGenerator[ServerSentEventMessage, None]:
    while True:
        yield ServerSentEventMessage(data="x")


async def session_id_of(guest: Guest) -> str:
    token = guest.browser.client.cookies[cookies.SESSION]
    return (await guest.world.services.identity.session(token, touch=False)).session_id


async def test_streams_are_bounded(
    app: Litestar, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest, other = await enter(trusted=False), await enter(trusted=False)
    streams: Streams = app.state.streams
    session_id = await session_id_of(guest)
    address = f"/events?topics=person:{guest.wallet.person_id}"
    async with AsyncExitStack() as stack:
        for _ in range(MAX_OF_SESSION):
            messages = await stack.enter_async_context(
                aclosing(streams.counted(session_id, endless()))
            )
            await anext(messages)
        refused = await guest.part(address)
        assert (refused.status_code, refused.content) == (429, b"")
        assert (refused.headers["retry-after"], refused.headers["hx-reswap"]) == ("30", "none")
        assert not streams.full(await session_id_of(other))
        assert [m async for m in streams.counted(session_id, endless())] == []  # a late one
        monkeypatch.setattr(streams_module, "MAX_STREAMS", MAX_OF_SESSION)
        address = f"/events?topics=person:{other.wallet.person_id}"
        assert (await other.part(address)).status_code == 429
    assert streams.count == 0
    assert not streams.full(session_id)


async def test_a_stream_ends_with_its_session(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_service, "ALIVE_S", 0.1)
    guest = await enter(trusted=False)
    services, token = guest.world.services, guest.browser.client.cookies[cookies.SESSION]

    async def alive() -> bool:
        return await _lives_on(services, token)

    topics = (f"person:{guest.wallet.person_id}",)
    async with aclosing(_messages(services.events, topics, None, alive)) as stream:
        said = [(await anext(stream)).encode().decode() for _ in range(2)]
        assert ["listening" in said[0], "alive" in said[1]] == [True, True]
        await services.identity.end_all(guest.wallet.person_id)
        async with asyncio.timeout(20):
            rest = [message.encode().decode() async for message in stream]
    assert "event: changed" in rest[-1]  # so that the page asks, and is led away
    assert not [line for line in rest[:-1] if "alive" not in line]


async def test_a_stream_outlives_a_database_that_is_away(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = await enter(trusted=False)

    async def away(_token: str, touch: bool = True) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(guest.world.services.identity, "session", away)
    assert await _lives_on(guest.world.services, "any")


BY_ITSELF: tuple[tuple[str, dict[str, str]], ...] = (
    ("/", {"HX-Source": "div#home"}),
    ("/cashier", {"HX-Source": "section#today"}),
    ("/events?topics=x", {}),
)


@pytest.mark.parametrize(("path", "headers"), BY_ITSELF)
async def test_pages_that_ask_by_themselves_keep_no_session_awake(
    till: Till, path: str, headers: dict[str, str]
) -> None:
    guest, world = till.owner, till.world
    await guest.awake()
    for _ in range(15):
        await guest.browser.open(path, **headers)
        assert not guest.browser.page.url.path.startswith("/signed-out")
        world.clock.move(IDLE_LIFE / 15)
    await guest.browser.open("/security")
    assert guest.browser.page.url.path == "/signed-out"


async def test_a_person_who_does_something_stays(till: Till) -> None:
    await till.owner.awake()
    for _ in range(4):
        await till.owner.browser.open("/", HX_Source="a")
        till.world.clock.move(IDLE_LIFE - timedelta(minutes=1))
    await till.owner.browser.open("/security")
    assert till.owner.browser.page.url.path == "/security"
