"""The inbox: unread first, what ends soon, years with sums, pages without loss or doubles."""

from datetime import datetime, timedelta

import pytest

from backend import cursor as places
from backend.db import TX
from backend.errors import BadRequest
from backend.ids import new
from backend.redpacket import InboxItem, Packet, SendPacket, YearSum
from tests.redpacket.conftest import Party
from tests.world import Wallet


async def give(party: Party, sender: Wallet, to: Wallet, count: int = 1) -> list[Packet]:
    """Exclusive ones, of a yuan each."""
    one = {"kind": "exclusive", "count": 1, "to_person": to.person_id, "total_fen": 1_00}
    return [await party.send(sender, **one) for _ in range(count)]


async def friends(party: Party, balance: int = 100_00) -> tuple[Wallet, Wallet]:
    anna, [ben] = await party.world.person(balance), await party.people(1)
    await party.befriend(anna, ben)
    return anna, ben


async def waiting(party: Party, wallet: Wallet) -> list[InboxItem]:
    page = await party.world.services.redpackets.inbox(wallet.person_id, "waiting", 0, "")
    return list(page.items)


async def whole(
    party: Party, wallet: Wallet, box: str, year: int, limit: int
) -> tuple[list[str], list[int]]:
    """Ids over all pages, and how many were on each."""
    found, sizes, cursor = list[str](), list[int](), ""
    while True:
        page = await party.world.services.redpackets.inbox(
            wallet.person_id, box, year, cursor, limit
        )
        found += [item.packet.packet_id for item in page.items]
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if not cursor:
            return found, sizes


def of_china(at: datetime) -> int:
    return (at + timedelta(hours=8)).year


async def test_what_was_not_looked_at_comes_first(party: Party) -> None:
    packets, (anna, ben) = party.world.services.redpackets, await friends(party)
    [first] = await give(party, anna, ben)
    party.world.later(minutes=10)
    [second] = await give(party, anna, ben)
    party.world.later(minutes=10)
    [third] = await give(party, anna, ben)
    # All unread: who ends first comes first.
    found = await waiting(party, ben)
    assert [item.packet.packet_id for item in found] == [
        p.packet_id for p in (first, second, third)
    ]
    assert await packets.unread(ben.person_id) == 3
    await packets.look(ben.person_id, first.packet_id)
    await packets.look(ben.person_id, first.packet_id)  # again changes nothing
    await packets.look(anna.person_id, second.packet_id)  # nor does another's
    found = await waiting(party, ben)
    assert [item.packet.packet_id for item in found] == [
        p.packet_id for p in (second, third, first)
    ]
    assert [item.unread for item in found] == [True, True, False]
    assert await packets.unread(ben.person_id) == 2
    await party.open(second, ben)
    assert await packets.unread(ben.person_id) == 1
    assert second.packet_id not in [item.packet.packet_id for item in await waiting(party, ben)]


async def test_what_ends_within_three_hours_is_marked(party: Party) -> None:
    anna, ben = await friends(party)
    [packet] = await give(party, anna, ben)
    party.world.clock.at = packet.expires_at - timedelta(hours=3, microseconds=1)
    [item] = await waiting(party, ben)
    assert (item.soon, item.unread, item.mine) == (False, True, None)
    party.world.clock.at = packet.expires_at - timedelta(hours=3)
    assert [item.soon for item in await waiting(party, ben)] == [True]
    party.world.clock.at = packet.expires_at
    assert await waiting(party, ben) == []  # before any sweep
    assert await party.world.services.redpackets.unread(ben.person_id) == 0


async def test_a_packet_for_the_sender_waits_for_nobody(party: Party) -> None:
    anna = await party.world.person(100_00)
    await party.send(anna)
    assert await waiting(party, anna) == []


