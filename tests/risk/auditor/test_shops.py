"""Refunds and payouts in the books: the auditor takes the real ones, and no other."""

import asyncio
import time

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock, SystemClock
from backend.db import SEC
from backend.intent import Intent
from backend.ledger import InsufficientFunds, NewAccount, Post
from backend.posting import Posting, Transfer
from backend.risk import AuthorizeRefund, PaymentNotSeen, PrepareRefund
from backend.risk.service import DemoService, build
from backend.settings import Settings
from backend.verdict import SignedVerdict
from tests.risk.auditor.conftest import ANN, BANK, SHOP, Town, Watch
from tests.risk.auditor.test_forgery import expect, forge
from tests.risk.people import Outbox, Person, World, found_shop
from tests.risk.refunding import Sale, refund_of
from tests.risk.test_payouts import DUE_FEN, choose, payout, returned

PAYOUT = "bank:payout"


@pytest.fixture
async def world(town: Town, databases: Settings, bank_keys: None) -> World:
    """The security system itself, which signs with the key that the ledger trusts."""
    outbox = Outbox()
    clock = FixedClock(SystemClock().now())
    service = build(msgspec.structs.replace(databases, demo=True), SystemClock(), outbox)
    assert isinstance(service, DemoService)
    await town.ledger.open_accounts((NewAccount("fee:income", None), NewAccount(PAYOUT)))
    return World(service, clock, outbox)


async def shop_of(world: World, town: Town) -> tuple[Person, str]:
    owner = await world.person()
    shop_id = await found_shop(world, owner)
    await town.ledger.open_accounts((NewAccount(f"shop:{shop_id}"),))
    return owner, shop_id


async def sold(world: World, town: Town, amount_fen: int = 100_00) -> Sale:
    owner, shop_id = await shop_of(world, town)
    payer = await world.demo_person()
    account = f"person:{payer.person_id}"
    await town.ledger.open_accounts((NewAccount(account),))
    await town.pay(BANK, account, amount_fen)
    paid = world.intent(payer, amount_fen, shop_id)
    await town.ledger.post(Post(paid.posting, await world.free(payer, paid)))
    return Sale(owner, payer, shop_id, paid)


async def allowed(world: World, asked: PrepareRefund) -> SignedVerdict:
    await world.risk.prepare_refund(asked)
    call = AuthorizeRefund(asked.intent.intent_id, asked.actor_id, asked.device_secret)
    return await world.risk.authorize_refund(call)


async def with_card(world: World, town: Town) -> Intent:
    """A payout that the shop has the money for."""
    owner, shop_id = await shop_of(world, town)
    await choose(world, shop_id, owner)
    await town.pay(BANK, f"shop:{shop_id}", DUE_FEN)
    return payout(world, shop_id, owner)


async def test_refunds_payouts_and_returns_are_lawful(
    world: World, town: Town, watch: Watch
) -> None:
    asked = refund_of(world, await sold(world, town), 40_00)
    await town.ledger.post(Post(asked.intent.posting, await allowed(world, asked)))
    out = await with_card(world, town)
    await town.ledger.post(Post(out.posting, await world.risk.authorize_payout(out)))
    back = returned(world, out)
    signed = await world.risk.authorize_payout_return(back)
    await town.ledger.post(Post(back.intent.posting, signed))
    await watch.caught_up()
    await watch.looked_around()
    assert await watch.alarms() == []


async def test_what_was_allowed_and_never_posted_is_not_refunded(
    world: World, town: Town, watch: Watch
) -> None:
    owner, shop_id = await shop_of(world, town)
    payer = await world.demo_person()
    await town.ledger.open_accounts((NewAccount(f"person:{payer.person_id}"),))
    await town.pay(BANK, f"person:{payer.person_id}", 100_00)
    paid = world.intent(payer, 100_00, shop_id)
    verdict = await world.free(payer, paid)
    await watch.caught_up()
    asked = refund_of(world, Sale(owner, payer, shop_id, paid), 100_00)
    with pytest.raises(PaymentNotSeen) as refusal:
        await world.risk.prepare_refund(asked)
    assert refusal.value.retryable
    await town.ledger.post(Post(paid.posting, verdict))
    await allowed(world, asked)  # at once: the auditor is waited for


async def test_a_forged_refund(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """With the verdict of a smaller one."""
    sale = await sold(world, town)
    small, large = refund_of(world, sale, 1_00), refund_of(world, sale, 100_00)
    signed = await allowed(world, small)
    since = time.monotonic()
    await forge(root, large.intent.posting, signed)
    shop, person = f"shop:{sale.shop_id}", f"person:{sale.payer.person_id}"
    await expect(watch, since, "verdict_invalid", {shop, person})


async def test_a_refund_without_a_verdict(
    town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    await town.pay(ANN, SHOP, 50_00)
    since = time.monotonic()
    back = Posting(ids.new("rfd"), "refund", (Transfer(SHOP, ANN, 50_00),))
    await forge(root, back, None)
    await expect(watch, since, "verdict_missing", {SHOP, ANN})


async def test_a_forged_payout(
    world: World, town: Town, watch: Watch, root: asyncpg.Connection
) -> None:
    """The same payout once more, under another id."""
    out = await with_card(world, town)
    signed = await world.risk.authorize_payout(out)
    await town.ledger.post(Post(out.posting, signed))
    await town.pay(BANK, out.source, DUE_FEN)
    await watch.caught_up()
    since = time.monotonic()
    await forge(root, msgspec.structs.replace(out.posting, posting_id=ids.new("pyo")), None)
    await expect(watch, since, "verdict_missing", {out.source, PAYOUT})


async def test_a_released_refund_counts_until_the_books_bear_it_out(
    world: World, town: Town, watch: Watch
) -> None:
    sale = await sold(world, town)
    asked = refund_of(world, sale, 100_00)
    verdict = await allowed(world, asked)
    await town.pay(f"shop:{sale.shop_id}", ANN, 100_00)  # the shop has spent it
    await watch.caught_up()
    await world.risk.release(asked.intent.intent_id)
    assert await released(asked) is False
    with pytest.raises(InsufficientFunds):
        await town.ledger.post(Post(asked.intent.posting, verdict))
    deadline = time.monotonic() + 5
    while not await released(asked):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await allowed(world, refund_of(world, sale, 100_00))
    assert await watch.alarms() == []


async def test_refunding_and_asking_back_freezes_the_shop(
    world: World, town: Town, watch: Watch
) -> None:
    sale = await sold(world, town)
    asked = refund_of(world, sale, 100_00)
    verdict = await allowed(world, asked)
    await watch.caught_up()
    await world.risk.release(asked.intent.intent_id)
    since = time.monotonic()
    await town.ledger.post(Post(asked.intent.posting, verdict))
    alarm = await watch.alarm_after(since)
    assert alarm["kind"] == "posted_after_release"
    assert await watch.frozen() == {f"shop:{sale.shop_id}"}
    assert await released(asked) is False


async def released(asked: PrepareRefund) -> bool:
    [row] = await SEC.query(
        "select released_at from risk.reservation where intent_id = $1", asked.intent.intent_id
    )
    return row["released_at"] is not None
