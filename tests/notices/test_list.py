"""The list: pages, what is read, what isn't wanted, what is forgotten."""

import asyncpg
import pytest

from backend import ids
from backend.clock import SystemClock
from backend.db import TX
from backend.errors import BadRequest, NotFound
from backend.events import News
from backend.notices import AREAS, MAX_UNREAD
from backend.notices.kinds import ALL, KINDS
from backend.notices.record import Recorder
from tests.notices.told import kinds, told
from tests.world import Wallet, World


async def happen(world: World, *news: News) -> None:
    async with TX.transaction():
        await world.services.events.record_all(news)


def gifts(wallet: Wallet, count: int) -> tuple[News, ...]:
    topic = f"person:{wallet.person_id}"
    return tuple(News(topic, "packet_received", ids.new("red")) for _ in range(count))


async def test_pages_follow_each_other_without_gap(world: World) -> None:
    anna, notices = await world.person(), world.services.notices
    for news in gifts(anna, 5):
        await happen(world, news)
    seen, cursor = [], ""
    for _ in range(3):
        page = await notices.page(anna.person_id, cursor, 2)
        seen += [notice.notice_id for notice in page.notices]
        cursor = page.next_cursor
    assert cursor == ""
    assert len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_cursor_is_good_for_its_owner_only(world: World) -> None:
    anna, other, notices = await world.person(), await world.person(), world.services.notices
    await happen(world, *gifts(anna, 3))
    cursor = (await notices.page(anna.person_id, "", 1)).next_cursor
    for limit, given, who in ((1, cursor, other), (0, "", anna), (101, "", anna), (5, "x", anna)):
        with pytest.raises(BadRequest):
            await notices.page(who.person_id, given, limit)


async def test_reading_up_to_one_leaves_the_later_ones(world: World) -> None:
    anna, other, notices = await world.person(), await world.person(), world.services.notices
    for wallet in (anna, anna, anna, other):
        await happen(world, *gifts(wallet, 1))
    _, middle, _ = (await notices.page(anna.person_id, "", 10)).notices
    await notices.read(anna.person_id, middle.notice_id)
    page = await notices.page(anna.person_id, "", 10)
    assert [notice.read for notice in page.notices] == [False, True, True]
    assert await notices.unread(anna.person_id) == 1
    assert await notices.unread(other.person_id) == 1
    with pytest.raises(BadRequest):
        await notices.read(anna.person_id, "ntc_nothing")


async def test_looking_at_one_reads_it_alone(world: World) -> None:
    anna, other, notices = await world.person(), await world.person(), world.services.notices
    await happen(world, *gifts(anna, 2))
    _, oldest = (await notices.page(anna.person_id, "", 10)).notices
    assert (await notices.look(anna.person_id, oldest.notice_id)).read
    assert await notices.unread(anna.person_id) == 1
    with pytest.raises(NotFound):
        await notices.look(other.person_id, oldest.notice_id)


async def test_unread_ones_are_counted_to_a_hundred(world: World) -> None:
    anna = await world.person()
    await happen(world, *gifts(anna, MAX_UNREAD + 5))
    assert await world.services.notices.unread(anna.person_id) == MAX_UNREAD


async def test_the_same_thing_twice_at_once_is_one_notice(world: World) -> None:
    anna = await world.person()
    [news] = gifts(anna, 1)
    await happen(world, news, news)
    assert await kinds(world, anna) == ["packet_received"]


async def test_what_is_rolled_back_was_never_told(world: World) -> None:
    anna = await world.person()

    async def undone() -> None:
        async with TX.transaction():
            await world.services.events.record_all(gifts(anna, 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await undone()
    assert await told(world, anna) == []


async def test_other_topics_and_nobody_get_no_notice(world: World) -> None:
    shop = f"shop:{ids.new('mch')}"
    news = [News(topic, "friend_asked", ids.new("usr")) for topic in (shop, "person:nobody")]
    await happen(world, *news)
    assert await TX.query("select 1 from notices.notice") == []


async def test_a_kind_that_is_switched_off_is_not_told(world: World) -> None:
    anna, notices = await world.person(), world.services.notices
    assert not (await notices.switch(anna.person_id, "packet_received", False)).on
    await happen(world, *gifts(anna, 1))
    assert await told(world, anna) == []
    off = {switch.kind for switch in await notices.switches(anna.person_id) if not switch.on}
    assert off == {"packet_received"}
    await notices.switch(anna.person_id, "packet_received", True)
    await notices.switch(anna.person_id, "packet_received", True)
    await happen(world, *gifts(anna, 1))
    assert await kinds(world, anna) == ["packet_received"]


async def test_security_is_always_told(world: World, owner_of_tables: asyncpg.Connection) -> None:
    anna, notices = await world.person(), world.services.notices
    with pytest.raises(BadRequest):
        await notices.switch(anna.person_id, "frozen", False)
    with pytest.raises(NotFound):
        await notices.switch(anna.person_id, "gossip", False)
    fixed = [switch for switch in await notices.switches(anna.person_id) if switch.fixed]
    assert {switch.area for switch in fixed} == {"security"}
    assert all(switch.on for switch in fixed)
    with pytest.raises(asyncpg.CheckViolationError):  # the database says so too
        await owner_of_tables.execute(
            "insert into notices.silenced values ($1, 'frozen', 'security')", anna.person_id
        )


async def test_a_year_later_it_is_forgotten(world: World) -> None:
    anna, notices = await world.person(), world.services.notices
    await happen(world, *gifts(anna, 3))
    world.later(days=364)
    await happen(world, *gifts(anna, 1))
    world.later(days=2)
    await notices.sweep()
    left = await TX.query("select kind from notices.notice where person_id = $1", anna.person_id)
    assert len(left) == 1


async def test_a_notice_needs_the_transaction_of_its_event(world: World) -> None:
    anna = await world.person()
    [news] = gifts(anna, 1)
    with pytest.raises(AssertionError):
        await world.services.events.record_all((news,))
    async with TX.transaction():
        await Recorder(SystemClock()).note((news,))
    assert await kinds(world, anna) == ["packet_received"]


def test_every_kind_has_one_area() -> None:
    assert len({rule.kind for rule in KINDS.values()}) == len(ALL)
    assert {rule.area for rule in ALL} == set(AREAS)
