"""Transfers that arrive at once."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids, phones
from backend.db import TX
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import OwnSelf, TooManyFinds
from backend.payments import InsufficientBalance
from backend.risk import PasskeyRefused
from backend.transfers import Blocked, NameCheckFailed, PayeeUnknown, PayTransfer
from tests.transfers.people import Two, befriend, confirming, news_of, send, sending
from tests.world import Wallet, World


async def phone_of(world: World, wallet: Wallet) -> str:
    return (await world.services.identity.person(wallet.person_id)).phone


async def found_by_number(world: World, payer: Wallet, stranger: Wallet) -> str:
    """The id that the number stands for."""
    number = await phone_of(world, stranger)
    return (await world.services.transfers.payee(payer.person_id, number)).payee_id


async def test_a_small_amount_to_a_friend_arrives_with_one_tap(world: World, two: Two) -> None:
    started = await world.services.transfers.start(sending(two))

    assert started.requirement is None
    sent = started.transfer
    assert (sent.status, sent.payee_name) == ("arrived", "李雷")
    assert sent.ended_at is not None
    assert await world.balance(two.payee.account_id) == 88_00
    for wallet in (two.payer, two.payee):
        assert ("transfer_arrived", sent.transfer_id) in await news_of(wallet)
        bill = await world.services.bills.bill(wallet.person_id, sent.payment_id)
        assert (bill.kind, bill.note) == ("transfer", "午饭")
        seen = await world.services.transfers.transfer(wallet.person_id, sent.transfer_id)
        assert seen == sent


async def test_a_large_amount_takes_a_passkey(world: World, two: Two) -> None:
    started = await world.services.transfers.start(sending(two, amount_fen=600_00))
    assert started.requirement is not None
    assert (started.requirement.takes, started.transfer.status) == ("passkey", "created")
    confirm = confirming(two.payer, started)
    done = await world.services.transfers.confirm(confirm)
    assert done.status == "arrived"
    assert await world.services.transfers.confirm(confirm) == done
    assert await world.balance(two.payee.account_id) == 600_00


async def test_only_the_payer_confirms_with_the_right_key(world: World, two: Two) -> None:
    other = await world.person()
    started = await world.services.transfers.start(sending(two, amount_fen=600_00))
    confirm = confirming(two.payer, started)
    with pytest.raises(NotFound):
        await world.services.transfers.confirm(
            msgspec.structs.replace(confirm, payer_id=two.payee.person_id)
        )
    with pytest.raises(NotFound):
        await world.services.transfers.confirm(
            msgspec.structs.replace(confirm, payment_id=ids.new("pay"))
        )
    forged = confirming(msgspec.structs.replace(two.payer, passkey=other.passkey), started)
    with pytest.raises(PasskeyRefused):
        await world.services.transfers.confirm(forged)
    assert await world.balance(two.payee.account_id) == 0


async def test_a_double_click_sends_once(world: World, two: Two) -> None:
    start = sending(two)
    transfers = world.services.transfers
    answers = await asyncio.gather(
        *(transfers.start(start) for _ in range(5)), return_exceptions=True
    )
    assert any(not isinstance(answer, BaseException) for answer in answers)
    assert (await transfers.start(start)).transfer.status == "arrived"
    assert await world.balance(two.payee.account_id) == 88_00


async def test_the_same_id_with_other_content_is_refused(world: World, two: Two) -> None:
    start = sending(two)
    await world.services.transfers.start(start)
    for changed in ({"amount_fen": 1}, {"note": ""}, {"payment_id": ids.new("pay")}):
        with pytest.raises(IdReused):
            await world.services.transfers.start(msgspec.structs.replace(start, **changed))
    with pytest.raises(IdReused):  # the payment's id belongs to that transfer
        await world.services.transfers.start(
            msgspec.structs.replace(start, transfer_id=ids.new("trf"))
        )


@pytest.mark.parametrize(
    "bad",
    [
        {"amount_fen": 0},
        {"amount_fen": -1},
        {"amount_fen": 10_000_000_001},
        {"amount_fen": True},
        {"note": "x" * 65},
        {"note": "a\nb"},
        {"note": "\u202egnirts"},
        {"note": "\x00"},
        {"delay": timedelta(hours=3)},
        {"delay": timedelta(hours=-2)},
        {"transfer_id": "trf_1"},
        {"payment_id": "ord_01jzzzzzzze3t8bshw5gd5x0a1"},
        {"request_id": "req_01jzzzzzzze3t8bshw5gd5x0a2", "delay": timedelta(hours=2)},
    ],
    ids=str,
)
async def test_bad_input_is_refused(world: World, two: Two, bad: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        await world.services.transfers.start(sending(two, **bad))


async def test_whom_one_may_send_to(world: World, two: Two) -> None:
    transfers = world.services.transfers
    stranger = await world.person(name="韩梅梅")
    with pytest.raises(OwnSelf):
        await transfers.start(sending(two, payee_id=two.payer.person_id))
    for nobody in (stranger.person_id, ids.new("usr")):
        with pytest.raises(PayeeUnknown):
            await transfers.start(sending(two, payee_id=nobody))
        with pytest.raises(PayeeUnknown):
            await transfers.payee(two.payer.person_id, nobody)


async def test_a_number_is_sent_to_by_whoever_knows_the_name(world: World, two: Two) -> None:
    transfers = world.services.transfers
    stranger = await world.person(name="韩梅梅")
    phone = await phone_of(world, stranger)
    payee = await transfers.payee(two.payer.person_id, phone)
    assert payee.payee_id != stranger.person_id
    assert (payee.name, payee.is_friend, payee.asks_name) == (phones.masked(phone), False, True)
    with pytest.raises(OwnSelf):
        await transfers.payee(two.payer.person_id, await phone_of(world, two.payer))
    with pytest.raises(BadRequest):
        await transfers.payee(two.payer.person_id, "110")

    with pytest.raises(PayeeUnknown):  # the number is no way to the person
        await transfers.payee(two.payer.person_id, stranger.person_id)
    sent = await send(world, two, payee_id=payee.payee_id, name_check="韩")
    assert sent.payee_id == stranger.person_id
    assert (sent.status, sent.payee_name, sent.payer_name) == ("arrived", "*梅梅", "*娜")
    # Who was paid once is known; who has got something may send it back.
    world.later(days=2)
    again = await transfers.payee(two.payer.person_id, stranger.person_id)
    assert (again.first_payment, again.name) == (False, "*梅梅")
    back = await transfers.payee(stranger.person_id, two.payer.person_id)
    assert back.first_payment


async def test_a_number_nobody_has_is_answered_the_same(world: World, two: Two) -> None:
    transfers, payer_id = world.services.transfers, two.payer.person_id
    stranger = await world.person(name="韩梅梅")
    said = []
    for number in (await phone_of(world, stranger), "+8613800000000"):
        payee = await transfers.payee(payer_id, number)
        assert payee == await transfers.payee(payer_id, number)
        assert payee == await transfers.payee(payer_id, payee.payee_id)
        told = msgspec.to_builtins(payee) | {"payee_id": "", "name": ""}
        assert payee.name == phones.masked(number)
        refusals = []
        for name in ("", "王", "王", "李", "张", "陈", "韩"):  # the right one comes too late
            with pytest.raises(NameCheckFailed) as refusal:
                await transfers.start(sending(two, payee_id=payee.payee_id, name_check=name))
            refusals.append((refusal.value.code, refusal.value.params))
            await transfers.payee(payer_id, number)  # looked up again: no more tries than before
        said.append((told, refusals))
    assert said[0] == said[1]
    kept = await TX.query("select count(*) as rows from transfers.lookup")
    assert kept[0]["rows"] == 2


async def test_the_number_of_a_friend_is_theirs(world: World, two: Two) -> None:
    payee = await world.services.transfers.payee(
        two.payer.person_id, await phone_of(world, two.payee)
    )
    assert (payee.payee_id, payee.is_friend, payee.asks_name) == (two.payee.person_id, True, False)


async def test_the_number_of_somebody_paid_before_is_theirs(world: World, two: Two) -> None:
    transfers, stranger = world.services.transfers, await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    await transfers.open(sending(two, payee_id=number_id, name_check="韩"))
    assert await found_by_number(world, two.payer, stranger) == number_id  # nothing is paid yet
    await send(world, two, payee_id=number_id, name_check="韩")
    payee = await transfers.payee(two.payer.person_id, await phone_of(world, stranger))
    assert (payee.payee_id, payee.name) == (stranger.person_id, "*梅梅")
    assert (payee.asks_name, payee.first_payment) == (False, False)
    sent = await send(world, two, payee_id=payee.payee_id)  # nobody asks for the name again
    assert sent.status == "arrived"


async def test_a_blocked_payer_learns_it_only_by_the_name(world: World, two: Two) -> None:
    stranger = await world.person(name="韩梅梅")
    await befriend(world, two.payer, stranger)
    await world.services.friends.remove(stranger.person_id, two.payer.person_id)
    await world.services.friends.block(stranger.person_id, two.payer.person_id, True)
    number_id = await found_by_number(world, two.payer, stranger)
    with pytest.raises(NameCheckFailed):
        await world.services.transfers.start(sending(two, payee_id=number_id, name_check="王"))
    with pytest.raises(Blocked):
        await world.services.transfers.start(sending(two, payee_id=number_id, name_check="韩"))


async def test_an_id_sends_to_one_number_once(world: World, two: Two) -> None:
    transfers, stranger = world.services.transfers, await world.person(name="韩梅梅")
    other = await world.person(name="韩雷")
    first = sending(
        two, payee_id=await found_by_number(world, two.payer, stranger), name_check="韩"
    )
    sent = await transfers.start(first)
    assert (await transfers.start(first)).transfer == sent.transfer
    another = await found_by_number(world, two.payer, other)
    with pytest.raises(IdReused):
        await transfers.start(msgspec.structs.replace(first, payee_id=another))
    assert await world.balance(stranger.account_id) == 88_00


@pytest.mark.parametrize("amount_fen", [88_00, 600_00])
async def test_what_was_asked_is_answered_the_same_when_the_number_is_forgotten(
    world: World, two: Two, amount_fen: int
) -> None:
    transfers, stranger = world.services.transfers, await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    asked = sending(two, payee_id=number_id, name_check="韩", amount_fen=amount_fen)
    started = await transfers.start(asked)
    if started.requirement is not None:
        await transfers.confirm(confirming(two.payer, started))
    first = await transfers.open(asked)
    world.later(hours=25)
    assert await transfers.sweep() == 1  # the number that was found
    assert await transfers.open(asked) == first
    assert (await transfers.start(asked)).transfer == first
    by_name = msgspec.structs.replace(asked, payee_id=stranger.person_id)  # the same payee
    assert (await transfers.start(by_name)).transfer == first
    with pytest.raises(IdReused):
        await transfers.start(msgspec.structs.replace(asked, payee_id=two.payee.person_id))
    assert await world.balance(stranger.account_id) == amount_fen


async def test_a_number_that_was_found_is_forgotten_in_a_day(world: World, two: Two) -> None:
    transfers = world.services.transfers
    stranger = await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    world.later(hours=25)
    with pytest.raises(PayeeUnknown):
        await transfers.payee(two.payer.person_id, number_id)
    assert await transfers.sweep() == 1


async def test_looking_up_numbers_is_limited_known_or_not(world: World, two: Two) -> None:
    transfers = world.services.transfers
    phone = await phone_of(world, two.payee)
    refused = 0
    for number in range(25):
        try:
            await transfers.payee(
                two.payer.person_id, phone if number % 2 else f"+86139000000{number:02d}"
            )
        except TooManyFinds:
            refused += 1
    assert refused == 5


async def test_the_name_check_has_few_tries(world: World, two: Two) -> None:
    transfers = world.services.transfers
    stranger = await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    wrong = sending(two, payee_id=number_id, name_check="王")
    with pytest.raises(NameCheckFailed) as asked:  # nothing typed: nothing lost
        await transfers.start(msgspec.structs.replace(wrong, name_check=""))
    assert asked.value.params == {"tries_left": 5}
    for left in (4, 3, 2, 1, 0, 0):
        with pytest.raises(NameCheckFailed) as refusal:
            await transfers.start(wrong)
        assert refusal.value.params == {"tries_left": left}
    right = msgspec.structs.replace(wrong, name_check="韩")
    with pytest.raises(NameCheckFailed):  # too late, although it is right
        await transfers.start(right)
    world.later(hours=24, seconds=1)
    await transfers.payee(two.payer.person_id, await phone_of(world, stranger))
    assert (await transfers.start(right)).transfer.status == "arrived"


async def test_of_tries_that_arrive_together_five_are_compared(world: World, two: Two) -> None:
    """With the right one among forty: were more than five compared, it would always be found."""
    found = 0
    for place in range(8, 40, 4):
        stranger = await world.person(name="韩梅梅")
        number_id = await found_by_number(world, two.payer, stranger)
        tries = [
            sending(two, payee_id=number_id, name_check="韩" if n == place else "王")
            for n in range(40)
        ]
        answers = await asyncio.gather(
            *(world.services.transfers.start(one) for one in tries), return_exceptions=True
        )
        if not all(isinstance(answer, NameCheckFailed) for answer in answers):
            found += 1
            continue
        with pytest.raises(NameCheckFailed) as refusal:
            await world.services.transfers.start(sending(two, payee_id=number_id, name_check="韩"))
        assert refusal.value.params == {"tries_left": 0}
    assert found <= 4, "of eight"


async def test_a_right_name_leaves_the_tries_as_they_were(world: World, two: Two) -> None:
    transfers, stranger = world.services.transfers, await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    for _ in range(7):
        opened = await transfers.open(sending(two, payee_id=number_id, name_check="韩"))
        assert opened.status == "created"
    with pytest.raises(NameCheckFailed) as refusal:
        await transfers.open(sending(two, payee_id=number_id, name_check="王"))
    assert refusal.value.params == {"tries_left": 4}


async def test_people_who_are_blocked_neither_send_nor_learn_why(world: World, two: Two) -> None:
    friends, transfers = world.services.friends, world.services.transfers
    begun = sending(two)
    await transfers.open(begun)
    await friends.block(two.payee.person_id, two.payer.person_id, True)
    with pytest.raises(Blocked):
        await transfers.start(begun)
    with pytest.raises(Blocked):
        await transfers.start(sending(two))
    await world.fund(two.payee, 100_00)
    back = sending(Two(payer=two.payee, payee=two.payer), name_check="安")
    with pytest.raises((Blocked, PayeeUnknown)):
        await transfers.start(back)
    await friends.block(two.payee.person_id, two.payer.person_id, False)
    await befriend(world, two.payer, two.payee)
    assert (await transfers.start(begun)).transfer.status == "arrived"


async def test_whose_money_came_can_be_blocked(world: World, two: Two) -> None:
    friends, stranger = world.services.friends, await world.person(name="韩梅梅")
    number_id = await found_by_number(world, two.payer, stranger)
    sent = {"payee_id": number_id, "name_check": "韩"}
    await world.services.transfers.open(sending(two, **sent))
    with pytest.raises(NotFound):  # nothing has come yet
        await friends.block(stranger.person_id, two.payer.person_id, True)
    await send(world, two, **sent)
    with pytest.raises(NotFound):  # who sent it has met nobody by that
        await friends.block(two.payer.person_id, stranger.person_id, True)
    await friends.block(stranger.person_id, two.payer.person_id, True)
    with pytest.raises(Blocked):
        await send(world, two, payee_id=stranger.person_id)


async def test_too_little_money_is_said_and_can_be_mended(world: World, two: Two) -> None:
    start = sending(two, amount_fen=2_500_00)
    with pytest.raises(InsufficientBalance):
        await world.services.transfers.start(start)
    await world.fund(two.payer, 500_00)
    started = await world.services.transfers.start(start)
    done = await world.services.transfers.confirm(confirming(two.payer, started))
    assert done.status == "arrived"


async def test_what_nobody_pays_lapses(world: World, two: Two) -> None:
    never, begun = sending(two), sending(two, amount_fen=600_00)
    transfers = world.services.transfers
    await transfers.open(never)
    started = await transfers.start(begun)
    world.later(minutes=16)
    await world.services.payments.sweep()
    assert await transfers.sweep() == 2
    for start in (never, begun):
        seen = await transfers.transfer(two.payer.person_id, start.transfer_id)
        assert (seen.status, seen.ended_at) == ("lapsed", world.clock.now())
        with pytest.raises(NotFound):  # it never was the payee's to see
            await transfers.transfer(two.payee.person_id, start.transfer_id)
    with pytest.raises(Exception, match=r"payment_abandoned|order_expired"):
        await transfers.confirm(confirming(two.payer, started))
    assert (await transfers.start(never)).transfer.status == "lapsed"


async def test_a_refusal_of_the_security_system_is_final(world: World, two: Two) -> None:
    await world.services.payments.freeze(two.payer.person_id, two.payer.device_secret)
    start = sending(two)
    with pytest.raises(Exception, match="payer_frozen"):
        await world.services.transfers.start(start)
    seen = await world.services.transfers.transfer(two.payer.person_id, start.transfer_id)
    assert (seen.status, seen.refusal_code) == ("refused", "payer_frozen")


async def test_what_is_not_mine_does_not_exist(world: World, two: Two) -> None:
    sent = await send(world, two)
    other = await world.person()
    with pytest.raises(NotFound):
        await world.services.transfers.transfer(other.person_id, sent.transfer_id)
    for payer in (other, two.payee):
        with pytest.raises(NotFound):
            await world.services.transfers.pay(
                PayTransfer(
                    transfer_id=sent.transfer_id,
                    payer_id=payer.person_id,
                    device_secret=payer.device_secret,
                )
            )
        with pytest.raises(NotFound):
            await world.services.transfers.quote(payer.person_id, sent.transfer_id, "")
