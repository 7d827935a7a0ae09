"""What the gateway makes of a bank that does not behave: unknown is never a refusal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from backend.banking import BankUnavailable
from backend.banking.gateway import HttpBank
from backend.bankleave import Leave, LeaveStatement
from tests.ports import free_port

ORDER = ("pyo_1", "tok", "mch_1", 100)
LEAVE = Leave(LeaveStatement(*ORDER, 1, 2), "verdict+00000001", bytes(64))

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def redirect(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/elsewhere")


def answering(status: int, text: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return handle


BROKEN = {
    "hangs": hang,
    "drops the connection": drop,
    "redirects": redirect,
    "answers 500": answering(500, ""),
    "answers 409": answering(409, '{"reason": "id_reused", "tries_left": 0}'),
    "answers no JSON": answering(200, "<html>"),
    "answers other JSON": answering(200, "[]"),
    "answers JSON without outcome": answering(200, "{}"),
}


class Broken:
    """Answers everything in one way."""

    def __init__(self, port: int) -> None:
        self.handler: Handler = hang
        self.bank = HttpBank(f"http://127.0.0.1:{port}", timeout_s=0.3)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await self.handler(request)


@pytest.fixture
async def broken() -> AsyncIterator[Broken]:
    port = free_port()
    made = Broken(port)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await made.bank.close()
    await runner.cleanup()


@pytest.mark.parametrize("how", BROKEN)
async def test_a_debit_without_a_clear_answer_is_pending(broken: Broken, how: str) -> None:
    broken.handler = BROKEN[how]
    debited = await broken.bank.debit("top_1", "tok", "usr_1", 100)
    paid_out = await broken.bank.pay_out(*ORDER, LEAVE)
    for answer in (debited, paid_out):
        assert (answer.outcome, answer.word) == ("pending", None)


@pytest.mark.parametrize("how", BROKEN)
async def test_other_calls_without_a_clear_answer_are_for_later(broken: Broken, how: str) -> None:
    broken.handler = BROKEN[how]
    with pytest.raises(BankUnavailable):
        await broken.bank.find("top_1")
    with pytest.raises(BankUnavailable):
        await broken.bank.end("top_1", "tok", "usr_1", 100)
    if how not in ("answers 409",):
        with pytest.raises(BankUnavailable):
            await broken.bank.offer_card("crd_1", "usr_1", "6222000000080001", "张三")
    with pytest.raises(BankUnavailable):
        await broken.bank.confirm_card("tok", "1234")
    if "JSON" not in how:  # it needs no more than the status
        with pytest.raises(BankUnavailable):
            await broken.bank.refund("top_1")


async def test_nobody_there_means_nothing_was_asked() -> None:
    bank = HttpBank(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BankUnavailable):
        await bank.debit("top_1", "tok", "usr_1", 100)
    with pytest.raises(BankUnavailable):
        await bank.pay_out(*ORDER, LEAVE)
    await bank.close()
