"""Bad input, and who may not: each a refusal of its own, and nothing has moved."""

import asyncio
from typing import Any

import msgspec
import pytest

from backend.db import TX
from backend.errors import BadRequest, DomainError, NotFound
from backend.ids import new
from backend.payments import InsufficientBalance, RiskUnavailable
from backend.plain import characters
from backend.redpacket import (
    MAX_PASSCODE_TRIES,
    GreetingRefused,
    PacketEmpty,
    PacketExpired,
    PacketLimit,
    PacketNotForYou,
    PasscodeSpent,
    PasscodeWrong,
    SenderFrozen,
    SendPacket,
    Share,
    ShareTooLarge,
    ShareTooSmall,
    TooManyShares,
)
from backend.redpacket.rules import check_form, check_greeting, normal
from backend.risk import OpenerFrozen, OpenLimit, PayerFrozen
from tests.redpacket.conftest import Party

FORMS: list[tuple[type[DomainError], dict[str, Any]]] = [
    (BadRequest, {"total_fen": 0}),
    (BadRequest, {"total_fen": -1}),
    (BadRequest, {"count": 0}),
    (BadRequest, {"count": -3}),
    (BadRequest, {"total_fen": True}),
    (BadRequest, {"kind": "generous"}),
    (BadRequest, {"cover": "../../etc"}),
    (BadRequest, {"packet_id": "red_1"}),
    (BadRequest, {"packet_id": new("pay")}),
    (BadRequest, {"payment_id": "pay"}),
    (BadRequest, {"to_group": "family"}),
    (BadRequest, {"to_person": new("usr")}),  # of an exclusive one only
    (BadRequest, {"kind": "equal", "total_fen": 10_01, "count": 3}),
    (BadRequest, {"kind": "exclusive", "count": 1}),
    (BadRequest, {"kind": "exclusive", "count": 2, "to_person": new("usr")}),
    (BadRequest, {"kind": "passcode"}),
    (BadRequest, {"kind": "passcode", "passcode": "一"}),
    (BadRequest, {"kind": "passcode", "passcode": "芝麻\u202e开门"}),
    (BadRequest, {"kind": "passcode", "passcode": "芝" * 21}),
    (BadRequest, {"passcode": "芝麻开门"}),
    (ShareTooSmall, {"total_fen": 2, "count": 3}),
    (ShareTooLarge, {"total_fen": 600_01, "count": 3}),
    (TooManyShares, {"count": 101, "total_fen": 200_00}),
    (GreetingRefused, {"greeting": "恭" * 26}),
    (GreetingRefused, {"greeting": "\u202e财发喜恭"}),
    (GreetingRefused, {"greeting": "恭喜\n发财"}),
    (GreetingRefused, {"greeting": "a\u2066b\u2069"}),
    (GreetingRefused, {"greeting": "zero\u200bwidth"}),
    (GreetingRefused, {"greeting": "\x00"}),
    (GreetingRefused, {"greeting": "   "}),
]


PLAIN = SendPacket(
    packet_id=new("red"),
    payment_id=new("pay"),
    sender_id=new("usr"),
    kind="lucky",
    total_fen=10_00,
    count=3,
)


@pytest.mark.parametrize(("refusal", "changes"), FORMS)
def test_forms_that_make_no_packet(refusal: type[DomainError], changes: dict[str, Any]) -> None:
    check_form(PLAIN)
    with pytest.raises(refusal):
        check_form(msgspec.structs.replace(PLAIN, **changes))


async def test_a_refused_form_leaves_nothing(party: Party) -> None:
    with pytest.raises(ShareTooSmall):
        await party.world.services.redpackets.send(msgspec.structs.replace(PLAIN, total_fen=2))
    assert await TX.query("select 1 from redpacket.packet") == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("恭喜发财，大吉大利", 9),
        ("👨‍👩‍👧‍👦", 1),
        ("👍🏽", 1),
        ("é", 1),
        ("❤️", 1),
        ("", 0),
        ("🇨🇳🇨🇳", 2),
        ("1️⃣", 1),
        ("👨‍👩‍👧‍👦" * 14, 14),
    ],
)
def test_characters_are_counted_as_people_do(text: str, count: int) -> None:
    assert characters(text) == count
    check_greeting(text)


def test_a_greeting_as_long_as_it_may_be() -> None:
    family = "👨‍👩‍👧‍👦"  # seven code points
    send = msgspec.convert({**msgspec.to_builtins(PLAIN), "greeting": family * 14}, SendPacket)
    check_form(send)
    check_greeting("福" * 25)
    for text in ("福" * 26, family * 26, "\u200d".join("福" * 43), "福\u200d福"):
        with pytest.raises(GreetingRefused):
            check_greeting(text)


