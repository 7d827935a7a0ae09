"""Sending and opening, from the sender's balance to the opener's."""

import asyncio
from typing import Any

import pytest

from backend.db import Database
from backend.errors import IdReused, NotFound
from backend.payments import InsufficientBalance
from backend.redpacket import PacketEmpty, PacketNotEnded, PacketNotForYou, PayPacket, Share
from tests.redpacket.conftest import Party


async def test_a_lucky_packet_in_a_group(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(100_00)
    others = await party.people(4)
    group = await party.group(anna, *others)
    packet = await party.send(anna, to_group=group, greeting="新年快乐")
    assert (packet.status, packet.seed, len(packet.seed_hash)) == ("open", "", 64)
    assert await world.balance(anna.account_id) == 90_00
    assert await party.pot(packet) == 10_00
    assert [await packets.unread(one.person_id) for one in others] == [1, 1, 1, 1]
    shares = [await party.open(packet, one) for one in others[:3]]
    assert sum(share.amount_fen for share in shares) == 10_00
    assert [share.position for share in shares] == [0, 1, 2]
    assert {share.status for share in shares} == {"posted"}
    for wallet, share in zip(others, shares, strict=False):
        assert await world.balance(wallet.account_id) == share.amount_fen
        bill = await world.services.bills.bill(wallet.person_id, packet.packet_id)
        assert (bill.kind, bill.direction, bill.amount_fen, bill.note) == (
            *("packet_in", "in", share.amount_fen),
            "新年快乐",
        )
    with pytest.raises(PacketEmpty):
        await party.open(packet, others[3])
    assert await packets.unread(others[3].person_id) == 0
    detail = await packets.detail(others[3].person_id, packet.packet_id)
    best = max(share.amount_fen for share in detail.shares)
    lucky = [share for share in detail.shares if share.luckiest]
    assert lucky == [next(share for share in detail.shares if share.amount_fen == best)]
    assert detail.seconds == 0
    assert (await party.now(packet)).status == "empty"
    assert (await packets.verify(packet.packet_id)).fair
    assert await party.events(f"packet:{packet.packet_id}") == [
        *["packet_opened"] * 3,
        "packet_ended",
    ]


async def test_opening_again_is_the_same_answer_for_ever(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl, dora] = await party.people(3)
    packet = await party.send(anna, count=2)
    first = await party.open(packet, ben)
    assert await party.open(packet, ben) == first
    assert await asyncio.gather(*(party.open(packet, ben) for _ in range(5))) == [first] * 5
    with pytest.raises(PacketNotEnded):
        await party.world.services.redpackets.verify(packet.packet_id)
    await party.open(packet, carl)
    again = await party.open(packet, ben)
    assert (again.amount_fen, again.position, again.status) == (first.amount_fen, 0, "posted")
    with pytest.raises(PacketEmpty):
        await party.open(packet, dora)
    party.world.later(days=2)
    await party.world.services.redpackets.sweep()
    assert (await party.open(packet, ben)).amount_fen == first.amount_fen
    with pytest.raises(PacketEmpty):
        await party.open(packet, dora)
    assert await party.world.balance(ben.account_id) == first.amount_fen


async def test_equal_shares_are_equal(party: Party) -> None:
    anna = await party.world.person(100_00)
    people = await party.people(3)
    packet = await party.send(anna, kind="equal", total_fen=9_00, count=3)
    shares = await asyncio.gather(*(party.open(packet, one) for one in people))
    assert [share.amount_fen for share in shares] == [3_00] * 3
    assert not any(share.luckiest for share in shares)


async def test_an_exclusive_packet_is_for_one_friend(party: Party) -> None:
    packets = party.world.services.redpackets
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    await party.befriend(anna, ben)
    packet = await party.send(anna, kind="exclusive", count=1, to_person=ben.person_id)
    assert (await packets.grab(carl.person_id, packet.packet_id)).state == "not_for_you"
    for stranger in (carl, anna):
        with pytest.raises(PacketNotForYou):
            await party.open(packet, stranger)
    assert "packet_received" in await party.events(f"person:{ben.person_id}")
    assert (await packets.grab(ben.person_id, packet.packet_id)).state == "open"
    assert (await party.open(packet, ben)).amount_fen == 10_00
    glance = await packets.grab(ben.person_id, packet.packet_id)
    assert (glance.state, glance.mine is not None) == ("mine", True)
    with pytest.raises(NotFound):
        await packets.detail(carl.person_id, packet.packet_id)


async def test_a_block_covers_packets_for_one(party: Party) -> None:
    services, anna = party.world.services, await party.world.person(100_00)
    carl, [ben] = await party.world.person(10_00), await party.people(1)
    for one in (anna, carl):
        await party.befriend(one, ben)
    to_ben: dict[str, Any] = {"kind": "exclusive", "count": 1, "to_person": ben.person_id}
    begun = party.sending(anna, total_fen=150_00, **to_ben)
    with pytest.raises(InsufficientBalance):
        await services.redpackets.send(begun)
    await party.world.fund(anna, 100_00)
    await services.friends.block(ben.person_id, anna.person_id, True)
    for blocked in (begun, party.sending(anna, **to_ben)):
        with pytest.raises(NotFound):
            await services.redpackets.send(blocked)
    with pytest.raises(NotFound):
        await services.redpackets.pay(
            PayPacket(
                packet_id=begun.packet_id,
                sender_id=anna.person_id,
                device_secret=anna.device_secret,
            )
        )
    assert await services.redpackets.unread(ben.person_id) == 0
    assert "packet_received" not in await party.events(f"person:{ben.person_id}")
    assert await party.world.balance(anna.account_id) == 200_00
    await party.send(carl, **{**to_ben, "total_fen": 1_00})
    await services.friends.block(ben.person_id, anna.person_id, False)
    assert (await services.redpackets.send(begun)).packet.status == "open"
    assert await services.redpackets.unread(ben.person_id) == 2


async def test_a_block_that_comes_while_it_is_paid(party: Party) -> None:
    """The money is in, but nobody who is blocked is told of it."""
    services, anna = party.world.services, await party.world.person(900_00)
    [ben, carl, dora] = await party.people(3)
    await party.befriend(anna, ben)
    group = await party.group(anna, ben, carl, dora)
    asked = party.sending(anna, to_group=group, total_fen=600_00, count=4)
    started = await services.redpackets.send(asked)
    assert started.requirement is not None
    await services.friends.block(ben.person_id, anna.person_id, True)
    await services.friends.block(anna.person_id, carl.person_id, True)
    await party.confirm(anna, asked.payment_id, started.requirement)
    unread = [await services.redpackets.unread(one.person_id) for one in (ben, carl, dora)]
    assert unread == [0, 0, 1]
    for one, told in ((ben, False), (carl, False), (dora, True)):
        assert ("packet_received" in await party.events(f"person:{one.person_id}")) is told


async def test_whose_packet_was_opened_can_be_blocked(party: Party) -> None:
    friends, anna = party.world.services.friends, await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna, count=2)
    with pytest.raises(NotFound):
        await friends.block(ben.person_id, anna.person_id, True)
    await party.open(packet, ben)
    await party.open(packet, anna)  # who opens an own one has not met themselves
    with pytest.raises(NotFound):
        await friends.block(anna.person_id, ben.person_id, True)
    await friends.block(ben.person_id, anna.person_id, True)
    assert await friends.blocked_between(anna.person_id, ben.person_id)


