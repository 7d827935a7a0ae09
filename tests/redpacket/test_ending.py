"""The end of a packet, faults on the way to it, and what a crash leaves half-way."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from backend.db import TX
from backend.errors import DomainError
from backend.redpacket import Packet
from tests.redpacket.conftest import Party
from tests.world import Crash, Wallet


async def three_and_one_opened(party: Party) -> tuple[Packet, Wallet, Wallet]:
    anna = await party.world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    await party.open(packet, ben)
    return packet, anna, ben


async def test_the_rest_goes_back_at_its_time_and_once(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    packet, anna, ben = await three_and_one_opened(party)
    opened = await world.balance(ben.account_id)
    world.clock.at = packet.expires_at - timedelta(microseconds=1)
    await packets.sweep()
    assert (await party.now(packet)).status == "open"
    assert (await party.now(packet)).seed == ""
    world.clock.at = packet.expires_at
    await asyncio.gather(*(packets.sweep() for _ in range(4)))
    await packets.sweep()
    ended = await party.now(packet)
    assert (ended.status, ended.returned_fen, ended.opened) == ("returned", 10_00 - opened, 1)
    assert (await packets.verify(packet.packet_id)).fair
    assert await world.balance(anna.account_id) == 100_00 - opened
    assert await party.pot(packet) == 0
    page = await world.services.bills.page(anna.person_id, "", 10)
    [back] = [bill for bill in page.bills if bill.kind == "packet_return"]
    assert (back.amount_fen, back.direction, back.status) == (10_00 - opened, "in", "succeeded")
    told = await party.events(f"person:{anna.person_id}")
    assert [told.count(kind) for kind in ("packet_ended", "packet_returned")] == [1, 1]


async def test_an_empty_packet_returns_nothing(party: Party) -> None:
    anna = await party.world.person(100_00)
    packet = await party.send(anna, count=1)
    await party.open(packet, anna)
    party.world.later(days=3)
    assert await party.world.services.redpackets.sweep() == 0
    assert (await party.now(packet)).status == "empty"


async def test_a_worker_that_was_down_for_days(party: Party) -> None:
    packet, anna, _ = await three_and_one_opened(party)
    party.world.later(days=9)
    await party.world.services.redpackets.sweep()
    ended = await party.now(packet)
    assert (ended.status, ended.ended_at) == ("returned", packet.expires_at)
    assert await party.world.balance(anna.account_id) == 90_00 + ended.returned_fen


POINTS = [
    ("risk", "crash_before", "authorize_pot_end"),
    ("risk", "crash_after", "authorize_pot_end"),
    ("risk", "lost", "authorize_pot_end"),
    ("ledger", "crash_before", "post"),
    ("ledger", "crash_after", "post"),
    ("ledger", "lost", "post"),
    ("ledger", "lost", "outcome"),
]


@pytest.mark.parametrize(("system", "fault", "method"), POINTS)
async def test_a_return_that_stopped_half_way(
    party: Party, system: str, fault: str, method: str
) -> None:
    packet, anna, ben = await three_and_one_opened(party)
    party.world.clock.at = packet.expires_at
    line = getattr(party.world, system)
    getattr(line, fault).add(method)
    await party.world.services.redpackets.sweep()
    assert (await party.now(packet)).status == "expired"
    line.heal()
    party.world.later(minutes=5)
    await party.world.services.redpackets.sweep()
    opened = await party.world.balance(ben.account_id)
    assert (await party.now(packet)).status == "returned"
    assert await party.world.balance(anna.account_id) == 100_00 - opened


OPENING = [
    ("risk", "crash_before", "authorize_shares"),
    ("risk", "crash_after", "authorize_shares"),
    ("risk", "lost", "authorize_shares"),
    ("ledger", "crash_before", "post"),
    ("ledger", "crash_after", "post"),
    ("ledger", "lost", "post"),
]


@pytest.mark.parametrize(("system", "fault", "method"), OPENING)
@pytest.mark.parametrize("late", [False, True])
async def test_a_share_that_was_decided_stands(
    party: Party, system: str, fault: str, method: str, late: bool
) -> None:
    """Whatever went wrong after it, and though the packet has ended meanwhile."""
    world = party.world
    anna = await world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    if late:
        world.clock.at = packet.expires_at - timedelta(seconds=1)
    line = getattr(world, system)
    getattr(line, fault).add(method)
    told = await party.open(packet, ben)
    assert told.status == "decided"
    line.heal()
    assert (await party.open(packet, ben)).amount_fen == told.amount_fen
    world.later(minutes=5)
    await world.services.redpackets.sweep()
    share = await party.open(packet, ben)
    assert (share.amount_fen, share.status) == (told.amount_fen, "posted")
    assert await world.balance(ben.account_id) == told.amount_fen
    world.later(days=1)
    await world.services.redpackets.sweep()
    assert await world.balance(anna.account_id) == 100_00 - told.amount_fen


async def test_a_verdict_that_ended_on_its_way(party: Party) -> None:
    """The ledger refuses the posting for good: its shares are posted with another."""
    world = party.world
    anna = await world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    real = world.ledger.__getattr__("post")

    async def slow(*args: object) -> object:
        world.later(seconds=61)
        return await real(*args)

    world.ledger.post = slow  # type: ignore[attr-defined]
    assert (await party.open(packet, ben)).status == "decided"
    del world.ledger.post
    for _ in range(2):
        world.later(seconds=11)
        await world.services.redpackets.sweep()
    share = await party.open(packet, ben)
    assert share.status == "posted"
    assert await world.balance(ben.account_id) == share.amount_fen
    batches = await TX.query("select status from redpacket.batch order by created_at")
    assert [row["status"] for row in batches] == ["dropped", "posted"]


async def test_a_sender_frozen_between_deciding_and_posting(party: Party) -> None:
    """The share waits for the freeze to end; ten minutes after the packet's end it is void."""
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(100_00)
    [ben] = await party.people(1)
    packet = await party.send(anna)
    world.risk.crash_before = {"authorize_shares"}
    share = await party.open(packet, ben)
    world.risk.heal()
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    for _ in range(3):
        world.later(minutes=2)
        await packets.sweep()
    assert (await party.open(packet, ben)).status == "decided"
    world.clock.at = packet.expires_at
    await packets.sweep()
    assert (await party.now(packet)).status == "expired"  # the rest waits for the share
    for _ in range(3):
        world.later(minutes=10)
        await packets.sweep()
    void = await party.open(packet, ben)
    assert (void.status, void.amount_fen) == ("void", share.amount_fen)
    ended = await party.now(packet)
    assert (ended.status, ended.opened, ended.returned_fen) == ("returned", 0, 10_00)
    assert "packet_share_void" in await party.events(f"person:{ben.person_id}")
    assert (await packets.verify(packet.packet_id)).fair