def test_a_tower_of_marks_is_no_greeting() -> None:
    with pytest.raises(GreetingRefused):
        check_greeting("a" + "\u0301" * 200)


def test_passcodes_are_compared_as_people_mean_them() -> None:
    assert normal(" Open  SESAME ") == normal("ｏｐｅｎ sesame")


async def test_an_empty_greeting_is_the_usual_one(party: Party) -> None:
    anna = await party.world.person(100_00)
    assert (await party.send(anna, greeting="")).greeting == "恭喜发财，大吉大利"


async def test_whom_one_may_send_to(party: Party) -> None:
    packets = party.world.services.redpackets
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    group = await party.group(ben, carl)
    with pytest.raises(NotFound):  # no friend
        await packets.send(party.sending(anna, kind="exclusive", count=1, to_person=ben.person_id))
    with pytest.raises(BadRequest):  # to oneself
        await packets.send(party.sending(anna, kind="exclusive", count=1, to_person=anna.person_id))
    with pytest.raises(NotFound):  # not their group
        await packets.send(party.sending(anna, to_group=group))
    mine = await party.group(anna, ben)
    with pytest.raises(TooManyShares) as refusal:
        await packets.send(party.sending(anna, to_group=mine, count=3))
    assert refusal.value.params == {"limit": 2}


async def test_no_money_no_packet(party: Party) -> None:
    anna = await party.world.person(5_00)
    asked = party.sending(anna)
    with pytest.raises(InsufficientBalance):
        await party.world.services.redpackets.send(asked)
    with pytest.raises(NotFound):
        await party.world.services.redpackets.packet(asked.packet_id)
    party.world.later(minutes=20)
    await party.world.services.payments.sweep()
    await party.world.services.redpackets.sweep()
    [row] = await TX.query("select status, refusal_code from redpacket.packet")
    assert (row["status"], row["refusal_code"]) == ("lapsed", "order_expired")


async def test_more_than_a_day_allows(party: Party) -> None:
    anna = await party.world.person(100_00)
    with pytest.raises(PacketLimit) as refusal:
        await party.world.services.redpackets.send(
            party.sending(anna, total_fen=5_000_01, count=100)
        )
    assert refusal.value.params == {"left_fen": 5_000_00}


async def test_not_in_the_group(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna, to_group=await party.group(anna, ben), count=2)
    with pytest.raises(PacketNotForYou):
        await party.open(packet, carl)
    glance = await party.world.services.redpackets.grab(carl.person_id, packet.packet_id)
    assert glance.state == "not_for_you"


