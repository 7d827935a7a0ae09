"""Delayed transfers: put aside, recalled or arrived, once; whatever stops half-way."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from backend.errors import NotFound
from backend.transfers import TooLate, Transfer
from tests.transfers.people import Two, a_minute, confirming, news_of, send, sending
from tests.world import Crash, World

TWO_HOURS, A_DAY = timedelta(hours=2), timedelta(hours=24)


async def delayed(world: World, two: Two, delay: timedelta = TWO_HOURS) -> Transfer:
    sent = await send(world, two, delay=delay)
    assert sent.status == "waiting"
    return sent


async def recall(world: World, two: Two, sent: Transfer) -> Transfer:
    return await world.services.transfers.recall(
        two.payer.person_id, sent.transfer_id, two.payer.device_secret
    )


async def seen(world: World, two: Two, sent: Transfer) -> Transfer:
    mine = await world.services.transfers.transfer(two.payer.person_id, sent.transfer_id)
    theirs = await world.services.transfers.transfer(two.payee.person_id, sent.transfer_id)
    assert mine == theirs
    return mine


async def balances(world: World, two: Two, sent: Transfer) -> tuple[int, int, int]:
    """The payer's, the pot's, the payee's."""
    return (
        await world.balance(two.payer.account_id),
        await world.balance(f"escrow:{sent.transfer_id}"),
        await world.balance(two.payee.account_id),
    )


@pytest.mark.parametrize("delay", [TWO_HOURS, A_DAY], ids=str)
async def test_it_waits_and_arrives_by_itself(world: World, two: Two, delay: timedelta) -> None:
    sent = await delayed(world, two, delay)
    assert sent.arrives_at == sent.created_at + delay
    assert await balances(world, two, sent) == (1_912_00, 88_00, 0)
    for wallet in (two.payer, two.payee):
        assert ("transfer_waiting", sent.transfer_id) in await news_of(wallet)
        assert await world.services.transfers.waiting(wallet.person_id) == (sent,)
    world.clock.move(delay - timedelta(seconds=1))
    assert await world.services.transfers.sweep() == 0
    assert (await seen(world, two, sent)).status == "waiting"
    world.later(seconds=1)
    assert await world.services.transfers.sweep() == 1
    assert await world.services.transfers.sweep() == 0
    assert (await seen(world, two, sent)).status == "arrived"
    assert await balances(world, two, sent) == (1_912_00, 0, 88_00)
    bill = await world.services.bills.bill(two.payee.person_id, sent.payment_id)
    assert (bill.direction, bill.amount_fen, bill.status) == ("in", 88_00, "succeeded")
    for wallet in (two.payer, two.payee):
        assert ("transfer_arrived", sent.transfer_id) in await news_of(wallet)


async def test_it_arrives_once_also_after_downtime(world: World, two: Two) -> None:
    sent = await delayed(world, two)
    world.clock.move(timedelta(days=3))
    await asyncio.gather(*(world.services.transfers.sweep() for _ in range(4)))
    assert (await seen(world, two, sent)).status == "arrived"
    assert await balances(world, two, sent) == (1_912_00, 0, 88_00)


async def test_a_large_one_takes_the_passkey_and_then_waits(world: World, two: Two) -> None:
    started = await world.services.transfers.start(sending(two, amount_fen=600_00, delay=TWO_HOURS))
    assert started.transfer.status == "created"
    done = await world.services.transfers.confirm(confirming(two.payer, started))
    assert done.status == "waiting"


async def test_recalled_before_it_arrives(world: World, two: Two) -> None:
    sent = await delayed(world, two)
    world.later(hours=1, minutes=59)
    recalled = await recall(world, two, sent)
    assert recalled.status == "recalled"
    assert await balances(world, two, sent) == (2_000_00, 0, 0)
    assert await recall(world, two, sent) == recalled  # twice is once
    bill = await world.services.bills.bill(two.payer.person_id, sent.payment_id)
    assert bill.refunded_fen == bill.amount_fen
    for wallet in (two.payer, two.payee):
        assert ("transfer_recalled", sent.transfer_id) in await news_of(wallet)
    world.later(hours=1)
    assert await world.services.transfers.sweep() == 0
    assert await balances(world, two, sent) == (2_000_00, 0, 0)


async def test_recalls_at_once_bring_it_back_once(world: World, two: Two) -> None:
    sent = await delayed(world, two)
    answers = await asyncio.gather(
        *(recall(world, two, sent) for _ in range(5)), return_exceptions=True
    )
    assert any(isinstance(answer, Transfer) for answer in answers)
    assert (await recall(world, two, sent)).status == "recalled"
    assert await balances(world, two, sent) == (2_000_00, 0, 0)


async def test_too_late_and_not_mine(world: World, two: Two) -> None:
    sent, direct = await delayed(world, two), await send(world, two, amount_fen=1)
    for wallet in (two.payee, await world.person()):
        with pytest.raises(NotFound):
            await world.services.transfers.recall(
                wallet.person_id, sent.transfer_id, wallet.device_secret
            )
    with pytest.raises(NotFound):  # it never could be
        await recall(world, two, direct)
    with pytest.raises(TooLate):  # due, although no sweep has come by: 13 h have passed
        await recall(world, two, sent)
    await world.services.transfers.sweep()
    with pytest.raises(TooLate):
        await recall(world, two, sent)
    assert (await seen(world, two, sent)).status == "arrived"


