"""A glance says before what opening would refuse."""

import asyncio

import pytest

from backend.redpacket import MAX_PASSCODE_TRIES, Packet, PasscodeSpent, PasscodeWrong, SenderFrozen
from tests.redpacket.conftest import Party
from tests.world import Wallet


async def state(party: Party, packet: Packet, wallet: Wallet) -> str:
    glance = await party.world.services.redpackets.grab(wallet.person_id, packet.packet_id)
    return glance.state


async def test_no_more_tries_for_who_has_spent_them(party: Party) -> None:
    anna = await party.world.person(100_00)
    ben, carl = await party.people(2)
    packet = await party.send(anna, kind="passcode", passcode="芝麻开门")
    for _ in range(MAX_PASSCODE_TRIES):
        assert await state(party, packet, ben) == "passcode"
        with pytest.raises((PasscodeWrong, PasscodeSpent)):
            await party.open(packet, ben, "西瓜开门")
    assert await state(party, packet, ben) == "spent"
    assert await state(party, packet, carl) == "passcode"


async def test_the_packet_of_somebody_frozen(party: Party) -> None:
    anna = await party.world.person(100_00)
    ben, carl = await party.people(2)
    packet = await party.send(anna)
    await party.open(packet, ben)
    await party.world.services.payments.freeze(anna.person_id, anna.device_secret)
    assert await state(party, packet, carl) == "sender_frozen"
    with pytest.raises(SenderFrozen):
        await party.open(packet, carl)
    assert await state(party, packet, ben) == "mine"
    party.world.later(hours=25)
    assert await state(party, packet, carl) == "expired"


async def test_many_who_look_at_once_ask_once(party: Party) -> None:
    anna = await party.world.person(100_00)
    packet = await party.send(anna)
    people = await party.people(8)
    party.world.risk.calls.clear()
    party.world.risk.slow_s = 0.3
    try:
        found = await asyncio.gather(*(state(party, packet, one) for one in people))
    finally:
        party.world.risk.slow_s = 0.0
    assert set(found) == {"open"}
    assert party.world.risk.calls.count("freeze_state") == 1


async def test_the_security_system_is_away(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    party.world.risk.down = True
    try:
        assert await state(party, packet, ben) == "open"
    finally:
        party.world.risk.down = False


async def test_strangers_at_one_link_see_no_whole_names(party: Party) -> None:
    world = party.world
    anna = await world.person(100_00, name="安娜")
    ben, carl, dan = [await world.person(name=name) for name in ("本本", "卡尔", "丹丹")]
    await party.befriend(anna, ben)
    packet = await party.send(anna, count=2)
    for one in (ben, carl):
        await party.open(packet, one)
    packets = world.services.redpackets

    async def seen(reader: Wallet) -> tuple[str, list[str]]:
        found = await packets.detail(reader.person_id, packet.packet_id)
        glance = await packets.grab(reader.person_id, packet.packet_id)
        assert glance.packet.sender_name == found.packet.sender_name
        return found.packet.sender_name, [share.name for share in found.shares]

    assert await seen(anna) == ("安娜", ["本本", "卡尔"])
    assert await seen(ben) == ("安娜", ["本本", "*尔"])
    assert await seen(carl) == ("*娜", ["*本", "卡尔"])
    assert await seen(dan) == ("*娜", ["*本", "*尔"])
    assert (await packets.packet(packet.packet_id)).sender_name == "*娜"  # not signed in
    year = world.clock.now().year
    for reader, name in ((ben, "安娜"), (carl, "*娜")):
        [item] = (await packets.inbox(reader.person_id, "received", year, "")).items
        assert item.packet.sender_name == name


async def test_who_is_in_the_group_sees_them(party: Party) -> None:
    world = party.world
    anna = await world.person(100_00, name="安娜")
    ben, carl = [await world.person(name=name) for name in ("本本", "卡尔")]
    packet = await party.send(anna, count=2, to_group=await party.group(anna, ben, carl))
    await party.open(packet, ben)
    found = await world.services.redpackets.detail(carl.person_id, packet.packet_id)
    assert found.packet.sender_name == "安娜"
    assert [share.name for share in found.shares] == ["本本"]


async def test_who_it_is_not_for_sees_no_whole_name(party: Party) -> None:
    world = party.world
    anna = await world.person(100_00, name="安娜")
    ben, carl = [await world.person(name=name) for name in ("本本", "卡尔")]
    await party.befriend(anna, ben)
    packet = await party.send(anna, kind="exclusive", count=1, to_person=ben.person_id)
    packets = world.services.redpackets
    assert (await packets.grab(ben.person_id, packet.packet_id)).packet.sender_name == "安娜"
    strange = await packets.grab(carl.person_id, packet.packet_id)
    assert (strange.state, strange.packet.sender_name) == ("not_for_you", "*娜")
    assert not strange.listed
