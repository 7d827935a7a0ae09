"""Who may open packets, and how many."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import pytest

from backend import ids
from backend.db import SEC
from backend.intent import Intent
from backend.risk import LimitExceeded, Opener, OpenerRefused, openers
from backend.risk.demo import RiskWithDemo
from backend.risk.rules import TIER_YEAR_FEN
from backend.risk.service import build
from backend.settings import Settings
from tests.risk.people import Outbox, Person, World, alarm
from tests.risk.pots import beside, judged, sent, shares, terms

HOUR = timedelta(hours=1)


async def used_up(person: Person, **counts: int) -> None:
    """As if the person had opened that much today."""
    sets = ", ".join(f"{name} = {value}" for name, value in counts.items())
    await SEC.query(
        f"update risk.opener set day = '2026-11-23', year = 2026, {sets} where person_id = $1",
        person.person_id,
    )


async def older(world: World, *people: Person) -> None:
    await SEC.query(
        "update risk.person set created_at = $2 where person_id = any($1)",
        [person.person_id for person in people],
        world.clock.now() - HOUR,
    )


async def test_an_opener_has_a_live_device(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender)
    asked = (
        Opener(ann.person_id, ben.secret),
        Opener(ben.person_id, ""),
        Opener(ids.new("usr"), ben.secret),
        Opener(ben.person_id, ben.secret),
    )
    answers = await world.risk.judge_openers(funding.payee_id, asked)
    assert [a.code for a in answers[:3]] == ["device_unknown", "device_unknown", "device_unknown"]


async def test_a_frozen_person_opens_nothing(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    funding = await sent(world, sender)
    assert await judged(world, funding, ann) == [""]
    await world.risk.freeze(ann.person_id, ann.secret)
    await alarm(world, f"person:{ben.person_id}")
    assert await judged(world, funding, ann, ben) == ["opener_frozen", "opener_frozen"]
    for person in (ann, ben):
        with pytest.raises(OpenerRefused) as refused:
            await world.risk.authorize_shares(shares(funding, (person, 1_00)))
        assert refused.value.params == {"person_id": person.person_id, "why": "opener_frozen"}


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"shares": openers.OPENED_DAY - 1}, ""),
        ({"shares": openers.OPENED_DAY}, "open_limit"),
        ({"fen": openers.OPENED_DAY_FEN - 1}, ""),
        ({"fen": openers.OPENED_DAY_FEN}, "open_limit"),
        ({"tries": openers.TRIES_DAY - 1}, ""),
        ({"tries": openers.TRIES_DAY}, "open_limit"),
        ({"year_fen": TIER_YEAR_FEN - 1}, ""),
        ({"year_fen": TIER_YEAR_FEN}, "open_limit"),
    ],
)
async def test_limits_of_a_person(world: World, counts: dict[str, int], code: str) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    await older(world, ann)
    await used_up(ann, **counts)
    funding = await sent(world, sender)
    assert await judged(world, funding, ann) == [code]
    if code:
        with pytest.raises(OpenerRefused) as refused:
            await world.risk.authorize_shares(shares(funding, (ann, 1_00)))
        assert refused.value.params["why"] == "open_limit"


async def test_limits_of_a_new_account(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    await used_up(ann, shares=openers.NEW_ACCOUNT_OPENED_DAY)
    await used_up(ben, fen=openers.NEW_ACCOUNT_OPENED_DAY_FEN)
    funding = await sent(world, sender)
    assert await judged(world, funding, ann, ben) == ["open_limit", "open_limit"]
    await older(world, ann, ben)
    assert await judged(world, funding, ann, ben) == ["", ""]


async def test_limits_of_a_device(world: World) -> None:
    sender, ann = await world.demo_person(), await world.person()
    second = await world.second_device(ann)
    funding = await sent(world, sender)
    for person, opened in (
        (ann, openers.DEVICE_OPENED_DAY),
        (second, openers.NEW_DEVICE_OPENED_DAY),
    ):
        await SEC.query(
            "update risk.device set opened_day = '2026-11-23', opened = $2 where device_id = $1",
            person.device_id,
            opened,
        )
        assert await judged(world, funding, person) == ["open_limit"]
    world.clock.move(timedelta(hours=13))  # another day, and the second device has cooled down
    assert await judged(world, funding, second) == [""]


async def test_people_on_one_machine_share_its_limit(world: World) -> None:
    sender, ann, ben = await world.demo_person(), await world.person(), await world.person()
    on_anns = await beside(world, ben, ann)
    await older(world, ann, ben)
    await SEC.query(
        "update risk.device set opened_day = '2026-11-23', opened = $2 where device_id = $1",
        ann.device_id,
        openers.DEVICE_OPENED_DAY - 1,
    )
    one = await sent(world, sender)
    assert await judged(world, one, on_anns) == [""]
    await world.risk.authorize_shares(shares(one, (on_anns, 1_00)))
    [row] = await SEC.query("select opened from risk.device where device_id = $1", ann.device_id)
    assert row["opened"] == openers.DEVICE_OPENED_DAY
    two = await sent(world, sender)
    assert await judged(world, two, on_anns, ann) == ["open_limit", "open_limit"]
    assert await judged(world, two, ben) == [""]  # on a machine of his own


async def test_what_is_opened_is_counted_and_shown(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    one, two = await sent(world, sender), await sent(world, sender)
    await world.risk.authorize_shares(shares(one, (ann, 1_00)))
    await world.risk.authorize_shares(shares(two, (ann, 2_00)))
    used = await world.used(ann)
    assert (used["opened_count"], used["opened_day"], used["opened_year"]) == (2, 3_00, 3_00)
    [row] = await SEC.query("select opened from risk.device where device_id = $1", ann.device_id)
    assert row["opened"] == 2
    world.clock.move(timedelta(days=1))
    used = await world.used(ann)
    assert (used["opened_count"], used["opened_day"], used["opened_year"]) == (0, 0, 3_00)


async def test_being_judged_twice_is_one_try(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    for _ in range(3):
        assert await judged(world, funding, ann, ann) == ["", ""]
    await world.risk.authorize_shares(shares(funding, (ann, 1_00)))
    [row] = await SEC.query("select tries from risk.opener where person_id = $1", ann.person_id)
    assert row["tries"] == 1


async def test_who_was_let_pass_is_not_stopped_by_a_limit_reached_meanwhile(world: World) -> None:
    sender, ann = await world.demo_person(), await world.demo_person()
    funding = await sent(world, sender)
    assert await judged(world, funding, ann) == [""]
    await used_up(ann, shares=openers.OPENED_DAY)
    await world.risk.authorize_shares(shares(funding, (ann, 1_00)))


async def at_once(
    world: World, ann: Person, fundings: Sequence[Intent], amount_fen: int
) -> tuple[int, int]:
    """Opened, and refused for a limit: ann asks at all packets before any is decided."""
    answers = await asyncio.gather(*(judged(world, funding, ann) for funding in fundings))
    passed = [f for f, codes in zip(fundings, answers, strict=True) if codes == [""]]
    assert all(codes in ([""], ["open_limit"]) for codes in answers)
    await asyncio.gather(
        *(world.risk.authorize_shares(shares(f, (ann, amount_fen))) for f in passed)
    )
    return len(passed), len(fundings) - len(passed)


async def many(world: World, count: int, amount_fen: int, of: int = 1) -> list[Intent]:
    found: list[Intent] = []
    while len(found) < count:
        sender = await world.demo_person()
        wanted = terms(world, shares=of)
        found += [await sent(world, sender, amount_fen, wanted) for _ in range(5)]
    return found[:count]


async def test_a_new_account_that_opens_thirty_at_once(world: World) -> None:
    ann, fundings = await world.demo_person(), await many(world, 30, 6_00, of=3)
    assert await at_once(world, ann, fundings, 1_00) == (openers.NEW_ACCOUNT_OPENED_DAY, 10)
    used = await world.used(ann)
    assert (used["opened_count"], used["opened_day"]) == (20, 20_00)


async def test_the_money_of_a_day_at_once(world: World) -> None:
    """Of packets that wait, the most is counted that can come of them."""
    ann, fundings = await world.demo_person(), await many(world, 5, 200_00)
    assert await at_once(world, ann, fundings, 200_00) == (3, 2)
    assert (await world.used(ann))["opened_day"] == 600_00  # the last one goes over it


async def test_the_money_of_a_year_and_a_device_at_once(world: World) -> None:
    ann, ben = await world.demo_person(), await world.demo_person()
    await older(world, ann, ben)
    fundings = await many(world, 4, 100_00)
    await used_up(ann, year_fen=TIER_YEAR_FEN - 150_00)
    assert await at_once(world, ann, fundings, 100_00) == (2, 2)
    await SEC.query(
        "update risk.device set opened_day = '2026-11-23', opened = $2 where device_id = $1",
        ben.device_id,
        openers.DEVICE_OPENED_DAY - 3,
    )
    assert await at_once(world, ben, await many(world, 4, 100_00), 100_00) == (3, 1)


async def opened_on(machine: Person) -> int:
    [row] = await SEC.query(
        "select opened from risk.device where device_id = $1", machine.device_id
    )
    opened: int = row["opened"]
    return opened


async def test_people_on_one_machine_can_not_pass_its_limit_at_once(
    world: World, sec: Settings, outbox: Outbox
) -> None:
    """Each in a batch of their own: two services have nothing in common but the database."""
    ann, ben = await world.person(), await world.person()
    on_anns = await beside(world, ben, ann)
    await older(world, ann, ben)
    other = World(cast(RiskWithDemo, build(sec, world.clock, outbox)), world.clock, outbox)
    await SEC.query(
        "update risk.device set opened_day = '2026-11-23', opened = $2 where device_id = $1",
        ann.device_id,
        openers.DEVICE_OPENED_DAY - 5,
    )
    asked = [(world, ann), (other, on_anns)] * 5
    fundings = [
        (*who, funding) for who, funding in zip(asked, await many(world, 10, 3_00), strict=True)
    ]
    codes = []
    for some in (fundings[:2], fundings[2:]):  # first, each gets its connection
        codes += await asyncio.gather(*(judged(w, funding, person) for w, person, funding in some))
    assert sorted(codes) == [[""]] * 5 + [["open_limit"]] * 5
    for code, (_, person, funding) in zip(codes, fundings, strict=True):
        if code == [""]:
            await world.risk.authorize_shares(shares(funding, (person, 1_00)))
    assert await opened_on(ann) == openers.DEVICE_OPENED_DAY


async def test_who_waits_on_a_machine_counts_for_the_others(world: World) -> None:
    ann, ben = await world.person(), await world.person()
    on_anns = await beside(world, ben, ann)
    await older(world, ann, ben)
    await SEC.query(
        "update risk.device set opened_day = '2026-11-23', opened = $2 where device_id = $1",
        ann.device_id,
        openers.DEVICE_OPENED_DAY - 1,
    )
    one, two = await many(world, 2, 3_00)
    assert await judged(world, one, on_anns) == [""]
    assert await judged(world, two, ann) == ["open_limit"]
    assert await judged(world, two, ben) == [""]  # on a machine of his own


async def test_shares_that_were_not_posted_are_given_back_to_the_machine(world: World) -> None:
    sender, ann, ben = await world.demo_person(), await world.person(), await world.person()
    on_anns = await beside(world, ben, ann)
    funding = await sent(world, sender)
    given = shares(funding, (ann, 1_00), (on_anns, 2_00))
    await world.risk.authorize_shares(given)
    assert await opened_on(ann) == 2
    await world.risk.release(given.intent.intent_id)
    assert await opened_on(ann) == 0


async def test_whoever_comes_too_late_is_not_held_to_it(world: World) -> None:
    """What is empty, or has ended, keeps nobody from opening others."""
    ann, ben = await world.demo_person(), await world.demo_person()
    fundings = await many(world, openers.NEW_ACCOUNT_OPENED_DAY + 1, 1_00)
    first = fundings[:-1]
    await asyncio.gather(*(judged(world, funding, ann) for funding in first))
    assert await judged(world, fundings[-1], ann) == ["open_limit"]
    await older(world, ben)
    await world.risk.authorize_shares(shares(first[0], (ben, 1_00)))
    assert await judged(world, fundings[-1], ann) == [""]


async def test_payments_and_openings_are_one_sum_of_the_year(world: World) -> None:
    sender, ann, ben = [await world.demo_person() for _ in range(3)]
    await older(world, ann, ben)
    await used_up(ann, year_fen=TIER_YEAR_FEN - 50_00)
    await world.free(ann, world.intent(ann, 20_00))
    funding = await sent(world, sender)
    await world.risk.authorize_shares(shares(funding, (ann, 10_00)))
    with pytest.raises(LimitExceeded) as refused:
        await world.free(ann, world.intent(ann, 20_01))
    assert refused.value.params == {"limit": "tier_year", "left_fen": 20_00}
    used = await world.used(ann)
    assert used["tier_year"] == used["opened_year"] == TIER_YEAR_FEN - 20_00
    await world.free(ann, world.intent(ann, 20_00))
    assert await judged(world, await sent(world, sender), ann) == ["open_limit"]
    world.clock.move(timedelta(days=60))  # another year
    assert await judged(world, await sent(world, sender), ann) == [""]
    await world.free(ann, world.intent(ann, 20_01))
