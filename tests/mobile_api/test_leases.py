"""Who carries a write out, and whose a lease is once somebody else has taken it over."""

import asyncio
import secrets
from contextvars import Context

import msgspec
import pytest

from backend.db import TX
from backend.idempotency import (
    LEASE,
    SHORT_LEASE,
    Answer,
    Claim,
    Idempotency,
    KeyReused,
    Write,
    WriteRunning,
)
from tests.mobile_api.conftest import Phones
from tests.mobile_api.problem import is_problem
from tests.mobile_api.social import send_packet
from tests.phone import Phone
from tests.world import World

DONE, LATE = Answer(201, (), b"done"), Answer(201, (), b"late")


def _write() -> Write:
    return Write(account="usr_1", route="POST /v1/x", key=secrets.token_hex(16), content=b"a")


async def _claimed(idempotency: Idempotency, write: Write) -> Claim:
    claim = await idempotency.begin(write)
    assert isinstance(claim, Claim)
    return claim


async def _taken_over(world: World, write: Write) -> tuple[Claim, Claim]:
    late = await _claimed(world.services.idempotency, write)
    world.clock.move(LEASE)
    return late, await _claimed(world.services.idempotency, write)


async def test_a_late_release_lets_nobody_in(world: World) -> None:
    idempotency, write = world.services.idempotency, _write()
    late, holder = await _taken_over(world, write)
    await idempotency.release(late)
    with pytest.raises(WriteRunning):
        await idempotency.begin(write)
    await idempotency.release(holder)
    await _claimed(idempotency, write)


async def test_a_late_forget_forgets_nothing(world: World) -> None:
    idempotency, write = world.services.idempotency, _write()
    late, holder = await _taken_over(world, write)
    await idempotency.forget(late)
    with pytest.raises(WriteRunning):
        await idempotency.begin(write)
    with pytest.raises(KeyReused):
        await idempotency.begin(msgspec.structs.replace(write, content=b"b"))
    await idempotency.forget(holder)
    await _claimed(idempotency, msgspec.structs.replace(write, content=b"b"))


async def test_a_late_answer_to_the_same_write_is_the_first(world: World) -> None:
    """Both have the same ids, so either is true; but there is one."""
    idempotency, write = world.services.idempotency, _write()
    late, holder = await _taken_over(world, write)
    assert await idempotency.keep(late, LATE) == LATE
    assert await idempotency.keep(holder, DONE) == LATE
    assert await idempotency.begin(write) == LATE


@pytest.mark.parametrize("kept", [False, True])
async def test_a_late_answer_is_none_to_another_content(world: World, kept: bool) -> None:
    idempotency, write = world.services.idempotency, _write()
    late, holder = await _taken_over(world, write)
    await idempotency.forget(holder)
    mended = msgspec.structs.replace(write, content=b"b")
    claim = await _claimed(idempotency, mended)
    if kept:
        await idempotency.keep(claim, DONE)
    assert await idempotency.keep(late, LATE) == LATE
    assert await idempotency.keep(claim, DONE) == DONE
    assert await idempotency.begin(mended) == DONE


async def test_answers_that_come_together_lock_their_rows_in_order(world: World) -> None:
    idempotency = world.services.idempotency
    claims = [await _claimed(idempotency, _write()) for _ in range(6)]
    claims.sort(key=lambda claim: claim.lookup)
    async with TX.transaction():
        await TX.query(
            "select 1 from idempotency.write where lookup = $1 for update", claims[0].lookup
        )
        keeping = [
            asyncio.create_task(idempotency.keep(claim, DONE), context=Context())
            for claim in reversed(claims)
        ]
        await _somebody_waits()
        # Whoever waits for the first has none of the others.
        others = [claim.lookup for claim in claims[1:]]
        rows = await TX.query(
            "select 1 from idempotency.write where lookup = any($1) for update nowait", others
        )
        assert len(rows) == len(others)
    assert await asyncio.gather(*keeping) == [DONE] * len(claims)


async def test_a_slow_guess_is_one_try(phone: Phone, phones: Phones, world: World) -> None:
    """Opening a packet may be repeated soon after a crash; trying a passcode may not."""
    ben, key = await phones("Ben"), secrets.token_hex(16)
    packet = await send_packet(phone, kind="passcode", passcode="芝麻开门")
    path, guess = f"/v1/red-packets/{packet}/open", {"passcode": "西瓜开门"}
    async with TX.transaction():
        await TX.query("lock table redpacket.tries in exclusive mode")
        slow = asyncio.create_task(ben.post(path, guess, key), context=Context())
        await _somebody_waits()
        world.clock.move(SHORT_LEASE)
        repeated = asyncio.create_task(ben.post(path, guess, key), context=Context())
        is_problem(await repeated, 409, "write_running")
    is_problem(await slow, 422, "passcode_wrong")
    [row] = await TX.query("select wrong from redpacket.tries")
    assert row["wrong"] == 1


async def _somebody_waits() -> None:
    while not await TX.query("select pg_sleep(0.01) from pg_locks where not granted"):
        pass
