"""Limits come back when the books bear out that a payment never was, and not on anybody's word."""

import asyncio
import time
from datetime import timedelta

import msgspec
import pytest

from backend.clock import FixedClock, SystemClock
from backend.db import SEC
from backend.ledger import InsufficientFunds, NewAccount, Post
from backend.risk.auditor.releases import settle_releases
from backend.risk.service import DemoService, build
from backend.settings import Settings
from tests.risk.auditor.conftest import BANK, Town, Watch
from tests.risk.people import SHOP, Outbox, Person, World


@pytest.fixture
async def world(town: Town, databases: Settings, bank_keys: None) -> World:
    """The security system itself, which signs with the key that the ledger trusts."""
    service = build(msgspec.structs.replace(databases, demo=True), SystemClock(), Outbox())
    assert isinstance(service, DemoService)
    await town.ledger.open_accounts((NewAccount(f"shop:{SHOP}"),))
    return World(service, FixedClock(SystemClock().now()), Outbox())


async def payer(world: World, town: Town, amount_fen: int) -> Person:
    person = await world.demo_person()
    account = f"person:{person.person_id}"
    await town.ledger.open_accounts((NewAccount(account),))
    if amount_fen:
        await town.pay(BANK, account, amount_fen)
    return person


async def free_day(world: World, person: Person, wanted: int) -> None:
    """Waits until the day's free limit is used so far."""
    deadline = time.monotonic() + 5
    while (used := (await world.used(person))["free_day"]) != wanted:
        assert time.monotonic() < deadline, used
        await asyncio.sleep(0.05)


async def test_limits_come_back_when_the_ledger_is_seen_to_refuse(
    world: World, town: Town, watch: Watch
) -> None:
    person = await payer(world, town, 0)
    wanted = world.intent(person, 300_00)
    verdict = await world.free(person, wanted)
    await world.risk.release(wanted.intent_id)
    assert (await world.used(person))["free_day"] == 300_00
    with pytest.raises(InsufficientFunds):
        await town.ledger.post(Post(wanted.posting, verdict))
    await free_day(world, person, 0)
    [row] = await SEC.query("select release_asked_at from risk.reservation")
    assert row["release_asked_at"] is None
    assert await watch.alarms() == []


async def test_paying_and_asking_back_gives_nothing_back(
    world: World, town: Town, watch: Watch
) -> None:
    person = await payer(world, town, 1_000_00)
    wanted = world.intent(person, 300_00)
    verdict = await world.free(person, wanted)
    await world.risk.release(wanted.intent_id)
    since = time.monotonic()
    await town.ledger.post(Post(wanted.posting, verdict))
    assert (await world.used(person))["free_day"] == 300_00
    await watch.alarm_after(since)
    await watch.caught_up()
    await world.risk.release(wanted.intent_id)
    await watch.looked_around()
    [alarm] = await watch.alarms()
    assert (alarm["kind"], alarm["accounts"]) == (
        "posted_after_release",
        [f"person:{person.person_id}"],
    )
    assert (await world.used(person))["free_day"] == 300_00


async def test_a_posting_after_its_release_is_counted_again(
    world: World, town: Town, watch: Watch
) -> None:
    """Given back while no auditor had ever looked, posted with the verdict that was kept."""
    person = await payer(world, town, 1_000_00)
    wanted = world.intent(person, 300_00)
    verdict = await world.free(person, wanted)
    await watch.caught_up()
    await watch.stop()
    [state] = await SEC.query("select system_id from risk.audit_state")
    await SEC.query("update risk.audit_state set system_id = ''")
    await world.risk.release(wanted.intent_id)
    await SEC.query("update risk.audit_state set system_id = $1", state["system_id"])
    assert (await world.used(person))["free_day"] == 0
    await town.ledger.post(Post(wanted.posting, verdict))
    since = time.monotonic()
    await watch.start()
    assert (await watch.alarm_after(since))["kind"] == "posted_after_release"
    assert await watch.frozen() == {f"person:{person.person_id}"}
    assert (await world.used(person))["free_day"] == 300_00


async def test_an_unused_verdict_ends_and_its_limits_come_back(
    world: World, town: Town, watch: Watch
) -> None:
    person = await payer(world, town, 0)
    wanted = world.intent(person, 300_00)
    await world.free(person, wanted)
    await world.risk.release(wanted.intent_id)
    now = SystemClock().now()
    await watch.stop()
    await settle_releases(now + timedelta(seconds=60))
    assert (await world.used(person))["free_day"] == 300_00
    await settle_releases(now + timedelta(seconds=100))
    assert (await world.used(person))["free_day"] == 0
    [row] = await SEC.query("select release_asked_at from risk.reservation")
    assert row["release_asked_at"] is not None  # a posting may still be seen
    await settle_releases(now + timedelta(days=2))
    [row] = await SEC.query("select release_asked_at from risk.reservation")
    assert row["release_asked_at"] is None
