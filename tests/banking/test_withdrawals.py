"""Withdrawals: what is asked, what is shown, what becomes of them at a bank that does its worst."""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from backend import ids
from backend.banking import (
    CONFIRM_LIFE,
    MAX_UNCONFIRMED,
    TRANSIT_LIFE,
    BalanceTooLow,
    CardNotBound,
    TooManyUnconfirmed,
    WithdrawalClosed,
    WithdrawalLapsed,
    WithdrawalTooSmall,
)
from backend.banking.withdrawal_rules import times
from backend.clock import SystemClock
from backend.db import SEC
from backend.errors import BadRequest, IdReused, NotFound
from backend.ledger import InsufficientFunds
from backend.posting import Posting, Transfer
from backend.risk import Approval, CeremonyInvalid, LimitExceeded, PasskeyRequired, PayerFrozen
from backend.risk.freeze import freeze_accounts
from tests.banking.conftest import World
from tests.banking.wallets import (
    MONEY,
    agreement,
    check_books,
    open_wallet,
    seen,
    until_ended,
    withdraw,
)
from tests.ledger.signing import Authority

SHANGHAI = ZoneInfo("Asia/Shanghai")


async def test_an_instant_one_is_on_the_card_at_once(world: World) -> None:
    wallet = await open_wallet(world)
    start = wallet.start(300_00)
    before = await world.custody()
    done = await withdraw(world, wallet, start)
    assert (done.status, done.last4, done.fee_fen) == ("paid", "0001", 0)
    assert await world.balance(wallet.account) == MONEY - 300_00
    assert await world.custody() == before - 300_00
    bill = await world.bills.bill(wallet.person_id, start.withdrawal_id)
    assert (bill.kind, bill.direction, bill.status) == ("withdrawal", "out", "succeeded")
    assert (bill.amount_fen, bill.method) == (300_00, "card:0001")
    await check_books(world, wallet)


async def test_the_same_again_pays_once(world: World) -> None:
    wallet = await open_wallet(world)
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    for _ in range(3):
        assert (await world.banking.confirm_withdrawal(agreed)).status == "paid"
    again = await world.banking.start_withdrawal(start)
    assert (again.withdrawal.status, again.requirement) == ("paid", None)
    assert await world.balance(wallet.account) == MONEY - 100_00
    await check_books(world, wallet)


async def test_one_for_the_next_day_leaves_at_once_and_is_handed_over_at_nine(
    world: World,
) -> None:
    wallet = await open_wallet(world)
    start = wallet.start(400_00, "next_day")
    held = await world.custody()
    done = await withdraw(world, wallet, start)
    assert done.status == "posted"
    nine = done.hand_over_at.astimezone(SHANGHAI)
    assert (nine.hour, nine.minute) == (9, 0)
    assert nine.date() == (done.created_at.astimezone(SHANGHAI) + timedelta(days=1)).date()
    assert await world.balance(wallet.account) == MONEY - 400_00
    assert await world.balance("bank:payout") == 400_00
    world.clock.move((done.hand_over_at - world.clock.now()).total_seconds() - 60)
    await world.banking.sweep()
    assert (await seen(world, start)).status == "posted"
    assert await world.custody() == held
    world.clock.move(61)
    await world.banking.sweep()
    assert (await seen(world, start)).status == "paid"
    assert await world.custody() == held - 400_00
    await check_books(world, wallet)


@pytest.mark.parametrize(
    ("last4", "status", "code"),
    [
        ("0002", "returned", "card_funds"),
        ("0003", "paid", ""),
        ("0004", "returned", "withdrawal_refused"),
        ("0005", "paid", ""),
        ("0006", "paid", ""),
        ("0007", "paid", ""),
        ("0009", "returned", "card_blocked"),
        ("0010", "paid", ""),
    ],
)
async def test_the_banks_habits(world: World, last4: str, status: str, code: str) -> None:
    wallet = await open_wallet(world, last4)
    start = wallet.start()
    await withdraw(world, wallet, start)
    ended = await until_ended(world, start)
    assert (ended.status, ended.refusal_code) in ((status, code), (status, "card_funds"))
    bill = await world.bills.bill(wallet.person_id, start.withdrawal_id)
    assert bill.status == {"paid": "succeeded", "returned": "refused"}[status]
    left = MONEY - (100_00 if status == "paid" else 0)
    assert await world.balance(wallet.account) == left
    await check_books(world, wallet)


