"""Who is told of what, and in which words."""

from datetime import timedelta

from backend import ids
from backend.redpacket import OpenPacket, SendPacket
from backend.transfers import DELAYS
from tests.notices.told import kinds, told
from tests.transfers.people import (
    Two,
    a_minute,
    ask,
    befriend,
    confirming,
    paying_share,
    send,
    sending,
)
from tests.world import Wallet, World


async def test_money_from_a_friend_is_told_to_who_gets_it_only(world: World, two: Two) -> None:
    sent = await send(world, two, note="午饭")
    [notice] = await told(world, two.payee)
    assert (notice.kind, notice.area, notice.ref) == ("transfer", "money", sent.transfer_id)
    assert (notice.state, notice.name, notice.amount_fen) == ("arrived", "安娜", 88_00)
    assert (notice.note, notice.read) == ("午饭", False)
    assert await told(world, two.payer) == []


async def test_a_delayed_transfer_has_one_notice_that_moves_on(world: World, two: Two) -> None:
    sent = await send(world, two, delay=DELAYS[1])
    [waiting] = await told(world, two.payee)
    assert (waiting.state, waiting.ref) == ("waiting", sent.transfer_id)
    await world.services.notices.read(two.payee.person_id, waiting.notice_id)

    world.later(hours=2)
    await a_minute(world)
    [arrived] = await told(world, two.payee)  # up again, unread, in other words
    assert (arrived.state, arrived.ref) == ("arrived", sent.transfer_id)
    [mine] = await told(world, two.payer)  # it happened by itself
    assert (mine.state, mine.name) == ("sent_arrived", "李雷")


async def test_a_recall_is_told_to_the_other_only(world: World, two: Two) -> None:
    sent = await send(world, two, delay=DELAYS[2])
    payer = two.payer
    await world.services.transfers.recall(payer.person_id, sent.transfer_id, payer.device_secret)
    assert [notice.state for notice in await told(world, two.payee)] == ["recalled"]
    assert await told(world, payer) == []


async def test_a_split_is_one_notice_for_each_and_one_for_who_asked(world: World, two: Two) -> None:
    asker, one = two.payee, two.payer
    other = await world.person(800_00, name="韩梅梅")
    await befriend(world, other, asker)
    before = len(await told(world, asker))
    request = await ask(world, asker, (one, 30_00), (other, 20_00))
    [asked] = await told(world, one)
    assert (asked.kind, asked.state, asked.name) == ("request", "open", "李雷")
    assert (asked.amount_fen, asked.note) == (30_00, "火锅")
    assert len(await told(world, asker)) == before  # who asks knows it

    await world.services.transfers.start(paying_share(request, one))
    first, *rest = await told(world, asker)
    assert len(rest) == before  # the transfer itself is not told as well
    assert (first.kind, first.state, first.name) == ("request_answered", "paid", "安娜")
    assert (first.done, first.of, first.amount_fen) == (1, 2, 30_00)
    # Not of what others did.
    assert await kinds(world, other) == ["request", "friend_accepted"]

    await world.services.transfers.decline(other.person_id, request.request_id)
    last, *rest = await told(world, asker)
    assert len(rest) == before  # the same notice
    assert (last.state, last.name, last.done) == ("declined", "韩梅梅", 1)


async def test_a_reminder_brings_the_request_up_again(world: World, two: Two) -> None:
    request = await ask(world, two.payee, (two.payer, 30_00))
    [asked] = await told(world, two.payer)
    await world.services.notices.read(two.payer.person_id, asked.notice_id)
    assert await told(world, two.payer) == []
    await world.services.transfers.remind(two.payee.person_id, request.request_id)
    [again] = await told(world, two.payer)
    assert again.ref == asked.ref
    assert again.notice_id > asked.notice_id

    world.later(days=8)
    await world.services.transfers.sweep()
    [over] = await told(world, two.payee)
    assert (over.kind, over.state, over.done, over.of) == ("request_answered", "expired", 0, 1)


