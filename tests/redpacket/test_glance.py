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