async def test_a_bank_that_decides_too_late_is_told_to_end(world: World) -> None:
    wallet = await open_wallet(world, "0006")
    world.deaf = True
    start = wallet.start()
    assert (await withdraw(world, wallet, start)).status == "posted"
    world.clock.move((CONFIRM_LIFE + TRANSIT_LIFE).total_seconds())
    await world.banking.sweep()
    ended = await seen(world, start)
    assert (ended.status, ended.refusal_code) == ("returned", WithdrawalClosed.code)
    assert await world.balance(wallet.account) == MONEY
    await check_books(world, wallet)


async def test_what_the_bank_pays_after_refusing_is_the_banks_loss(world: World) -> None:
    wallet = await open_wallet(world, "0008")
    start = wallet.start()
    await withdraw(world, wallet, start)
    assert (await until_ended(world, start)).status == "returned"
    for _ in range(40):
        await world.sweep()
        if await world.balance("bank:disputed"):
            break
        await asyncio.sleep(0.05)  # the bank lives by a clock of its own
    assert await world.balance("bank:disputed") == -100_00
    assert await world.balance(wallet.account) == MONEY
    assert (await seen(world, start)).status == "returned"


async def test_a_fee_goes_out_of_the_amount_and_comes_back_with_it(world: World) -> None:
    owner = await asyncpg.connect(world.settings.tx_owner_url)
    await owner.execute(
        "insert into banking.withdrawal_fee (speed, since, bps, min_fen) "
        "values ('instant', '2026-06-01', 10, 10)"
    )
    await owner.close()
    wallet = await open_wallet(world)
    terms = await world.banking.withdrawal_terms(wallet.person_id, 200_00, wallet.device_secret)
    assert [t.fee_fen for t in terms.speeds] == [20, 0]
    before = await world.custody()
    done = await withdraw(world, wallet, wallet.start(200_00))
    assert (done.status, done.fee_fen) == ("paid", 20)
    assert await world.balance(wallet.account) == MONEY - 200_00
    assert await world.balance("fee:income") == 20
    assert await world.custody() == before - 199_80
    with pytest.raises(WithdrawalTooSmall) as small:
        await world.banking.start_withdrawal(wallet.start(10))
    assert small.value.params == {"fee_fen": 10}
    await check_books(world, wallet)
    other = await open_wallet(world, "0002")
    assert (await withdraw(world, other, other.start(200_00))).status == "returned"
    assert await world.balance(other.account) == MONEY
    assert await world.balance("fee:income") == 20


async def test_what_cant_be_started(world: World) -> None:
    wallet = await open_wallet(world)
    begin = world.banking.start_withdrawal
    with pytest.raises(BalanceTooLow) as low:
        await begin(wallet.start(MONEY + 1))
    assert low.value.params == {"available_fen": MONEY}
    with pytest.raises(NotFound):
        await begin(wallet.start(card_id=ids.new("crd")))
    pending = await world.offered(wallet.person_id, "0002")
    with pytest.raises(CardNotBound):
        await begin(wallet.start(card_id=pending.card_id))
    stranger = await open_wallet(world)
    with pytest.raises(NotFound):
        await begin(wallet.start(card_id=stranger.card_id))
    for wrong in (
        wallet.start(withdrawal_id=ids.new("pay")),
        wallet.start(speed="soon"),
        wallet.start(0),
        wallet.start(-1),
    ):
        with pytest.raises(BadRequest):
            await begin(wrong)
    start = wallet.start()
    await begin(start)
    for other in (
        wallet.start(100_01, withdrawal_id=start.withdrawal_id),
        wallet.start(speed="next_day", withdrawal_id=start.withdrawal_id),
        stranger.start(withdrawal_id=start.withdrawal_id),
    ):
        with pytest.raises(IdReused):
            await begin(other)


