"""The small parts: gathering calls, signing together, the gateway, and the housekeeping."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from backend.db import SEC
from backend.errors import DomainError, NotFound
from backend.keys import FileSigner
from backend.posting import Posting, Transfer, posting_hash
from backend.risk import SmsUnavailable
from backend.risk.batch import MAX_TOGETHER, Batch
from backend.risk.purge import KEPT, purge
from backend.risk.signing import Signatures, sign_together
from backend.risk.sms import HttpSms
from backend.verdict import Verdict, fault
from tests.risk.people import World

POSTING = Posting("pay_x", "pay", (Transfer("person:a", "person:b", 1),))


async def test_calls_that_wait_run_together_and_equal_keys_apart() -> None:
    runs: list[list[str]] = []

    async def run(items: Sequence[str]) -> list[str | DomainError]:
        runs.append(list(items))
        await asyncio.sleep(0)
        return [NotFound() if item.endswith("!") else item.upper() for item in items]

    batch = Batch[str, str](run, lambda item: item[0])
    answers = await asyncio.gather(
        *map(batch, ["a1", "b1", "a2", "c!", "a3"]), return_exceptions=True
    )
    assert runs == [["a1", "b1", "c!"], ["a2"], ["a3"]]
    assert answers[:3] == ["A1", "B1", "A2"]
    assert isinstance(answers[3], NotFound)
    assert await batch("d1") == "D1"


async def test_a_batch_has_a_limit_and_survives_a_bad_item() -> None:
    sizes: list[int] = []

    async def run(items: Sequence[int]) -> list[int | DomainError]:
        sizes.append(len(items))
        if 7 in items:
            raise ZeroDivisionError
        return list(items)

    batch = Batch[int, int](run, str)
    answers = await asyncio.gather(*map(batch, range(MAX_TOGETHER + 10)), return_exceptions=True)
    assert sizes[0] == MAX_TOGETHER
    assert sizes[-1] == 10
    assert isinstance(answers[7], ZeroDivisionError)
    assert [a for a in answers if isinstance(a, int)] == [
        n for n in range(MAX_TOGETHER + 10) if n != 7
    ]


async def test_a_caller_that_gave_up_disturbs_nobody() -> None:
    async def run(items: Sequence[int]) -> list[int | DomainError]:
        await asyncio.sleep(0.01)
        return list(items)

    batch = Batch[int, int](run, str)
    calls = [asyncio.create_task(batch(n)) for n in range(3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    assert [await calls[0], await calls[2]] == [0, 2]


def verdict(n: int, expires_at_ms: int = 60_000) -> Verdict:
    return Verdict(f"vrd_{n}", b"i" * 32, posting_hash(POSTING), "allow", "C", 1, 0, expires_at_ms)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 33])
def test_each_verdict_carries_its_path(tmp_path: Path, size: int) -> None:
    signer = FileSigner(tmp_path, "verdict")
    published = {signer.key_id: signer.public_key}
    together = sign_together([verdict(n) for n in range(size)], signer)
    assert len({s.signature for s in together}) == 1
    assert [fault(s, POSTING, published, 0) for s in together] == [""] * size
    assert sign_together([], signer) == []


def test_signed_verdicts_are_kept_while_they_live(tmp_path: Path) -> None:
    signatures = Signatures(FileSigner(tmp_path, "verdict"))
    first, second = signatures.sign([verdict(1), verdict(2, 90_000)], now_ms=0)
    assert signatures.sign([verdict(2, 90_000)], now_ms=60_000) == [second]
    [again] = signatures.sign([verdict(1)], now_ms=60_000)
    assert again != first
    assert again.verdict == first.verdict


Answer = Callable[[int], Awaitable[web.Response]]


async def gateway(answer: Answer, port: int) -> tuple[list[dict[str, str]], web.AppRunner, str]:
    taken: list[dict[str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        taken.append(await request.json())
        return await answer(len(taken))

    app = web.Application()
    app.router.add_post("/messages", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    bound = runner.addresses[0][1]
    return taken, runner, f"http://127.0.0.1:{bound}"


async def test_the_gateway_is_asked_again_with_the_same_id() -> None:
    async def answer(call: int) -> web.Response:
        return web.Response(status=500 if call == 1 else 200)

    taken, runner, url = await gateway(answer, 0)
    await HttpSms(url).send("enr_x:1", "+8613800138000", "123456")
    await runner.cleanup()
    message = {"message_id": "enr_x:1", "to": "+8613800138000", "text": "123456"}
    assert taken == [message, message]


async def test_a_gateway_that_refuses_or_is_gone() -> None:
    async def answer(call: int) -> web.Response:
        return web.Response(status=503)

    _, runner, url = await gateway(answer, 0)
    with pytest.raises(SmsUnavailable):
        await HttpSms(url).send("enr_x:1", "+8613800138000", "123456")
    await runner.cleanup()
    with pytest.raises(SmsUnavailable):
        await HttpSms(url).send("enr_x:1", "+8613800138000", "123456")


async def test_what_has_served_its_time_goes(world: World) -> None:
    person = await world.person()
    await world.risk.grant_device(await world.approve(person, "add_device"))
    await world.risk.begin_sign_in()
    tables = ("ceremony", "device_grant", "enrolment", "code_request")

    async def counts() -> list[int]:
        return [(await SEC.query(f"select count(*) from risk.{t}"))[0][0] for t in tables]

    before = await counts()
    await purge(world.clock)
    assert await counts() == before
    world.clock.move(KEPT + timedelta(minutes=11))
    await purge(world.clock)
    assert await counts() == [0, 0, 0, 0]
