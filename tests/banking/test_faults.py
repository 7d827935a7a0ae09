"""The process dies between any two steps, a part is away: after healing every top-up ends."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from backend import ids
from backend.banking import TRANSIT_LIFE, BankUnavailable, StartTopUp
from backend.banking.rules import arrival
from backend.errors import OutcomeUnknown, Unavailable
from backend.ledger import AccountFrozen, Post, VerdictRequired
from backend.posting import Posting, Transfer
from backend.risk import BankWordInvalid
from tests.banking.conftest import Crash, World, until

STEPS = [
    ("bank", "before", "debit"),
    ("bank", "after", "debit"),
    ("ledger", "before", "open_accounts"),
    ("ledger", "after", "open_accounts"),
    ("ledger", "before", "post#1"),
    ("ledger", "after", "post#1"),
    ("risk", "before", "authorize_top_up"),
    ("risk", "after", "authorize_top_up"),
    ("ledger", "before", "post#2"),
    ("ledger", "after", "post#2"),
    ("events", "before", "record_all"),
    ("events", "after", "record_all"),
]


async def ends_within_a_minute(world: World, start: StartTopUp) -> None:
    """The worker sweeps every few seconds; a minute is 4 of these sweeps."""
    for _ in range(4):
        await world.sweep()
        if (await world.seen(start)).status == "posted":
            break
    assert (await world.seen(start)).status == "posted"
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


@pytest.mark.parametrize(("part", "when", "call"), STEPS)
async def test_a_crash_loses_nothing(world: World, part: str, when: str, call: str) -> None:
    world.deaf = True
    start = await world.order()
    world.heal()
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.top_up(start)
    world.heal()
    await ends_within_a_minute(world, start)


@pytest.mark.parametrize(("part", "when", "call"), STEPS[2:])
async def test_a_crash_in_the_call_back_loses_nothing(
    world: World, part: str, when: str, call: str
) -> None:
    world.deaf = True
    start = await world.order("0006")
    await world.banking.top_up(start)

    async def paid() -> bool:
        return await world.custody() > 0

    await until(paid)
    world.heal()
    getattr(getattr(world, part), when)[call] = Crash()
    with pytest.raises(Crash):
        await world.banking.bank_said(world.word(**msgspec.structs.asdict(start)))
    world.heal()
    await ends_within_a_minute(world, start)


async def test_a_crash_before_the_bank_was_asked_takes_no_money(world: World) -> None:
    start = await world.order()
    assert await world.banking._topups._insert(start)
    assert (await world.seen(start)).status == "created"
    await world.sweep()
    topup = await world.seen(start)
    assert (topup.status, topup.refusal_code) == ("refused", "bank_unavailable")
    assert (await world.banking.top_up(start)).status == "refused"
    assert world.bank.calls.count("debit") == 0
    await world.check_books(start.person_id)


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown()])
@pytest.mark.parametrize(
    ("part", "call"),
    [("ledger", "post"), ("ledger", "outcome"), ("risk", "authorize_top_up")],
)
async def test_a_lost_answer_is_found_out(
    world: World, part: str, call: str, error: Exception
) -> None:
    world.deaf = True
    start = await world.order()
    getattr(world, part).after[call] = error
    assert (await world.banking.top_up(start)).status == "paid"
    await world.sweep()
    world.heal()
    await ends_within_a_minute(world, start)


@pytest.mark.parametrize("part", ["risk", "ledger"])
async def test_money_waits_in_transit_while_a_part_is_down(world: World, part: str) -> None:
    start = await world.order()
    getattr(world, part).down = True
    assert (await world.banking.top_up(start)).status == "paid"
    world.clock.move(3600)
    for _ in range(3):
        await world.sweep()
    assert (await world.seen(start)).status == "paid"
    assert await world.wallet(start) == 0
    if part == "risk":  # the books know that it has come
        assert await world.balance("bank:transit") == 100_00
        assert await world.balance("bank:clearing") == -await world.custody()
    world.heal()
    await ends_within_a_minute(world, start)


async def test_a_flapping_world_credits_once(world: World) -> None:
    world.deaf = True
    start = await world.order("0003")
    for part, when, call in STEPS[2:]:
        getattr(getattr(world, part), when)[call] = Unavailable()
        await world.banking.top_up(start)
        await world.sweep()
        await asyncio.sleep(0.2)
        world.heal()
    await world.until(start, "posted")
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


async def test_the_bank_is_away_while_its_answer_is_awaited(
    world: World, bank_stopped: Callable[[], Awaitable[None]]
) -> None:
    world.deaf = True
    start = await world.order("0003")
    assert (await world.banking.top_up(start)).status == "pending"
    await bank_stopped()
    world.clock.move(2 * TRANSIT_LIFE.total_seconds())
    for _ in range(3):
        await world.sweep()
    assert (await world.seen(start)).status == "pending"  # only the bank knows


async def test_one_top_up_that_fails_does_not_hold_up_the_others(world: World) -> None:
    world.deaf = True
    starts = [await world.order("0006") for _ in range(3)]
    for start in starts:
        await world.banking.top_up(start)
    world.bank.before["find#1"] = RuntimeError("a bug")
    for start in starts:
        await world.until(start, "posted")
    await world.check_books(*(start.person_id for start in starts))


async def test_a_frozen_wallet_takes_in_what_its_owner_tops_up(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    await world.books.set_frozen((f"person:{start.person_id}",), True)
    again = msgspec.structs.replace(start, topup_id=ids.new("top"))
    assert (await world.banking.top_up(again)).status == "posted"
    assert await world.wallet(start) == 200_00
    await world.check_books(start.person_id)


async def refuse_for_good(world: World, start: StartTopUp) -> None:
    """The ledger has said no to this id, and that stands."""
    credit = Transfer("bank:transit", f"person:{start.person_id}", start.amount_fen)
    with pytest.raises(VerdictRequired):
        await world.books.post(Post(Posting(start.topup_id, "topup", (credit,))))


async def test_what_the_ledger_refuses_goes_back_to_the_card(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    again = msgspec.structs.replace(start, topup_id=ids.new("top"))
    await refuse_for_good(world, again)
    topup = await world.banking.top_up(again)
    assert (topup.status, topup.refusal_code) == ("refused", "verdict_required")
    assert topup.reversal == "returned"
    bill = await world.bills.bill(start.person_id, again.topup_id)
    assert (bill.status, bill.refusal_code) == ("refused", "verdict_required")
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


async def test_a_return_that_is_interrupted_is_finished_once(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    again = msgspec.structs.replace(start, topup_id=ids.new("top"))
    await refuse_for_good(world, again)
    world.bank.before["refund"] = Unavailable()
    topup = await world.banking.top_up(again)
    assert (topup.status, topup.reversal) == ("refused", "due")
    assert await world.balance("bank:transit") == 100_00
    world.heal()
    world.bank.after["refund"] = OutcomeUnknown()
    await world.sweep()
    assert (await world.seen(again)).reversal == "due"
    world.heal()
    await world.sweep()
    assert (await world.seen(again)).reversal == "returned"
    await world.sweep()
    await world.check_books(start.person_id)


async def test_frozen_company_accounts_only_delay(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(await world.order())  # opens the accounts
    await world.books.set_frozen(("bank:transit",), True)
    assert (await world.banking.top_up(start)).status == "paid"
    await world.sweep()
    assert (await world.seen(start)).status == "paid"
    await world.books.set_frozen(("bank:transit",), False)
    await world.until(start, "posted")


async def test_an_arrival_that_was_refused_for_good_has_another_try(world: World) -> None:
    first, start = await world.order(), await world.order()
    await world.banking.top_up(first)
    await world.books.set_frozen(("bank:clearing",), True)
    with pytest.raises(AccountFrozen):
        await world.books.post(Post(arrival(start.topup_id, 100_00, 0)))
    await world.books.set_frozen(("bank:clearing",), False)
    assert (await world.banking.top_up(start)).status == "posted"
    await world.check_books(first.person_id, start.person_id)


async def test_what_risk_refuses_until_the_deadline_goes_back(world: World) -> None:
    start = await world.order()
    world.risk.before["authorize_top_up"] = BankWordInvalid()
    assert (await world.banking.top_up(start)).status == "paid"
    await world.sweep()
    assert (await world.seen(start)).status == "paid"
    world.clock.move(TRANSIT_LIFE.total_seconds())
    await world.sweep()
    topup = await world.seen(start)
    assert (topup.status, topup.refusal_code) == ("refused", "verdict_required")
    assert topup.reversal == "returned"
    world.heal()
    await world.banking.bank_said(world.word(**msgspec.structs.asdict(start)))
    await world.sweep()
    assert await world.wallet(start) == 0
    await world.check_books(start.person_id)


async def test_an_asker_that_overslept_does_not_refuse_what_was_asked_meanwhile(
    world: World,
) -> None:
    """It finds no connection, but the sweeper had one while it slept."""
    world.deaf = True
    start = await world.order("0006")
    debit = world.bank._inner.debit

    async def overslept(*args: object) -> object:
        world.bank._inner.debit = debit
        await world.sweep()
        raise BankUnavailable()

    world.bank._inner.debit = overslept
    assert (await world.banking.top_up(start)).status == "pending"
    await world.until(start, "posted")
    await world.check_books(start.person_id)