async def test_unconfirmed_ones_are_few_and_lapse(world: World) -> None:
    wallet = await open_wallet(world)
    starts = [wallet.start() for _ in range(MAX_UNCONFIRMED)]
    for start in starts:
        await world.banking.start_withdrawal(start)
    with pytest.raises(TooManyUnconfirmed):
        await world.banking.start_withdrawal(wallet.start())
    agreed = await agreement(world, wallet, starts[0])
    world.clock.move(CONFIRM_LIFE.total_seconds())
    with pytest.raises(WithdrawalLapsed):
        await world.banking.start_withdrawal(starts[0])
    with pytest.raises(WithdrawalLapsed):
        await world.banking.confirm_withdrawal(agreed)
    await world.banking.sweep()
    over = await seen(world, starts[0])
    assert (over.status, over.refusal_code) == ("refused", WithdrawalLapsed.code)
    with pytest.raises(WithdrawalLapsed):
        await world.banking.confirm_withdrawal(agreed)
    with pytest.raises(NotFound):  # nothing happened, so there is no bill
        await world.bills.bill(wallet.person_id, starts[0].withdrawal_id)
    assert (await world.banking.withdrawals(wallet.person_id, "", 20)).withdrawals == ()
    await world.banking.start_withdrawal(wallet.start())


async def test_an_answer_is_good_for_its_own_withdrawal_alone(world: World) -> None:
    wallet = await open_wallet(world)
    small, large = wallet.start(1_00), wallet.start(500_00)
    of_small = await agreement(world, wallet, small)
    of_large = await agreement(world, wallet, large)
    for ceremony_id in (of_small.ceremony_id, of_large.ceremony_id):
        forged = type(of_large)(
            withdrawal_id=large.withdrawal_id,
            person_id=wallet.person_id,
            device_secret=wallet.device_secret,
            ceremony_id=ceremony_id,
            response_json=of_small.response_json,
        )
        with pytest.raises((CeremonyInvalid, Exception)) as refusal:
            await world.banking.confirm_withdrawal(forged)
        assert refusal.value.args[0] in ("ceremony_invalid", "passkey_refused")
    without = type(of_large)(
        withdrawal_id=large.withdrawal_id,
        person_id=wallet.person_id,
        device_secret=wallet.device_secret,
        ceremony_id="",
        response_json=b"",
    )
    with pytest.raises(PasskeyRequired):
        await world.banking.confirm_withdrawal(without)
    assert await world.balance(wallet.account) == MONEY
    assert (await withdraw(world, wallet, large)).status == "paid"


async def test_money_that_was_spent_meanwhile(world: World) -> None:
    """The ledger refuses, finally, and the day's limit is given back."""
    wallet, friend = await open_wallet(world), await open_wallet(world)
    start = wallet.start(600_00)
    agreed = await agreement(world, wallet, start)
    spent = Posting(ids.new("pay"), "transfer", (Transfer(wallet.account, friend.account, 500_00),))
    await world.books.post(Authority(world.settings, world.clock).post(spent))
    with pytest.raises(InsufficientFunds):
        await world.banking.confirm_withdrawal(agreed)
    over = await seen(world, start)
    assert (over.status, over.refusal_code) == ("refused", InsufficientFunds.code)
    with pytest.raises(InsufficientFunds):
        await world.banking.confirm_withdrawal(agreed)
    bill = await world.bills.bill(wallet.person_id, start.withdrawal_id)
    assert (bill.status, bill.refusal_code) == ("refused", InsufficientFunds.code)
    limits = await world.risk.limits(wallet.person_id, wallet.device_secret)
    assert {lim.name: lim.used for lim in limits}["withdraw_instant"] == 0
    await check_books(world, wallet, friend)


async def test_a_frozen_person_withdraws_nothing(world: World) -> None:
    wallet = await open_wallet(world)
    start = wallet.start()
    agreed = await agreement(world, wallet, start)
    await world.risk.freeze(wallet.person_id, wallet.device_secret)
    with pytest.raises(PayerFrozen):
        await world.banking.confirm_withdrawal(agreed)
    with pytest.raises(PayerFrozen):
        await world.banking.start_withdrawal(wallet.start())
    assert await world.balance(wallet.account) == MONEY


