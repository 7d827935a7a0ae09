"""Calls to another process: together, in any order of answers, refused by code, never lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec
import pytest
from aiohttp import web

from backend import rpc
from backend.errors import BadRequest, IdReused, NotFound, OutcomeUnknown, Unavailable
from backend.rpc import client as rpc_client
from backend.rpc import wire
from backend.settings import Settings


class Order(msgspec.Struct, frozen=True, array_like=True):
    order_id: str
    amount_fen: int


class Shop(Protocol):
    async def take(self, order: Order) -> Order: ...

    async def wait(self, seconds_ms: int, name: str = "plain") -> str: ...

    async def refuse(self, order_id: str) -> None: ...

    async def break_down(self) -> None: ...

    async def bulk(self, size: int) -> bytes: ...

    async def ping(self) -> None: ...


class Counter:
    """A shop that remembers how it was called."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.waiting = 0

    async def take(self, order: Order) -> Order:
        self.taken.append(order.order_id)
        return order

    async def wait(self, seconds_ms: int, name: str = "plain") -> str:
        self.waiting += 1
        await asyncio.sleep(seconds_ms / 1000)
        return name

    async def refuse(self, order_id: str) -> None:
        raise NotFound(order_id=order_id, tries=3)

    async def break_down(self) -> None:
        raise KeyError("inside the service, not in the call")

    async def bulk(self, size: int) -> bytes:
        return b"x" * size

    async def ping(self) -> None:
        return None


class Pair(msgspec.Struct):
    shop: Shop
    counter: Counter
    client: rpc.Client
    settings: Settings
    requests: list[int]


@pytest.fixture
async def pair(short_path: Path) -> AsyncIterator[Pair]:
    settings = Settings(ledger_rpc=f"unix:{short_path}/shop.sock")
    counter, requests = Counter(), list[int]()
    app = rpc.application(Shop, counter)

    @web.middleware
    async def count(request: web.Request, handler: object) -> web.StreamResponse:
        with contextlib.suppress(msgspec.DecodeError):
            requests.append(len(wire.decode_calls(await request.read())))
        return await handler(request)  # type: ignore[operator,no-any-return]

    app.middlewares.append(count)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, short_path / "shop.sock").start()
    shop, client = rpc.connect(Shop, settings.ledger_rpc, settings)
    yield Pair(shop, counter, client, settings, requests)
    await client.close()
    await runner.cleanup()


async def test_values_travel_as_structs(pair: Pair) -> None:
    order = Order("ord_1", 2300)
    assert await pair.shop.take(order) == order
    await pair.shop.ping()


async def test_named_arguments_and_defaults_work_as_in_one_process(pair: Pair) -> None:
    assert await pair.shop.wait(0) == "plain"
    assert await pair.shop.wait(seconds_ms=0, name="named") == "named"
    with pytest.raises(TypeError):
        await pair.shop.wait(0, "one", "two")  # type: ignore[call-arg]


async def test_calls_that_arrive_together_travel_together(pair: Pair) -> None:
    orders = [Order(f"ord_{n}", n) for n in range(500)]
    assert list(await asyncio.gather(*(pair.shop.take(order) for order in orders))) == orders
    assert sum(pair.requests) == 500
    assert len(pair.requests) <= 3


async def test_a_large_crowd_is_cut_into_requests(pair: Pair) -> None:
    crowd = wire.MAX_CALLS * 2 + 1
    answers = await asyncio.gather(*(pair.shop.take(Order(str(n), n)) for n in range(crowd)))
    assert [answer.amount_fen for answer in answers] == list(range(crowd))
    assert max(pair.requests) == wire.MAX_CALLS


async def test_refusals_travel_with_their_parameters(pair: Pair) -> None:
    with pytest.raises(NotFound) as raised:
        await pair.shop.refuse("ord_7")
    assert raised.value.params == {"order_id": "ord_7", "tries": 3}


async def test_a_bug_behind_the_face_is_an_unknown_outcome(pair: Pair) -> None:
    with pytest.raises(OutcomeUnknown):
        await pair.shop.break_down()


async def test_malformed_arguments_are_refused_before_the_service(pair: Pair) -> None:
    with pytest.raises(BadRequest):
        await pair.shop.take(Order("ord_1", "2300"))  # type: ignore[arg-type]
    assert pair.counter.taken == []


async def test_a_slow_call_holds_up_no_other(pair: Pair) -> None:
    slow = [asyncio.create_task(pair.shop.wait(700, "slow")) for _ in range(40)]
    began = time.monotonic()
    quick = await asyncio.gather(*(pair.shop.take(Order(str(n), n)) for n in range(20)))
    for n in range(20):
        quick.append(await pair.shop.take(Order(str(n), n)))
    assert time.monotonic() - began < 0.6
    assert not any(task.done() for task in slow)
    assert await asyncio.gather(*slow) == ["slow"] * 40


