"""What goes back by itself waits for what is in its way, and ends as people's task after a day."""

import pytest

from backend import ids
from backend.db import SEC, TX
from backend.errors import OutcomeUnknown
from backend.ledger import AccountFrozen, Balance, Post
from backend.payments import ChargeCode
from backend.risk.auditor.releases import settle_releases
from tests.payments.test_halfway import a_minute
from tests.payments.test_late import back, came_too_late, gone_back, notices
from tests.payments.till import Till, a_till
from tests.world import Wallet, World


@pytest.fixture
async def audited(world: World) -> None:
    """An auditor follows the books, and is a moment behind: it has seen what `seen_by_it` says."""
    await SEC.query("update risk.audit_state set system_id = '7'")


async def seen_by_it(posting_id: str, journal_seq: int) -> None:
    """journal_seq 0: the books refused it."""
    await SEC.query("insert into risk.audit_posting values ($1, $2, null)", posting_id, journal_seq)


async def posted_late(world: World, till: Till, payer: Wallet) -> ChargeCode:
    one = await came_too_late(world, till, payer)
    assert await back(till, one) == ("unknown", "")
    await seen_by_it(one.payment_id, 1)
    world.later(seconds=10)
    return one


@pytest.mark.usefixtures("audited")
async def test_what_a_refused_reversal_had_reserved_is_waited_for(world: World) -> None:
    """The books were away longer than its verdict lived, and its end has not been seen yet."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await posted_late(world, till, payer)
    world.ledger.lost = {"post", "outcome"}
    real = world.ledger.__getattr__("post")

    async def away(_: Post) -> object:
        raise OutcomeUnknown()

    world.ledger.post = away  # type: ignore[attr-defined]
    await world.services.payments.sweep()
    world.later(seconds=90)
    world.ledger.post = real  # type: ignore[attr-defined]
    world.ledger.heal()
    for _ in range(3):
        await world.services.payments.sweep()
        assert await back(till, one) == ("unknown", "")
        world.later(seconds=25)
    [first] = await TX.query(
        "select refund_id from payments.refund where payment_id = $1 and refusal_code = $2",
        one.payment_id,
        "verdict_expired",
    )
    await seen_by_it(first["refund_id"], 0)
    await settle_releases(world.clock.now())
    await a_minute(world)
    await gone_back(till, payer, one)


@pytest.mark.usefixtures("audited")
async def test_what_a_cashiers_refused_refund_had_reserved_is_waited_for(world: World) -> None:
    till, payer = await a_till(world), await world.person(100_00)
    one = await posted_late(world, till, payer)
    account = f"shop:{till.shop.shop_id}"
    await world.books.set_frozen((account,), True)
    by_hand = till.giving_back(one.payment_id, 3_00)
    with pytest.raises(AccountFrozen):
        await world.services.payments.refund(by_hand)
    await world.books.set_frozen((account,), False)
    for _ in range(3):
        world.later(seconds=25)
        await world.services.payments.sweep()
        assert await back(till, one) == ("unknown", "")
    await seen_by_it(by_hand.refund_id, 0)
    await settle_releases(world.clock.now())
    await a_minute(world)
    await gone_back(till, payer, one)


async def test_the_till_is_told_that_the_shop_lacks_the_money(world: World) -> None:
    """After a day the payer and the shop are told that it did not go back."""
    till, payer = await a_till(world), await world.person(100_00)
    one = await came_too_late(world, till, payer)

    async def paid_out(account_ids: tuple[str, ...]) -> tuple[Balance, ...]:
        return tuple(Balance(account_id, 0, 0, 0, False) for account_id in account_ids)

    world.ledger.balances = paid_out  # type: ignore[attr-defined]
    await a_minute(world)
    truth = await till.charged(one)
    assert (truth.state, truth.waits_for) == ("unknown", "insufficient_balance")
    payments = world.services.payments
    assert await payments.kept(till.shop.shop_id) == ()
    world.later(hours=24)
    await a_minute(world)
    del world.ledger.balances
    assert await back(till, one) == ("succeeded", "")
    assert await payments.kept(till.shop.shop_id) == (one.order.order_id,)
    assert await payments.kept(ids.new("mch")) == ()
    [told] = [each for each in await notices(world, payer) if each.kind == "payment_kept"]
    assert (told.ref, told.state, told.amount_fen) == (one.payment_id, "", 23_00)
    await payments.refund(till.giving_back(one.payment_id, 1_00))
    assert await payments.kept(till.shop.shop_id) == ()
    [told] = [each for each in await notices(world, payer) if each.kind == "payment_kept"]
    assert told.state == "settled"
