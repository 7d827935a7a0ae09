"""Whom a number stands for, the check of their name, and how long either is known."""

import asyncio

import msgspec
import pytest

from backend import phones
from backend.db import TX
from backend.errors import BadRequest, IdReused
from backend.friends import OwnSelf, TooManyFinds
from backend.transfers import Blocked, NameCheckFailed, PayeeUnknown
from tests.transfers.people import (
    Two,
    befriend,
    confirming,
    found_by_number,
    phone_of,
    send,
    sending,
)
from tests.world import World


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
