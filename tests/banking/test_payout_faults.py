"""The process dies between any two steps of a payout, a part is away: it ends all the same."""

import asyncpg
import pytest

from backend.banking import TRANSIT_LIFE
from backend.errors import OutcomeUnknown, Unavailable
from backend.ledger import AccountFrozen
from tests.banking.conftest import Crash, World
from tests.banking.shops import TAKINGS, Shop, check_books, open_shop, seen, until_ended

OUT = [
    ("ledger", "before", "outcome"),
    ("risk", "before", "authorize_payout"),
    ("risk", "after", "authorize_payout"),
    ("ledger", "before", "post#1"),
    ("ledger", "after", "post#1"),
    ("bank", "before", "find"),
    ("bank", "before", "pay_out"),
    ("bank", "after", "pay_out"),
    ("ledger", "before", "post#2"),
    ("ledger", "after", "post#2"),
    ("events", "before", "record"),
    ("events", "after", "record"),
]
BACK = [
    ("risk", "before", "authorize_payout_return"),
    ("risk", "after", "authorize_payout_return"),
    ("ledger", "before", "post#2"),
    ("ledger", "after", "post#2"),
    ("events", "before", "record"),
    ("events", "after", "record"),
]


async def ends_within_a_minute(world: World, shop: Shop, status: str) -> None:
    start = shop.payout()
    for _ in range(4):
        await world.sweep()
    connection = await asyncpg.connect(world.settings.tx_url)
    rows = await connection.fetch("select status from banking.payout")
    await connection.close()
    assert [row["status"] for row in rows] == [status]
    paid = start.amount_fen if status == "paid" else 0
    assert await world.balance(shop.account) == TAKINGS - paid
    await check_books(world, shop)


@pytest.mark.parametrize(("part", "when", "call"), OUT)
async def test_a_crash_loses_nothing(world: World, part: str, when: str, call: str) -> None:
    shop = await open_shop(world)
    world.deaf = True
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.pay_out(shop.payout())
    world.heal()
    await ends_within_a_minute(world, shop, "paid")


@pytest.mark.parametrize(("part", "when", "call"), BACK)
async def test_a_crash_on_the_way_back_loses_nothing(
    world: World, part: str, when: str, call: str
) -> None:
    shop = await open_shop(world, "0009")
    world.deaf = True
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.pay_out(shop.payout())
    world.heal()
    await ends_within_a_minute(world, shop, "returned")


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown()])
@pytest.mark.parametrize(
    ("part", "call"),
    [("ledger", "post"), ("ledger", "outcome"), ("risk", "authorize_payout")],
)
async def test_a_lost_answer_pays_once(
    world: World, part: str, call: str, error: Exception
) -> None:
    shop = await open_shop(world)
    world.deaf = True
    getattr(world, part).after[call] = error
    start = shop.payout()
    await world.banking.pay_out(start)
    await world.sweep()
    world.heal()
    assert (await until_ended(world, start)).status == "paid"
    assert await world.balance(shop.account) == TAKINGS - 100_00
    await check_books(world, shop)


async def test_while_the_security_system_is_away_nothing_leaves(world: World) -> None:
    """And what it did not allow by the deadline is refused for good."""
    shop = await open_shop(world)
    start = shop.payout()
    world.risk.down = True
    assert (await world.banking.pay_out(start)).status == "created"
    assert await world.balance(shop.account) == TAKINGS
    world.clock.move(TRANSIT_LIFE.total_seconds())
    await world.sweep()
    payout = await seen(world, start)
    assert (payout.status, payout.refusal_code) == ("refused", "unavailable")
    world.heal()
    await world.sweep()
    await check_books(world, shop)


async def test_a_return_waits_for_the_security_system(world: World) -> None:
    shop = await open_shop(world, "0009")
    start = shop.payout()
    world.risk.before["authorize_payout_return"] = Unavailable()
    assert (await world.banking.pay_out(start)).status == "posted"
    world.clock.move(3600)
    await world.sweep()
    assert (await seen(world, start)).status == "posted"
    assert await world.balance("bank:payout") == 100_00
    assert await world.custody() == -await world.balance("bank:clearing")
    world.heal()
    assert (await until_ended(world, start)).status == "returned"
    await check_books(world, shop)


async def test_frozen_company_accounts_only_delay(world: World) -> None:
    shop = await open_shop(world)
    await world.books.set_frozen(("bank:payout",), True)
    start = shop.payout()
    assert (await world.banking.pay_out(start)).status == "posted"
    await world.sweep()
    assert (await seen(world, start)).status == "posted"
    await world.books.set_frozen(("bank:payout",), False)
    assert (await until_ended(world, start)).status == "paid"
    await check_books(world, shop)


async def test_a_shop_that_is_frozen_in_the_books_keeps_its_money(world: World) -> None:
    shop = await open_shop(world)
    await world.books.set_frozen((shop.account,), True)
    payout = await world.banking.pay_out(shop.payout())
    assert (payout.status, payout.refusal_code) == ("refused", AccountFrozen.code)
    await check_books(world, shop)


FORBIDDEN = [
    "update banking.payout set status = 'paid', ended_at = now()",
    "update banking.payout set status = 'returned', refusal_code = 'x', ended_at = now()",
    "update banking.payout set status = 'created'",
    "update banking.payout set amount_fen = amount_fen + 1",
    "update banking.payout set card_id = 'crd_other'",
    "update banking.payout set shop_id = 'mch_other'",
    "update banking.payout set disputed = 'due'",
    "update banking.payout set deadline_at = deadline_at + interval '1 day'",
    "delete from banking.payout",
    "truncate banking.payout",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
async def test_the_service_role_may_not(world: World, sql: str) -> None:
    shop = await open_shop(world, "0006")
    world.deaf = True
    assert (await world.banking.pay_out(shop.payout())).status == "posted"
    connection = await asyncpg.connect(world.settings.tx_url)
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute(sql)
    await connection.close()