async def test_a_void_share_is_not_the_luckiest(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(400_00)
    people = await party.people(3)
    packet = await party.send(anna, total_fen=300_00, count=4)
    world.risk.crash_before = {"authorize_shares"}
    shares = [await party.open(packet, one) for one in people]
    world.risk.heal()
    best = max(shares, key=lambda share: (share.amount_fen, -share.position))
    await TX.query(
        "update redpacket.batch b set due_at = 'infinity' from redpacket.share s"
        " where s.posting_id = b.posting_id and s.packet_id = $1 and s.person_id = $2",
        packet.packet_id,
        best.person_id,
    )
    world.later(minutes=1)
    await packets.sweep()
    await TX.query("update redpacket.batch set due_at = created_at where due_at = 'infinity'")
    await world.services.payments.freeze(anna.person_id, anna.device_secret)
    world.clock.at = packet.expires_at
    await packets.sweep()
    assert await crowned(party, packet) == [best.person_id]
    for _ in range(3):
        world.later(minutes=10)
        await packets.sweep()
    second = max(
        (share for share in shares if share != best),
        key=lambda share: (share.amount_fen, -share.position),
    )
    assert await crowned(party, packet) == [second.person_id]


async def crowned(party: Party, packet: Packet) -> list[str]:
    detail = await party.world.services.redpackets.detail(packet.sender_id, packet.packet_id)
    return [share.person_id for share in detail.shares if share.luckiest]


async def test_the_database_dies_while_it_is_decided(
    party: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.redpacket import deciding

    anna = await party.world.person(100_00)
    people = await party.people(3)
    packet = await party.send(anna)

    async def crash(*_: object) -> None:
        raise Crash()

    with monkeypatch.context() as broken:
        broken.setattr(deciding, "insert_shares", crash)
        answers = await asyncio.gather(
            *(party.open(packet, one) for one in people), return_exceptions=True
        )
        assert all(isinstance(answer, Crash) for answer in answers)
    assert await TX.query("select 1 from redpacket.batch") == []
    shares = await asyncio.gather(*(party.open(packet, one) for one in people))
    assert sum(share.amount_fen for share in shares) == 10_00


async def test_an_order_paid_while_we_were_down(party: Party) -> None:
    """The crash came after the payment: the sweeper opens the packet."""
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(100_00)
    [ben] = await party.people(1)
    group = await party.group(anna, ben)
    asked = party.sending(anna, to_group=group, count=2)
    world.ledger.crash_after = {"post"}
    with pytest.raises(Crash):
        await packets.send(asked)
    world.ledger.heal()
    world.later(minutes=1)
    await world.services.payments.sweep()
    await packets.sweep()
    packet = (await packets.grab(anna.person_id, asked.packet_id)).packet
    assert packet.status == "open"
    assert await packets.unread(ben.person_id) == 1
    assert (await packets.send(asked)).packet == packet
    assert (await party.open(packet, ben)).status == "posted"


async def test_a_payment_refused_by_the_books(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna = await world.person(100_00)
    asked = party.sending(anna)
    real = world.ledger.__getattr__("post")

    async def frozen(*args: object) -> object:
        await world.books.set_frozen((anna.account_id,), True)
        return await real(*args)

    world.ledger.post = frozen  # type: ignore[attr-defined]
    with pytest.raises(DomainError, match="account_frozen"):
        await packets.send(asked)
    [row] = await TX.query("select status, refusal_code from redpacket.packet")
    assert (row["status"], row["refusal_code"]) == ("refused", "account_frozen")
    await world.books.set_frozen((anna.account_id,), False)


async def test_money_of_a_packet_can_not_leave_twice(party: Party) -> None:
    """The account's floor, whatever the code believes."""
    packet, _, _ = await three_and_one_opened(party)
    owner = await asyncpg.connect(party.world.settings.tx_owner_url)
    with pytest.raises(asyncpg.PostgresError, match="floor"):
        await owner.execute(
            "update ledger.account set posted_fen = -1 where account_id = $1",
            f"packet:{packet.packet_id}",
        )
    await owner.close()