async def test_the_time_it_took_counts_from_when_the_money_was_in(party: Party) -> None:
    services, anna = party.world.services, await party.world.person(900_00)
    asked = party.sending(anna, total_fen=600_00, count=4)
    started = await services.redpackets.send(asked)
    assert started.requirement is not None
    party.world.later(minutes=1)
    packet = await party.confirm(anna, asked.payment_id, started.requirement)
    assert packet.expires_at == started.packet.expires_at  # as it was consented to
    party.world.later(seconds=30)
    for one in await party.people(4):
        await party.open(packet, one)
    detail = await services.redpackets.detail(anna.person_id, packet.packet_id)
    assert detail.seconds is not None
    assert 30 <= detail.seconds < 60


async def test_a_glance_at_an_empty_packet_asks_next_to_nothing(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets, anna = party.world.services.redpackets, await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna, count=1)
    await party.open(packet, ben)
    first = await packets.grab(carl.person_id, packet.packet_id)
    asked: list[str] = []
    for name in ("query", "query_as", "one"):
        real = getattr(Database, name)

        def counting(self: Database, *args: Any, real: Any = real) -> Any:
            asked.append(str(args))
            return real(self, *args)

        monkeypatch.setattr(Database, name, counting)
    assert await packets.grab(carl.person_id, packet.packet_id) == first
    assert first.state == "empty"
    assert not [sql for sql in asked if "redpacket." in sql]
    assert len(asked) <= 2  # how the sender's name is to be shown
    asked.clear()
    assert (await packets.grab(ben.person_id, packet.packet_id)).state == "mine"
    assert len([sql for sql in asked if "redpacket." in sql]) <= 2


async def test_the_sender_may_open_a_packet_for_all(party: Party) -> None:
    anna = await party.world.person(100_00)
    packet = await party.send(anna, count=1)
    assert (await party.open(packet, anna)).amount_fen == 10_00
    assert await party.world.balance(anna.account_id) == 100_00


async def test_a_double_click_sends_once(party: Party) -> None:
    anna = await party.world.person(100_00)
    asked = party.sending(anna)
    send = party.world.services.redpackets.send
    first, *others = await asyncio.gather(*(send(asked) for _ in range(4)), return_exceptions=True)
    assert not isinstance(first, BaseException) or others
    again = await send(asked)
    assert again.packet.status == "open"
    assert await party.world.balance(anna.account_id) == 90_00
    with pytest.raises(IdReused):
        await send(party.sending(anna, packet_id=asked.packet_id))
    with pytest.raises(IdReused):
        await send(party.sending(anna, payment_id=asked.payment_id))


async def test_a_large_packet_takes_a_passkey(party: Party) -> None:
    anna = await party.world.person(3000_00)
    asked = party.sending(anna, total_fen=900_00, count=20)
    started = await party.world.services.redpackets.send(asked)
    assert started.requirement is not None
    assert started.requirement.takes == "passkey"
    with pytest.raises(NotFound):  # not paid: it is nobody's business yet
        await party.now(started.packet)
    packet = await party.confirm(anna, asked.payment_id, started.requirement)
    assert packet.status == "open"


async def test_thanks_are_read_by_all(party: Party) -> None:
    packets = party.world.services.redpackets
    anna = await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    await party.open(packet, ben)
    share: Share = await packets.thank(ben.person_id, packet.packet_id, "谢谢老板 🎉")
    assert share.thanks == "谢谢老板 🎉"
    detail = await packets.detail(anna.person_id, packet.packet_id)
    assert [share.thanks for share in detail.shares] == ["谢谢老板 🎉"]
    with pytest.raises(NotFound):
        await packets.thank(anna.person_id, packet.packet_id, "?")