async def test_a_recall_needs_the_payer_s_own_device(world: World, two: Two) -> None:
    sent = await delayed(world, two, A_DAY)
    for secret in ("", two.payee.device_secret):
        with pytest.raises(Exception, match="device_unknown"):
            await world.services.transfers.recall(two.payer.person_id, sent.transfer_id, secret)
    assert (await recall(world, two, sent)).status == "recalled"


@pytest.mark.parametrize("who", ["payer", "payee"])
async def test_what_can_t_arrive_goes_home(world: World, two: Two, who: str) -> None:
    sent = await delayed(world, two)
    frozen = getattr(two, who)
    await world.services.payments.freeze(frozen.person_id, frozen.device_secret)
    world.clock.move(TWO_HOURS)
    await a_minute(world)
    assert (await seen(world, two, sent)).status == "recalled"
    assert await balances(world, two, sent) == (2_000_00, 0, 0)


POINTS = [
    ("risk", "crash_before", "authorize_pot_end"),
    ("risk", "crash_after", "authorize_pot_end"),
    ("ledger", "crash_before", "post"),
    ("ledger", "crash_after", "post"),
    ("ledger", "lost", "post"),
    ("ledger", "crash_before", "outcome"),
]


@pytest.mark.parametrize(("system", "fault", "method"), POINTS)
async def test_a_crash_of_an_arrival_ends_in_one_story(
    world: World, two: Two, system: str, fault: str, method: str
) -> None:
    sent = await delayed(world, two)
    world.clock.move(TWO_HOURS)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    await world.services.transfers.sweep()
    line.heal()
    await a_minute(world)
    assert (await seen(world, two, sent)).status == "arrived"
    assert await balances(world, two, sent) == (1_912_00, 0, 88_00)


@pytest.mark.parametrize("again", [True, False], ids=["again", "left"])
@pytest.mark.parametrize("late", [True, False], ids=["late", "early"])
@pytest.mark.parametrize(("system", "fault", "method"), POINTS)
async def test_a_crash_of_a_recall_ends_in_one_story(
    world: World, two: Two, system: str, fault: str, method: str, *, late: bool, again: bool
) -> None:
    """Whether its time comes meanwhile, and whether the payer tries again."""
    sent = await delayed(world, two)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    with pytest.raises((Crash, Exception)):
        await recall(world, two, sent)
    line.heal()
    if late:
        world.clock.move(TWO_HOURS)
    if again and not late:
        assert (await recall(world, two, sent)).status == "recalled"
    await a_minute(world)
    world.clock.move(TWO_HOURS)
    await a_minute(world)
    end = (await seen(world, two, sent)).status
    assert end in ("recalled", "arrived")
    decided = (fault, method) not in {
        ("crash_before", "authorize_pot_end"),
        ("crash_before", "outcome"),
    }
    assert (end == "recalled") == (decided or (again and not late))
    home, there = (2_000_00, 0) if end == "recalled" else (1_912_00, 88_00)
    assert await balances(world, two, sent) == (home, 0, there)


@pytest.mark.parametrize(
    ("system", "fault", "method"),
    [
        ("risk", "crash_after", "prepare"),
        ("risk", "crash_after", "authorize"),
        ("ledger", "crash_before", "post"),
        ("ledger", "crash_after", "post"),
        ("ledger", "lost", "post"),
    ],
)
@pytest.mark.parametrize("delay", [timedelta(0), TWO_HOURS], ids=str)
async def test_a_crash_while_paying_ends_in_one_story(
    world: World, two: Two, system: str, fault: str, method: str, delay: timedelta
) -> None:
    line = getattr(world, system)
    getattr(line, fault).add(method)
    start = sending(two, delay=delay)
    with pytest.raises((Crash, Exception)):
        await world.services.transfers.start(start)
    line.heal()
    await a_minute(world)
    world.later(minutes=16)  # the form's time is over
    await a_minute(world)
    mine = await world.services.transfers.transfer(two.payer.person_id, start.transfer_id)
    paid = 88_00 if mine.status in ("arrived", "waiting") else 0
    assert mine.status in ("waiting" if delay else "arrived", "lapsed")
    assert (mine.status == "lapsed") == (method in ("prepare", "authorize"))
    assert await world.balance(two.payer.account_id) == 2_000_00 - paid
    world.clock.move(TWO_HOURS)
    await a_minute(world)
    assert await world.balance(two.payee.account_id) == paid


@pytest.mark.parametrize("system", ["risk", "ledger"])
async def test_nothing_moves_while_a_system_is_away(world: World, two: Two, system: str) -> None:
    sent = await delayed(world, two)
    world.clock.move(TWO_HOURS)
    line = getattr(world, system)
    line.down = True
    for _ in range(3):
        await world.services.transfers.sweep()
        world.later(seconds=30)
    assert (await seen(world, two, sent)).status == "waiting"
    line.heal()
    await a_minute(world)
    assert (await seen(world, two, sent)).status == "arrived"


async def test_the_database_knows_no_other_ways(
    world: World, two: Two, owner_of_tables: asyncpg.Connection
) -> None:
    sent = await delayed(world, two, A_DAY)
    for change in (
        "status = 'created'",
        "status = 'lapsed', ended_at = now()",
        "amount_fen = 1",
        "payee_id = payer_id",
        "arrives_at = now()",
        "status = 'arrived'",  # without its moment
    ):
        with pytest.raises(asyncpg.PostgresError):
            await owner_of_tables.execute(
                f"update transfers.transfer set {change} where transfer_id = $1",
                sent.transfer_id,
            )
    await recall(world, two, sent)
    with pytest.raises(asyncpg.PostgresError, match="no way from recalled"):
        await owner_of_tables.execute("update transfers.transfer set status = 'arrived'")
