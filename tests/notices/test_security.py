"""What the security system has seen is told to the account's owner, once and whatever happens."""

import asyncio

import pytest

from backend.db import SEC, TX
from backend.risk import Approval, SeenMark
from backend.risk.events import record
from backend.risk.freeze import freeze_accounts
from tests.notices.told import kinds, told
from tests.world import World


async def test_freezing_and_the_way_back_are_told(world: World) -> None:
    anna = await world.person()
    services = world.services
    await services.payments.freeze(anna.person_id, anna.device_secret)
    await services.notices.sweep()
    [frozen] = await told(world, anna)
    assert (frozen.kind, frozen.area, frozen.name) == ("frozen", "security", "test")

    ceremony = await services.risk.begin_approval(anna.person_id, "unfreeze")
    response = anna.passkey.sign(ceremony.options_json)
    await services.risk.unfreeze(Approval(anna.person_id, ceremony.ceremony_id, response))
    await services.notices.sweep()
    assert await kinds(world, anna) == ["unfreeze_asked", "frozen"]

    world.later(hours=13)
    await services.payments.sweep()
    assert await kinds(world, anna) == ["thawed", "unfreeze_asked", "frozen"]
    await services.payments.sweep()
    assert len(await told(world, anna)) == 3


async def test_devices_are_told_by_name_also_when_they_are_gone(world: World) -> None:
    anna = await world.person()
    now = world.clock.now()
    [device] = await world.services.risk.devices(anna.person_id)
    await record(anna.person_id, device.device_id, ["signed_in", "new_device"], now)
    await record(anna.person_id, device.device_id, ["device_removed"], now)
    assert await world.services.notices.sweep() == 2
    assert [(n.kind, n.name, n.ref) for n in await told(world, anna)] == [
        ("device_removed", "test", device.device_id),
        ("device_added", "test", device.device_id),
    ]
    assert await world.services.notices.sweep() == 0


async def test_an_alarm_that_freezes_is_told(world: World) -> None:
    anna = await world.person()
    [row] = await SEC.query(
        "insert into risk.alarm (kind, detail, accounts, raised_at) values"
        " ('test', '', '{}', now()) returning alarm_id"
    )
    accounts = [anna.account_id, "shop:mch_1"]
    for _ in range(2):  # frozen once, told once
        await freeze_accounts(accounts, row["alarm_id"], "alarm", world.clock.now())
    await world.services.notices.sweep()
    assert await kinds(world, anna) == ["frozen"]


async def test_open_pages_learn_it(world: World) -> None:
    anna = await world.person()
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    await world.services.notices.sweep()
    rows = await TX.query(
        "select kind from events.event where topic = $1", f"person:{anna.person_id}"
    )
    assert [row["kind"] for row in rows] == ["frozen"]


async def test_two_workers_tell_it_once(world: World) -> None:
    anna = await world.person()
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    counts = await asyncio.gather(*(world.services.notices.sweep() for _ in range(4)))
    assert sum(counts) == 1
    assert await kinds(world, anna) == ["frozen"]


async def test_while_the_security_system_is_away_it_waits(world: World) -> None:
    anna = await world.person()
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    world.risk.down = True
    assert await world.services.notices.sweep() == 0
    world.risk.heal()
    assert await world.services.notices.sweep() == 1


async def test_what_commits_late_is_not_missed(world: World) -> None:
    """An event of an older transaction that becomes visible after a newer one's was read."""
    anna = await world.person()
    start = (await world.services.risk.seen(SeenMark(0, 0)))[-1].mark
    now = world.clock.now()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with SEC.transaction():
            await record(anna.person_id, "slow", ["frozen"], now)
            begun.set()
            await go_on.wait()

    writer = asyncio.create_task(slow())
    await begun.wait()
    await record(anna.person_id, "fast", ["device_removed"], now)
    early = await world.services.risk.seen(start)
    go_on.set()
    await writer
    after = early[-1].mark if early else start
    late = await world.services.risk.seen(after)
    assert [each.device_id for each in (*early, *late)] == ["slow", "fast"]


@pytest.mark.parametrize("kind", ["signed_in", "wallet_opened", "counter_regression"])
async def test_what_is_for_the_rules_alone_is_not_told(world: World, kind: str) -> None:
    anna = await world.person()
    await record(anna.person_id, "", [kind], world.clock.now())
    assert await world.services.notices.sweep() == 0
    assert await told(world, anna) == []