async def test_what_waits_for_the_bank_stays_while_its_owner_has_frozen(world: World) -> None:
    """Until the thaw is over, however late that is; then it goes to the bank after all."""
    wallet = await open_wallet(world)
    start, held = wallet.start(400_00, "next_day"), await world.custody()
    done = await withdraw(world, wallet, start)
    await world.risk.freeze(wallet.person_id, wallet.device_secret)
    world.clock.move((done.hand_over_at - world.clock.now()).total_seconds() + 1)
    for _ in range(4):
        await world.banking.sweep()
        assert (await seen(world, start)).status == "posted"
        world.clock.move((TRANSIT_LIFE - timedelta(minutes=1)).total_seconds())
    assert await world.custody() == held
    ceremony = await world.risk.begin_approval(wallet.person_id, "unfreeze")
    response = wallet.passkey.sign(ceremony.options_json)
    thawing = await world.risk.unfreeze(Approval(wallet.person_id, ceremony.ceremony_id, response))
    assert thawing.thaws_at is not None
    while world.clock.now() < thawing.thaws_at:
        await world.banking.sweep()
        assert (await seen(world, start)).status == "posted"
        world.clock.move(timedelta(minutes=25).total_seconds())
    assert await world.custody() == held
    await world.banking.sweep()
    assert (await seen(world, start)).status == "paid"
    assert await world.custody() == held - 400_00
    await check_books(world, wallet)


async def test_an_alarm_stops_what_waits_for_the_bank(world: World) -> None:
    wallet = await open_wallet(world)
    start, held = wallet.start(400_00, "next_day"), await world.custody()
    done = await withdraw(world, wallet, start)
    [raised] = await SEC.query(
        "insert into risk.alarm (kind, detail, accounts, raised_at) "
        "values ('tampered', 'journal 7', $1, $2) returning alarm_id",
        [wallet.account],
        world.clock.now(),
    )
    await freeze_accounts([wallet.account], raised["alarm_id"], "tampered", world.clock.now())
    world.clock.move((done.hand_over_at - world.clock.now()).total_seconds() + 1)
    await world.banking.sweep()
    assert (await seen(world, start)).status == "posted"
    assert await world.custody() == held


async def test_terms_name_times_and_limits(world: World) -> None:
    wallet = await open_wallet(world)
    await withdraw(world, wallet, wallet.start(250_00))
    terms = await world.banking.withdrawal_terms(wallet.person_id, 100_00, wallet.device_secret)
    assert (terms.available_fen, terms.each_fen) == (MONEY - 250_00, 50_000_00)
    instant, next_day = terms.speeds
    assert (instant.speed, instant.left_fen) == ("instant", 10_000_00 - 250_00)
    assert (next_day.speed, next_day.left_fen) == ("next_day", 50_000_00)
    assert instant.hand_over_at < instant.arrives_by < next_day.hand_over_at
    for amount in (-1, 10**12):
        with pytest.raises(BadRequest):
            await world.banking.withdrawal_terms(wallet.person_id, amount, wallet.device_secret)


async def test_over_the_days_limit(world: World) -> None:
    wallet = await open_wallet(world, money_fen=20_000_00)
    with pytest.raises(LimitExceeded) as over:
        await world.banking.start_withdrawal(wallet.start(10_000_01))
    assert over.value.params == {"limit": "withdraw_instant", "left_fen": 10_000_00}
    assert (await withdraw(world, wallet, wallet.start(10_000_01, "next_day"))).status == "posted"


async def test_the_list_goes_on_by_cursor(world: World) -> None:
    wallet, other = await open_wallet(world), await open_wallet(world)
    starts = [wallet.start(10_00) for _ in range(3)]
    for start in starts:
        await withdraw(world, wallet, start)
    first = await world.banking.withdrawals(wallet.person_id, "", 2)
    rest = await world.banking.withdrawals(wallet.person_id, first.next_cursor, 2)
    found = [w.withdrawal_id for w in (*first.withdrawals, *rest.withdrawals)]
    assert found == [start.withdrawal_id for start in reversed(starts)]
    assert rest.next_cursor == ""
    for person_id, cursor in ((other.person_id, first.next_cursor), (wallet.person_id, "x")):
        with pytest.raises(BadRequest):
            await world.banking.withdrawals(person_id, cursor, 2)
    with pytest.raises(NotFound):
        await world.banking.withdrawal(other.person_id, starts[0].withdrawal_id)


def test_the_next_day_is_chinas() -> None:
    now = SystemClock().now().replace(hour=15, minute=59, second=0)  # 23:59 in Shanghai
    late, later = times("next_day", now), times("next_day", now + timedelta(minutes=2))
    assert later.hand_over_at - late.hand_over_at == timedelta(days=1)
    assert late.hand_over_at - now == timedelta(hours=9, minutes=1, microseconds=-now.microsecond)
    assert late.confirm_by < late.hand_over_at < late.deadline_at
