"""Pots in the books: the auditor takes the real ones, and no other."""

import time

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock, SystemClock
from backend.intent import Intent
from backend.ledger import NewAccount, Post
from backend.posting import Posting, Transfer
from backend.risk import Authorize, Prepare
from backend.risk.service import DemoService, build
from backend.settings import Settings
from tests.risk.auditor.conftest import BANK, Town, Watch
from tests.risk.auditor.test_forgery import expect, forge
from tests.risk.people import Outbox, Person, World
from tests.risk.pots import delayed, ended, packet, shares, terms


@pytest.fixture
async def world(town: Town, databases: Settings, bank_keys: None) -> World:
    """The security system itself, which signs with the key that the ledger trusts."""
    outbox = Outbox()
    service = build(msgspec.structs.replace(databases, demo=True), SystemClock(), outbox)
    assert isinstance(service, DemoService)
    return World(service, FixedClock(SystemClock().now()), outbox)


async def someone(world: World, town: Town, fen: int = 0) -> Person:
    person = await world.demo_person()
    account = f"person:{person.person_id}"
    await town.ledger.open_accounts((NewAccount(account),))
    if fen:
        await town.pay(BANK, account, fen)
    return person


async def filled(world: World, town: Town, sender: Person, funding: Intent) -> Intent:
    await town.ledger.open_accounts((NewAccount(funding.posting.transfers[0].credit),))
    await world.risk.prepare(Prepare(funding, sender.secret))
    signed = await world.risk.authorize(Authorize(funding.intent_id, sender.secret))
    await town.ledger.post(Post(funding.posting, signed))
    return funding


async def test_packets_recalls_and_shares_are_lawful(
    world: World, town: Town, watch: Watch
) -> None:
    sender, ann = await someone(world, town, 100_00), await someone(world, town)
    red = await filled(world, town, sender, packet(world, sender, 30_00, terms(world, shares=1)))
    trf = await filled(world, town, sender, delayed(world, sender, ann))
    share = shares(red, (ann, 29_00))
    await town.ledger.post(Post(share.intent.posting, await world.risk.authorize_shares(share)))
    for end in (ended(red, 1_00), ended(trf, 30_00, device=sender)):
        await town.ledger.post(Post(end.intent.posting, await world.risk.authorize_pot_end(end)))
    await watch.caught_up()
    assert await watch.alarms() == []


async def test_a_forged_share(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """Nobody gave leave for it."""
    sender, ann = await someone(world, town, 100_00), await someone(world, town)
    red = await filled(world, town, sender, packet(world, sender))
    share = shares(red, (ann, 10_00)).intent
    since = time.monotonic()
    await forge(root, share.posting, None)
    accounts = {share.source, f"person:{ann.person_id}"}
    await expect(watch, since, "verdict_missing", accounts)


async def test_a_share_beyond_the_promise(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """With the verdict of a smaller one."""
    sender, ann = await someone(world, town, 100_00), await someone(world, town)
    red = await filled(world, town, sender, packet(world, sender))
    small = shares(red, (ann, 1_00))
    signed = await world.risk.authorize_shares(small)
    posting = small.intent.posting
    large = msgspec.structs.replace(posting.transfers[0], amount_fen=30_00)
    since = time.monotonic()
    await forge(root, msgspec.structs.replace(posting, transfers=(large,)), signed)
    accounts = {small.intent.source, f"person:{ann.person_id}"}
    await expect(watch, since, "verdict_invalid", accounts)


async def test_a_forged_return(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """A delayed transfer is taken home a second time, by somebody else."""
    sender, ann = await someone(world, town, 100_00), await someone(world, town)
    trf = await filled(world, town, sender, delayed(world, sender, ann))
    source = trf.posting.transfers[0].credit
    astray = Posting(
        ids.new("end"), "pot_return", (Transfer(source, f"person:{ann.person_id}", 30_00),)
    )
    since = time.monotonic()
    await forge(root, astray, None)
    await expect(watch, since, "verdict_missing", {source, f"person:{ann.person_id}"})


async def test_posting_shares_that_were_asked_back_freezes_the_pot(
    world: World, town: Town, watch: Watch
) -> None:
    sender, ann = await someone(world, town, 100_00), await someone(world, town)
    red = await filled(world, town, sender, packet(world, sender))
    share = shares(red, (ann, 10_00))
    signed = await world.risk.authorize_shares(share)
    await watch.caught_up()
    await world.risk.release(share.intent.intent_id)
    since = time.monotonic()
    await town.ledger.post(Post(share.intent.posting, signed))
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "posted_after_release"
    assert await watch.frozen() == {share.intent.source}