async def test_a_caller_that_gives_up_disturbs_nobody(pair: Pair) -> None:
    given_up = asyncio.create_task(pair.shop.wait(50, "first"))
    kept = asyncio.create_task(pair.shop.wait(50, "second"))
    await asyncio.sleep(0.02)
    given_up.cancel()
    assert await kept == "second"
    assert (await pair.shop.take(Order("ord_1", 1))).amount_fen == 1


async def test_large_answers_travel_and_too_large_calls_are_refused(pair: Pair) -> None:
    assert len(await pair.shop.bulk(3_000_000)) == 3_000_000
    with pytest.raises(BadRequest):
        await pair.shop.take(Order("x" * wire.MAX_BODY_BYTES, 1))
    with pytest.raises(OutcomeUnknown):
        await pair.shop.bulk(wire.MAX_BODY_BYTES + 1)


async def test_a_server_refuses_what_is_too_large_or_no_call(pair: Pair) -> None:
    connector = aiohttp.UnixConnector(pair.settings.ledger_rpc.removeprefix("unix:"))
    call = wire.Call("ping", wire.pack(()))
    async with aiohttp.ClientSession(connector=connector) as session:
        for body, status in (
            (b"\xc1 nonsense", 400),
            (wire.encode_calls([call] * (wire.MAX_CALLS + 1)), 413),
            (BytesIO(b"x" * (wire.MAX_BODY_BYTES + 1)), 413),
            (wire.encode_calls([]), 200),
        ):
            try:
                async with session.post(f"http://unix{wire.PATH}", data=body) as response:
                    assert response.status == status
            except aiohttp.ClientOSError:  # it hung up while we were still sending
                assert status == 413


async def test_nobody_there_means_not_carried_out(short_path: Path) -> None:
    shop, client = rpc.connect(Shop, f"unix:{short_path}/nobody.sock", Settings())
    with pytest.raises(Unavailable):
        await shop.ping()
    await client.close()


async def test_silence_means_unknown_outcome(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_client, "CALL_TIMEOUT_S", 0.2)
    with pytest.raises(OutcomeUnknown):
        await pair.shop.wait(2_000)


async def test_closing_answers_everybody(pair: Pair) -> None:
    under_way = asyncio.create_task(pair.shop.wait(5_000))
    await asyncio.sleep(0.05)
    not_sent = asyncio.create_task(pair.shop.ping())
    await asyncio.sleep(0)
    await pair.client.close()
    with pytest.raises(OutcomeUnknown):
        await under_way
    with pytest.raises((Unavailable, OutcomeUnknown)):
        await not_sent
    with pytest.raises(Unavailable):
        await pair.shop.ping()


async def test_a_restarted_server_is_found_again(short_path: Path) -> None:
    settings, address = Settings(), f"unix:{short_path}/shop.sock"
    shop, client = rpc.connect(Shop, address, settings)
    for _ in range(3):
        stop = await rpc.serve(Shop, Counter(), address, settings)
        assert await asyncio.gather(*(shop.wait(1) for _ in range(10))) == ["plain"] * 10
        await stop()
        with pytest.raises(Unavailable):
            await shop.ping()
    await client.close()


async def test_a_broken_connection_is_tried_once_more(short_path: Path) -> None:
    """Only then is the outcome unknown: the call may have been carried out."""
    hangs_up, address = [True], f"unix:{short_path}/shop.sock"
    counter, seen = Counter(), list[int]()
    app = rpc.application(Shop, counter)

    @web.middleware
    async def hang_up(request: web.Request, handler: object) -> web.StreamResponse:
        seen.append(1)
        if hangs_up and hangs_up.pop():
            assert request.transport is not None
            request.transport.abort()
        return await handler(request)  # type: ignore[operator,no-any-return]

    app.middlewares.append(hang_up)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, short_path / "shop.sock").start()
    shop, client = rpc.connect(Shop, address, Settings())
    assert await shop.take(Order("ord_1", 1)) == Order("ord_1", 1)
    assert len(seen) == 2
    hangs_up += [True, True]
    with pytest.raises(OutcomeUnknown):
        await shop.take(Order("ord_2", 1))
    await client.close()
    await runner.cleanup()


async def test_a_stale_socket_file_is_replaced_and_private(short_path: Path) -> None:
    path = short_path / "run" / "shop.sock"
    for _ in range(2):  # the second finds the file that the first left
        stop = await rpc.serve(Shop, Counter(), f"unix:{path}", Settings())
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        await stop()


async def test_a_newer_peers_refusal_refuses_all_the_same(short_path: Path) -> None:
    address = f"unix:{short_path}/shop.sock"

    class Newer(Counter):
        async def take(self, order: Order) -> Order:
            error = IdReused()
            error.code = "invented_later"  # type: ignore[misc]
            raise error

    stop = await rpc.serve(Shop, Newer(), address, Settings())
    shop, client = rpc.connect(Shop, address, Settings())
    with pytest.raises(Unavailable) as raised:
        await shop.take(Order("ord_1", 1))
    assert raised.value.params == {"unknown_code": "invented_later"}
    await client.close()
    await stop()
