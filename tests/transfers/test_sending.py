"""Transfers that arrive at once."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from backend import ids
from backend.errors import BadRequest, IdReused, NotFound
from backend.friends import OwnSelf
from backend.payments import InsufficientBalance
from backend.risk import PasskeyRefused
from backend.transfers import Blocked, PayeeUnknown, PayTransfer
from tests.transfers.people import (
    Two,
    befriend,
    confirming,
    found_by_number,
    news_of,
    send,
    sending,
)
from tests.world import World


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
