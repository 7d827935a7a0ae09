"""Every way a top-up can go. After each: credited once or not at all, and books equal to bank."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from backend import ids, keys
from backend.banking import (
    MAX_DAY_FEN,
    MAX_IN_TRANSIT,
    MAX_TOPUP_FEN,
    TRANSIT_LIFE,
    CardNotBound,
    StartTopUp,
)
from backend.errors import BadRequest, IdReused, NotFound
from backend.risk import BankWordInvalid, LimitExceeded
from tests.banking.conftest import World, until


def fields(start: StartTopUp) -> dict[str, Any]:
    return msgspec.structs.asdict(start)


async def test_a_top_up_is_credited_at_once(world: World) -> None:
    start = await world.order(amount_fen=123_45)
    topup = await world.banking.top_up(start)
    assert topup.status == "posted"
    assert topup.posted_at is not None
    assert await world.wallet(start) == 123_45
    bill = await world.bills.bill(start.person_id, start.topup_id)
    assert (bill.status, bill.direction, bill.amount_fen) == ("succeeded", "in", 123_45)
    assert (bill.counterparty, bill.method) == ("沙箱工商银行", "card:0001")
    await world.check_books(start.person_id)


async def test_a_refusal_moves_nothing_and_stays(world: World) -> None:
    for last4, code in (("0002", "card_funds"), ("0009", "card_blocked")):
        start = await world.order(last4)
        topup = await world.banking.top_up(start)
        assert (topup.status, topup.refusal_code) == ("refused", code)
        assert (await world.banking.top_up(start)).status == "refused"
        bill = await world.bills.bill(start.person_id, start.topup_id)
        assert (bill.status, bill.refusal_code) == ("refused", code)
        assert await world.wallet(start) == 0
    await world.check_books()


async def test_a_refusal_by_call_back_has_no_reason(world: World) -> None:
    start = await world.order("0004")
    await world.banking.top_up(start)
    topup = await world.until(start, "refused", sweeping=False)
    assert topup.refusal_code == "topup_refused"


@pytest.mark.parametrize("sweeping", [True, False])
async def test_a_time_out_that_was_paid(world: World, sweeping: bool) -> None:
    """Found out by the sweeper (the call-backs don't come), or by the call-back alone."""
    world.deaf = sweeping
    start = await world.order("0003")
    topup = await world.banking.top_up(start)
    assert topup.status == "pending"
    assert topup.deadline_at - topup.created_at == TRANSIT_LIFE
    assert (await world.bills.bill(start.person_id, start.topup_id)).status == "pending"
    await world.until(start, "posted", sweeping=sweeping)
    await world.check_books(start.person_id)
    assert await world.wallet(start) == 100_00


@pytest.mark.parametrize("sweeping", [True, False])
async def test_a_time_out_that_was_refused(world: World, sweeping: bool) -> None:
    world.deaf = sweeping
    start = await world.order("0004")
    assert (await world.banking.top_up(start)).status == "pending"
    await world.until(start, "refused", sweeping=sweeping)
    await world.check_books(start.person_id)


async def test_duplicate_call_backs_credit_once(world: World) -> None:
    start = await world.order("0005")
    await world.banking.top_up(start)

    async def all_came() -> bool:
        return len(world.heard) == 5

    await until(all_came)
    assert set(world.heard) == {""}
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


async def test_a_late_call_back_credits(world: World) -> None:
    start = await world.order("0006")
    assert (await world.banking.top_up(start)).status == "pending"
    await world.until(start, "posted", sweeping=False)
    await world.check_books(start.person_id)


async def test_a_call_back_repeated_an_hour_later_changes_nothing(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    world.clock.move(3600)
    await world.banking.bank_said(world.word(**fields(start)))
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


async def test_an_early_call_back_credits_once(world: World) -> None:
    start = await world.order("0010")
    topup = await world.banking.top_up(start)
    assert topup.status == "posted"
    assert world.heard == [""]
    await world.check_books(start.person_id)


async def test_an_order_that_never_arrived_is_sent_again(world: World) -> None:
    world.deaf = True
    start = await world.order("0007")
    assert (await world.banking.top_up(start)).status == "pending"
    await world.until(start, "posted")
    assert world.bank.calls.count("debit") == 3
    await world.check_books(start.person_id)


async def test_a_bank_that_contradicts_itself_gives_the_money_back(world: World) -> None:
    start = await world.order("0008")
    assert (await world.banking.top_up(start)).status == "refused"

    async def returned() -> bool:
        return (await world.seen(start)).reversal == "returned"

    await until(returned)
    assert (await world.seen(start)).status == "refused"
    assert await world.custody() == 0
    assert await world.wallet(start) == 0
    await world.check_books(start.person_id)


async def test_a_refusal_after_paid_takes_nothing_away(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    await world.banking.bank_said(world.word("refused", **fields(start)))
    assert (await world.seen(start)).status == "posted"
    await world.check_books(start.person_id)


async def test_a_bank_that_is_down_is_not_asked_again(
    world: World, bank_stopped: Callable[[], Awaitable[None]]
) -> None:
    start = await world.order()
    await bank_stopped()
    topup = await world.banking.top_up(start)
    assert (topup.status, topup.refusal_code) == ("refused", "bank_unavailable")
    assert await world.wallet(start) == 0


async def test_at_its_deadline_an_undecided_order_is_ended(world: World) -> None:
    world.deaf = True
    start = await world.order("0006")
    assert (await world.banking.top_up(start)).status == "pending"
    world.clock.move(TRANSIT_LIFE.total_seconds())
    await world.banking.sweep()
    topup = await world.seen(start)
    assert (topup.status, topup.refusal_code) == ("refused", "topup_closed")
    await asyncio.sleep(3)  # past the moment at which that card would have paid
    await world.check_books(start.person_id)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_fen": 100_01},
        {"person_id": ids.new("usr")},
        {"topup_id": ids.new("top")},
        {"currency": "USD"},
    ],
)
async def test_a_word_about_something_else_is_refused(world: World, change: dict[str, Any]) -> None:
    world.deaf = True
    start = await world.order("0006")
    await world.banking.top_up(start)
    with pytest.raises(BankWordInvalid):
        await world.banking.bank_said(world.word(**fields(start) | change))
    assert (await world.seen(start)).status == "pending"


async def test_a_forged_word_is_refused(world: World) -> None:
    world.deaf = True
    start = await world.order("0006")
    await world.banking.top_up(start)
    good = world.word(**fields(start))
    stranger = keys.FileSigner(world.settings.path("stranger"), "bank")
    forged = [
        world.word(signer=stranger, **fields(start)),
        msgspec.structs.replace(world.word(signer=stranger, **fields(start)), key_id=good.key_id),
        msgspec.structs.replace(good, signature=bytes(64)),
        msgspec.structs.replace(good, signature=b""),
        msgspec.structs.replace(good, message=good.message + b"x"),
        msgspec.structs.replace(world.word("refused", **fields(start)), signature=good.signature),
        world.word("maybe", **fields(start)),
    ]
    for word in forged:
        with pytest.raises(BankWordInvalid):
            await world.banking.bank_said(word)
    assert (await world.seen(start)).status == "pending"
    assert await world.wallet(start) == 0


async def test_twenty_duplicates_at_once_credit_once(world: World) -> None:
    world.deaf = True
    start = await world.order("0006")
    await world.banking.top_up(start)

    async def paid() -> bool:
        return await world.custody() > 0

    await until(paid)
    word = world.word(**fields(start))
    world.clock.move(15)
    await asyncio.gather(
        *(world.banking.bank_said(word) for _ in range(20)),
        *(world.banking.sweep() for _ in range(3)),
    )
    await world.until(start, "posted")
    assert await world.wallet(start) == 100_00
    await world.check_books(start.person_id)


async def test_a_double_click_debits_once(world: World) -> None:
    start = await world.order()
    seen = await asyncio.gather(*(world.banking.top_up(start) for _ in range(8)))
    assert {topup.topup_id for topup in seen} == {start.topup_id}
    await world.until(start, "posted")
    assert await world.wallet(start) == 100_00
    assert world.bank.calls.count("debit") == 1
    await world.check_books(start.person_id)


async def test_the_same_id_for_something_else_is_refused(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    other = await world.order()
    for change in (
        {"amount_fen": 1},
        {"person_id": other.person_id, "card_id": other.card_id},
    ):
        with pytest.raises(IdReused):
            await world.banking.top_up(msgspec.structs.replace(start, **change))
    await world.check_books(start.person_id, other.person_id)


async def test_a_card_must_be_ones_own_and_bound(world: World) -> None:
    start = await world.order()
    stranger = msgspec.structs.replace(start, person_id=ids.new("usr"), topup_id=ids.new("top"))
    with pytest.raises(NotFound):
        await world.banking.top_up(stranger)
    unconfirmed = await world.offered(start.person_id, "0005")
    with pytest.raises(CardNotBound):
        await world.banking.top_up(
            msgspec.structs.replace(start, card_id=unconfirmed.card_id, topup_id=ids.new("top"))
        )
    assert await world.custody() == 0


async def test_a_top_up_is_shown_to_its_owner_only(world: World) -> None:
    start = await world.order()
    await world.banking.top_up(start)
    for person_id, topup_id in (
        (ids.new("usr"), start.topup_id),
        (start.person_id, ids.new("top")),
    ):
        with pytest.raises(NotFound):
            await world.banking.topup(person_id, topup_id)


async def test_limits(world: World) -> None:
    start = await world.order(amount_fen=MAX_TOPUP_FEN + 1)
    with pytest.raises(LimitExceeded) as each:
        await world.banking.top_up(start)
    assert each.value.params == {"limit": "topup_each", "left_fen": MAX_TOPUP_FEN}
    for _ in range(MAX_DAY_FEN // MAX_TOPUP_FEN):
        again = msgspec.structs.replace(start, topup_id=ids.new("top"), amount_fen=MAX_TOPUP_FEN)
        assert (await world.banking.top_up(again)).status == "posted"
    left = MAX_DAY_FEN % MAX_TOPUP_FEN
    over = msgspec.structs.replace(start, topup_id=ids.new("top"), amount_fen=left + 1)
    with pytest.raises(LimitExceeded) as day:
        await world.banking.top_up(over)
    assert day.value.params == {"limit": "topup_day", "left_fen": left}
    world.clock.move(24 * 3600)
    assert (await world.banking.top_up(over)).status == "posted"
    await world.check_books(start.person_id)


async def test_few_are_in_transit_at_once(world: World) -> None:
    world.deaf = True
    start = await world.order("0006", amount_fen=1_00)
    asked = [
        msgspec.structs.replace(start, topup_id=ids.new("top")) for _ in range(MAX_IN_TRANSIT + 3)
    ]
    done = await asyncio.gather(
        *(world.banking.top_up(one) for one in asked), return_exceptions=True
    )
    refused = [one for one in done if isinstance(one, LimitExceeded)]
    assert len(refused) == 3
    assert {refusal.params["limit"] for refusal in refused} == {"topup_in_transit"}
    for one, outcome in zip(asked, done, strict=True):
        if not isinstance(outcome, LimitExceeded):
            await world.until(one, "posted")
    assert await world.wallet(start) == MAX_IN_TRANSIT * 1_00
    await world.check_books(start.person_id)


async def test_a_past_date_is_for_the_demos_history(world: World) -> None:
    start = await world.order()
    past = world.clock.now() - timedelta(days=3)
    assert (
        await world.banking.top_up(msgspec.structs.replace(start, event_at=past))
    ).status == "posted"
    bill = await world.bills.bill(start.person_id, start.topup_id)
    assert bill.event_at == past
    later = world.clock.now() + timedelta(minutes=1)
    world.banking._history = True
    with pytest.raises(BadRequest):
        await world.banking.top_up(msgspec.structs.replace(start, event_at=later))
    world.banking._history = False
    with pytest.raises(BadRequest):
        await world.banking.top_up(msgspec.structs.replace(start, event_at=past))