async def test_who_asks_to_be_a_friend_and_who_became_one(world: World) -> None:
    one, other = await world.person(), await world.person(name="李雷")
    link = await world.services.friends.link(other.person_id)
    await world.services.friends.ask(ids.new("frq"), one.person_id, link, "我是安娜")
    [asked] = await told(world, other)
    assert (asked.kind, asked.area, asked.state) == ("friend_asked", "friends", "asking")
    assert (asked.name, asked.note, asked.ref) == ("安娜", "我是安娜", one.person_id)
    await world.services.friends.accept(other.person_id, one.person_id)
    [became] = await told(world, one)
    assert (became.kind, became.name, became.ref) == ("friend_accepted", "李雷", other.person_id)
    assert await kinds(world, other) == ["friend_asked"]  # who accepted knows it


async def test_who_was_put_into_a_group_is_told(world: World, two: Two) -> None:
    friends, mine = world.services.friends, two.payer.person_id
    group = await friends.new_group(ids.new("grp"), mine, "火锅局")
    await friends.add_to_group(mine, group.group_id, two.payee.person_id)
    [notice] = await told(world, two.payee)
    assert (notice.kind, notice.name, notice.ref) == ("group_joined", "火锅局", group.group_id)
    third = await world.person()
    link = await friends.invite_link(mine, group.group_id)
    await friends.join_group(third.person_id, link)
    assert await told(world, third) == []


async def packet(world: World, sender: Wallet, to: Wallet) -> str:
    started = await world.services.redpackets.send(
        SendPacket(
            packet_id=ids.new("red"),
            payment_id=ids.new("pay"),
            sender_id=sender.person_id,
            kind="exclusive",
            total_fen=8_88,
            count=1,
            to_person=to.person_id,
            device_secret=sender.device_secret,
        )
    )
    if started.requirement is not None and started.requirement.ceremony is not None:
        ceremony = started.requirement.ceremony
        confirm = confirming(sender, started)  # type: ignore[arg-type]
        assert ceremony.ceremony_id == confirm.ceremony_id
        await world.services.redpackets.confirm(confirm)
    return started.packet.packet_id


async def test_a_packet_and_its_end(world: World, two: Two) -> None:
    packet_id = await packet(world, two.payer, two.payee)
    [waits] = await told(world, two.payee)
    assert (waits.kind, waits.state, waits.name) == ("packet_received", "open", "安娜")
    assert waits.amount_fen == 0  # not before it is opened
    payee = two.payee
    await world.services.redpackets.open(
        OpenPacket(
            packet_id=packet_id, person_id=payee.person_id, device_secret=payee.device_secret
        )
    )
    await world.services.redpackets.sweep()
    [opened] = await told(world, payee)
    assert (opened.state, opened.amount_fen) == ("mine", 8_88)
    [ended] = await told(world, two.payer)
    assert (ended.kind, ended.state, ended.done, ended.of) == ("packet_ended", "empty", 1, 1)


async def test_a_packet_that_comes_back_is_told_once(world: World, two: Two) -> None:
    await packet(world, two.payer, two.payee)
    world.later(hours=25)
    for _ in range(3):
        await world.services.redpackets.sweep()
    [back] = await told(world, two.payer)
    assert (back.kind, back.state, back.amount_fen) == ("packet_ended", "returned", 8_88)
    [missed] = await told(world, two.payee)
    assert (missed.kind, missed.state) == ("packet_received", "expired")


async def test_ones_own_payment_is_a_bill_and_no_notice(world: World, two: Two) -> None:
    shop = await world.shop(two.payee)
    order = await world.order(shop)
    await world.services.payments.start(world.paying(two.payer, order))
    assert await told(world, two.payer) == []
    assert await told(world, two.payee) == []


async def test_a_transfer_asks_nothing_before_it_is_paid(world: World, two: Two) -> None:
    await world.services.transfers.open(sending(two, delay=timedelta(hours=2)))
    assert await told(world, two.payee) == []