async def test_sums_by_year_and_how_often_one_was_luckiest(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna, ben = await friends(party, 1000_00)
    year = of_china(world.clock.now())
    two = await party.send(anna, total_fen=10_00, count=2)
    shares = [await party.open(two, one) for one in (ben, anna)]
    gift = (await give(party, anna, ben))[0]
    await party.open(gift, ben)
    running = await party.send(anna, count=3, total_fen=6_00)
    part = await party.open(running, ben)
    lucky = max(shares, key=lambda share: (share.amount_fen, -share.position)).person_id
    told = await packets.years(ben.person_id, "received")
    assert told == (
        YearSum(
            year=year,
            sum_fen=shares[0].amount_fen + 1_00 + part.amount_fen,
            count=3,
            luckiest=int(lucky == ben.person_id),  # of what has ended, and of a lucky kind
        ),
    )
    [sent] = await packets.years(anna.person_id, "sent")
    assert (sent.year, sent.sum_fen, sent.count) == (year, 17_00, 3)
    assert await packets.years(ben.person_id, "sent") == ()
    # A packet that ended on New Year's Eve belongs to the year in which it was opened, in China.
    world.clock.at = datetime(year + 1, 1, 2, tzinfo=world.clock.now().tzinfo)
    [late] = await give(party, anna, ben)
    await party.open(late, ben)
    assert [one.year for one in await packets.years(ben.person_id, "received")] == [year + 1, year]
    found, _ = await whole(party, ben, "received", year + 1, 30)
    assert found == [late.packet_id]


async def test_new_year_is_chinas(party: Party) -> None:
    """Seven in the evening in Berlin on the last day is the first in Shanghai."""
    world = party.world
    anna, ben = await friends(party)
    year = of_china(world.clock.now())
    zone = world.clock.now().tzinfo
    for at in (
        datetime(year, 12, 31, 15, 59, tzinfo=zone),
        datetime(year, 12, 31, 16, tzinfo=zone),
    ):
        world.clock.at = at
        [packet] = await give(party, anna, ben)
        await party.open(packet, ben)
    sums = await world.services.redpackets.years(ben.person_id, "received")
    assert [(one.year, one.count) for one in sums] == [(year + 1, 1), (year, 1)]


async def test_pages_lose_and_repeat_nothing(party: Party) -> None:
    """Also while packets are looked at, opened and sent in between."""
    world, packets = party.world, party.world.services.redpackets
    anna, ben = await friends(party, 1000_00)
    given = await give(party, anna, ben, 7)  # all within one moment of the clock
    year = of_china(world.clock.now())
    for limit in (1, 2, 3, 7, 30):
        found, sizes = await whole(party, ben, "waiting", 0, limit)
        assert sorted(found) == sorted(one.packet_id for one in given)
        assert all(size == limit for size in sizes[:-1])
    for one in given[:5]:
        await party.open(one, ben)
    sent, _ = await whole(party, anna, "sent", year, 3)
    assert sent == sorted((one.packet_id for one in given), reverse=True)
    received, sizes = await whole(party, ben, "received", year, 2)
    assert (sorted(received), sizes) == (sorted(one.packet_id for one in given[:5]), [2, 2, 1])
    first = await packets.inbox(anna.person_id, "sent", year, "", 3)
    world.later(minutes=1)
    await give(party, anna, ben)  # newer than the page that was read
    following = await packets.inbox(anna.person_id, "sent", year, first.next_cursor, 3)
    assert not {item.packet.packet_id for item in first.items} & {
        item.packet.packet_id for item in following.items
    }
    assert [item.packet.packet_id for item in (*first.items, *following.items)] == sent[:6]


async def test_a_page_has_its_bounds(party: Party) -> None:
    anna, ben = await friends(party)
    await give(party, anna, ben, 2)
    packets = party.world.services.redpackets
    for limit, count in ((0, 1), (-5, 1), (1, 1), (10**9, 2)):
        page = await packets.inbox(ben.person_id, "waiting", 0, "", limit)
        assert len(page.items) == count


async def test_a_cursor_is_of_its_own_list(party: Party) -> None:
    world, packets = party.world, party.world.services.redpackets
    anna, ben = await friends(party)
    await give(party, anna, ben, 3)
    year = of_china(world.clock.now())
    own = (await packets.inbox(anna.person_id, "sent", year, "", 1)).next_cursor
    assert own
    for person, box, when in (
        (ben, "sent", year),
        (anna, "received", year),
        (anna, "sent", year - 1),
        (anna, "waiting", 0),
    ):
        with pytest.raises(BadRequest):
            await packets.inbox(person.person_id, box, when, own, 1)
    forged = places.encode("packets", world.clock.now(), new("red"))
    for cursor in (forged, own[:-2] + "AA", own + "x", "x", "🧧", "A" * 300):
        with pytest.raises(BadRequest):
            await packets.inbox(anna.person_id, "sent", year, cursor, 1)


@pytest.mark.parametrize(("box", "year"), [("all", 2026), ("", 2026), ("sent", 0), ("sent", 2200)])
async def test_no_such_box_or_year(party: Party, box: str, year: int) -> None:
    anna = await party.world.person()
    with pytest.raises(BadRequest):
        await party.world.services.redpackets.inbox(anna.person_id, box, year, "")
    if box != "sent":
        with pytest.raises(BadRequest):
            await party.world.services.redpackets.years(anna.person_id, box)


async def test_an_unpaid_packet_is_in_no_box(party: Party) -> None:
    anna, ben = await friends(party, 3000_00)
    asked: SendPacket = party.sending(anna, total_fen=900_00, count=20)
    started = await party.world.services.redpackets.send(asked)
    assert started.requirement is not None
    year = of_china(party.world.clock.now())
    assert (await whole(party, anna, "sent", year, 30))[0] == []
    assert await party.world.services.redpackets.years(anna.person_id, "sent") == ()
    # Its sender sees it all the same, and may pay it once more.
    packets = party.world.services.redpackets
    assert (await packets.sent(anna.person_id, asked.packet_id)).status == "created"
    assert await TX.query("select 1 from redpacket.inbox where person_id = $1", ben.person_id) == []