async def test_whoever_left_the_group_keeps_the_answer(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    group = await party.group(anna, ben, carl)
    packet = await party.send(anna, to_group=group)
    share = await party.open(packet, ben)
    for one in (ben, carl):
        await party.world.services.friends.leave_group(one.person_id, group)
    assert await party.open(packet, ben) == share
    with pytest.raises(PacketNotForYou):
        await party.open(packet, carl)


async def test_of_passcodes_that_arrive_together_five_are_compared(party: Party) -> None:
    """With the right one among forty: were more than five compared, it would always be found."""
    anna, ben = await party.world.person(100_00), await party.world.person(trusted=False)
    found = 0
    for place in range(8, 40, 4):
        packet = await party.send(anna, kind="passcode", passcode="芝麻开门")
        answers = await asyncio.gather(
            *(party.open(packet, ben, "芝麻开门" if n == place else f"西瓜{n}") for n in range(40)),
            return_exceptions=True,
        )
        [row] = await TX.query(
            "select wrong from redpacket.tries where packet_id = $1", packet.packet_id
        )
        if any(isinstance(answer, Share) for answer in answers):
            found += 1
        else:
            assert row["wrong"] == MAX_PASSCODE_TRIES
            with pytest.raises(PasscodeSpent):
                await party.open(packet, ben, "芝麻开门")
    assert found <= 4, "of eight"


async def test_a_right_passcode_leaves_the_tries_as_they_were(party: Party) -> None:
    anna, ben, cleo = await party.world.person(100_00), *await party.people(2)
    packet = await party.send(anna, kind="passcode", passcode="芝麻开门", count=2)
    await party.open(packet, cleo, "芝麻开门")
    first = await asyncio.gather(*(party.open(packet, cleo, "芝麻开门") for _ in range(7)))
    assert len(set(first)) == 1
    with pytest.raises(PasscodeWrong) as refusal:
        await party.open(packet, ben, "西瓜开门")
    assert refusal.value.params == {"tries_left": 4}
    await party.open(packet, ben, "芝麻开门")


async def test_a_wrong_passcode_five_times(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna, kind="passcode", passcode="芝麻 开门")
    glance = await party.world.services.redpackets.grab(ben.person_id, packet.packet_id)
    assert glance.state == "passcode"
    for left in (4, 3, 2, 1):
        with pytest.raises(PasscodeWrong) as refusal:
            await party.open(packet, ben, "西瓜开门")
        assert refusal.value.params == {"tries_left": left}
    for passcode in ("西瓜开门", "芝麻 开门"):  # the right one comes too late
        with pytest.raises(PasscodeSpent):
            await party.open(packet, ben, passcode)
    assert (await party.open(packet, carl, "芝麻　开门")).amount_fen > 0  # a wide space
    assert (await party.open(packet, carl, "")).position == 0  # asked again


async def test_a_forged_id(party: Party) -> None:
    anna = await party.world.person(100_00)
    packet = await party.send(anna)
    for forged in (new("red"), "red_", "", "../" + packet.packet_id, packet.packet_id.upper()):
        with pytest.raises(NotFound):
            await party.open(_named(packet, forged), anna)
        with pytest.raises(NotFound):
            await party.world.services.redpackets.grab(anna.person_id, forged)


def _named(packet: Any, packet_id: str) -> Any:
    return msgspec.structs.replace(packet, packet_id=packet_id)


async def test_the_packet_of_a_frozen_sender(party: Party) -> None:
    world = party.world
    anna = await world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna)
    share = await party.open(packet, ben)
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    with pytest.raises(SenderFrozen):
        await party.open(packet, carl)
    assert await party.open(packet, ben) == share  # who opened before keeps it
    with pytest.raises(PayerFrozen):
        await party.send(anna)
    world.later(days=1)
    await world.services.redpackets.sweep()
    assert (await party.now(packet)).status == "returned"
    assert await world.balance(anna.account_id) == 100_00 - share.amount_fen


async def test_a_frozen_opener(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna)
    await party.world.services.payments.freeze(ben.person_id, ben.device_secret)
    with pytest.raises(OpenerFrozen):
        await party.open(packet, ben)
    assert (await party.open(packet, carl)).position == 0


async def test_too_late(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna)
    party.world.clock.at = packet.expires_at
    with pytest.raises(PacketExpired):
        await party.open(packet, ben)
    glance = await party.world.services.redpackets.grab(ben.person_id, packet.packet_id)
    assert (glance.state, glance.packet.status) == ("expired", "expired")
    await party.world.services.redpackets.sweep()
    with pytest.raises(PacketExpired):
        await party.open(packet, carl)


async def test_the_late_cost_nothing(party: Party) -> None:
    """Neither the ledger nor the security system nor a database is asked."""
    anna = await party.world.person(100_00)
    [ben, carl] = await party.people(2)
    packet = await party.send(anna, count=1)
    await party.open(packet, ben)
    calls = len(party.world.ledger.calls) + len(party.world.risk.calls)
    pool, TX.pool = TX.pool, None
    try:
        for _ in range(3):
            with pytest.raises(PacketEmpty):
                await party.open(packet, carl)
    finally:
        TX.pool = pool
    assert len(party.world.ledger.calls) + len(party.world.risk.calls) == calls


async def test_nothing_is_decided_without_the_security_system(party: Party) -> None:
    anna = await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    party.world.risk.down = True
    with pytest.raises(RiskUnavailable):
        await party.open(packet, ben)
    assert await TX.query("select 1 from redpacket.share") == []
    party.world.risk.heal()
    assert (await party.open(packet, ben)).status == "posted"


async def test_a_new_account_opens_twenty_of_thirty_at_once(party: Party) -> None:
    anna = await party.world.person(400_00)
    [ben] = await party.people(1)
    packets = [await party.send(anna, count=3) for _ in range(30)]
    answers = await asyncio.gather(
        *(party.open(packet, ben) for packet in packets), return_exceptions=True
    )
    shares = [answer for answer in answers if isinstance(answer, Share)]
    assert len(shares) == 20
    assert sum(isinstance(answer, OpenLimit) for answer in answers) == 10
    assert await party.world.balance(ben.account_id) == sum(one.amount_fen for one in shares)
