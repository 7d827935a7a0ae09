"""The live stream: own topics only, resumes, says only that something changed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import pytest

from tests.web.pages.conftest import Enter, Till, code_path
from tests.web.pages.test_till import pay
from web.events import _messages


async def listen(till: Till, topic: str, after: int | None) -> AsyncGenerator[str, None]:
    async with aclosing(_messages(till.world.services.events, (topic,), after)) as stream:
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
