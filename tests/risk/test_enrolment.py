"""Proving a number: tries, times, limits, and nothing to learn about who has a wallet."""

import asyncio
from datetime import timedelta
from hashlib import scrypt

import asyncpg
import pytest

from backend import ids
from backend.db import SEC
from backend.errors import BadRequest, IdReused
from backend.risk import (
    BeginRegistration,
    CeremonyInvalid,
    CheckCode,
    CodeExpired,
    CodeSpent,
    CodeWrong,
    FinishRegistration,
    GrantInvalid,
    HasWallet,
    PhoneNotProven,
    ResendTooSoon,
    SmsUnavailable,
    StartEnrolment,
    TooManyCodes,
    enrolment,
)
from backend.risk.enrolment import PER_ADDRESS, PER_NUMBER
from tests.conftest import CODE_PRICE
from tests.passkey import Passkey
from tests.risk.people import World, phone, wrong

MINUTE = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def full_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "SCRYPT_N", CODE_PRICE)


def asked(number: str = "+8613800138000", address: str = "10.0.0.1") -> StartEnrolment:
    return StartEnrolment(ids.new("enr"), number, address)


async def test_a_code_proves_the_number(world: World) -> None:
    start = asked()
    started = await world.risk.start_enrolment(start)
    assert started.resend_at == world.clock.now() + MINUTE
    assert started.expires_at == world.clock.now() + timedelta(minutes=10)
    [(message_id, to, text)] = world.outbox.messages
    assert message_id == f"{start.enrolment_id}:1"
    assert to == start.phone
    assert "易支付" in text
    proven = await world.risk.check_code(CheckCode(start.enrolment_id, world.outbox.code()))
    assert (proven.phone, proven.has_wallet) == (start.phone, False)
    assert await world.risk.check_code(CheckCode(start.enrolment_id, world.outbox.code())) == proven


async def test_codes_are_kept_as_slow_hashes(world: World) -> None:
    await world.risk.start_enrolment(asked())
    [row] = await SEC.query("select * from risk.enrolment")
    assert world.outbox.code().encode() not in b"".join(
        v if isinstance(v, bytes) else str(v).encode() for v in row.values()
    )
    slow = scrypt(world.outbox.code().encode(), salt=row["code_salt"], n=2**14, r=8, p=1, dklen=32)
    assert row["code_hash"] == slow


async def test_texts_follow_the_language(world: World) -> None:
    await world.risk.start_enrolment(
        StartEnrolment(ids.new("enr"), phone(), "10.0.0.1", language="en")
    )
    assert "Your code is" in world.outbox.messages[-1][2]


async def test_five_wrong_tries_spend_the_code(world: World) -> None:
    start = asked()
    await world.risk.start_enrolment(start)
    code = world.outbox.code()
    for left in (4, 3, 2, 1):
        with pytest.raises(CodeWrong) as refused:
            await world.risk.check_code(CheckCode(start.enrolment_id, wrong(code)))
        assert refused.value.params == {"tries_left": left}
    with pytest.raises(CodeSpent):
        await world.risk.check_code(CheckCode(start.enrolment_id, wrong(code)))
    with pytest.raises(CodeSpent):
        await world.risk.check_code(CheckCode(start.enrolment_id, code))


async def test_tries_at_the_same_time_are_all_counted(world: World) -> None:
    start = asked()
    await world.risk.start_enrolment(start)
    bad = CheckCode(start.enrolment_id, wrong(world.outbox.code()))
    answers = await asyncio.gather(
        *(world.risk.check_code(bad) for _ in range(12)), return_exceptions=True
    )
    assert sum(isinstance(a, CodeWrong) for a in answers) == 4
    assert sum(isinstance(a, CodeSpent) for a in answers) == 8


async def test_codes_expire_and_unknown_enrolments_look_expired(world: World) -> None:
    start = asked()
    await world.risk.start_enrolment(start)
    world.clock.move(timedelta(minutes=10))
    for enrolment_id in (start.enrolment_id, ids.new("enr")):
        with pytest.raises(CodeExpired):
            await world.risk.check_code(CheckCode(enrolment_id, world.outbox.code()))


async def test_the_same_call_again_sends_nothing_new_within_the_minute(world: World) -> None:
    start = asked()
    first = await world.risk.start_enrolment(start)
    world.clock.move(timedelta(seconds=59))
    assert await world.risk.start_enrolment(start) == first
    assert len(world.outbox.messages) == 1
    with pytest.raises(ResendTooSoon) as refused:
        await world.risk.start_enrolment(asked())
    assert refused.value.params == {"seconds": 1}
    world.clock.move(timedelta(seconds=1))
    old = world.outbox.code()
    await world.risk.start_enrolment(start)
    assert [m[0] for m in world.outbox.messages] == [f"{start.enrolment_id}:{n}" for n in (1, 2)]
    if world.outbox.code() != old:
        with pytest.raises(CodeWrong):
            await world.risk.check_code(CheckCode(start.enrolment_id, old))
    await world.risk.check_code(CheckCode(start.enrolment_id, world.outbox.code()))


async def test_an_enrolment_is_for_one_number(world: World) -> None:
    start = asked()
    await world.risk.start_enrolment(start)
    with pytest.raises(IdReused):
        await world.risk.start_enrolment(StartEnrolment(start.enrolment_id, phone(), "10.0.0.1"))


async def test_a_number_gets_few_codes(world: World) -> None:
    (hour, per_hour), (_, per_day) = PER_NUMBER
    for _ in range(per_hour):
        await world.risk.start_enrolment(asked(address="10.0.0.2"))
        world.clock.move(MINUTE)
    with pytest.raises(TooManyCodes) as refused:
        await world.risk.start_enrolment(asked(address="10.0.0.3"))
    assert refused.value.params == {"minutes": 60 - per_hour}
    world.clock.move(hour)
    for _ in range(per_day - per_hour):
        await world.risk.start_enrolment(asked())
        world.clock.move(MINUTE)
    world.clock.move(hour)
    with pytest.raises(TooManyCodes):
        await world.risk.start_enrolment(asked())
    await world.risk.start_enrolment(asked(phone()))


async def test_an_address_gets_few_codes(world: World) -> None:
    for _ in range(PER_ADDRESS[0][1]):
        await SEC.query(
            "insert into risk.code_request values ($1, '10.0.0.1', $2)", phone(), world.clock.now()
        )
    with pytest.raises(TooManyCodes):
        await world.risk.start_enrolment(asked(phone()))
    await world.risk.start_enrolment(asked(phone(), address="10.0.0.2"))


async def test_two_asking_at_once_get_one_code(world: World) -> None:
    answers = await asyncio.gather(
        *(world.risk.start_enrolment(asked()) for _ in range(5)), return_exceptions=True
    )
    assert len(world.outbox.messages) == 1
    assert sum(isinstance(a, ResendTooSoon) for a in answers) == 4


async def test_a_broken_gateway_may_be_tried_again_at_once(world: World) -> None:
    start = asked()
    world.outbox.broken = True
    with pytest.raises(SmsUnavailable):
        await world.risk.start_enrolment(start)
    world.outbox.broken = False
    await world.risk.start_enrolment(start)
    await world.risk.check_code(CheckCode(start.enrolment_id, world.outbox.code()))


async def test_known_and_unknown_numbers_get_the_same_answer(world: World) -> None:
    person = await world.person()
    world.clock.move(MINUTE)
    known = await world.risk.start_enrolment(asked(person.phone))
    unknown = await world.risk.start_enrolment(asked(phone()))
    assert known == unknown
    texts = [m[2] for m in world.outbox.messages[-2:]]
    assert len({len(text) for text in texts}) == 1


async def test_only_the_code_tells_that_there_is_a_wallet(world: World) -> None:
    person = await world.person()
    world.clock.move(MINUTE)
    start = asked(person.phone)
    await world.risk.start_enrolment(start)
    proven = await world.risk.check_code(CheckCode(start.enrolment_id, world.outbox.code()))
    assert proven.has_wallet
    with pytest.raises(HasWallet):
        await world.risk.begin_registration(
            BeginRegistration(ids.new("usr"), "小明", enrolment_id=start.enrolment_id)
        )


async def test_registration_takes_a_proven_number(world: World) -> None:
    start = asked()
    await world.risk.start_enrolment(start)
    for enrolment_id in (start.enrolment_id, ids.new("enr")):
        with pytest.raises(PhoneNotProven):
            await world.risk.begin_registration(
                BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
            )


async def test_a_proof_ends(world: World) -> None:
    enrolment_id = await world.prove(phone())
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
    world.clock.move(timedelta(minutes=14))
    ceremony = await world.risk.begin_registration(begin)
    world.clock.move(timedelta(minutes=1))
    with pytest.raises(PhoneNotProven):
        await world.risk.begin_registration(begin)
    response = Passkey().register(ceremony.options_json)
    finish = FinishRegistration(ceremony.ceremony_id, response, "手机", enrolment_id=enrolment_id)
    with pytest.raises(PhoneNotProven):
        await world.risk.finish_registration(finish)


async def test_a_ceremony_ends_where_it_began(world: World) -> None:
    """At no other enrolment, nor among grants, nor a grant's at an enrolment."""
    enrolment_id, owner = await world.prove(phone()), await world.person()
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
    given = await world.risk.grant_device(await world.approve(owner, "add_device"))
    further = BeginRegistration(owner.person_id, "小明", grant=given.grant)
    for begun, elsewhere in ((begin, ids.new("enr")), (begin, ""), (further, enrolment_id)):
        ceremony = await world.risk.begin_registration(begun)
        response = Passkey().register(ceremony.options_json)
        with pytest.raises(CeremonyInvalid):
            await world.risk.finish_registration(
                FinishRegistration(ceremony.ceremony_id, response, "手机", enrolment_id=elsewhere)
            )
    assert len(await SEC.query("select 1 from risk.device")) == 1
    await world.register(begin, Passkey())  # nothing of either was used up
    await world.register(further, Passkey())


async def test_one_enrolment_opens_one_wallet(world: World) -> None:
    enrolment_id = await world.prove(phone())
    begins = [
        BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id) for _ in range(3)
    ]
    answers = await asyncio.gather(
        *(world.register(begin, Passkey()) for begin in begins), return_exceptions=True
    )
    refused = [a for a in answers if isinstance(a, PhoneNotProven | HasWallet)]
    assert len(refused) == 2
    assert len(await SEC.query("select 1 from risk.person")) == 1


async def test_two_enrolments_of_a_number_open_one_wallet(world: World) -> None:
    number = phone()
    first = await world.prove(number)
    world.clock.move(MINUTE)
    second = await world.prove(number)
    ceremonies = [
        await world.risk.begin_registration(
            BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
        )
        for enrolment_id in (first, second)
    ]
    responses = [Passkey().register(c.options_json) for c in ceremonies]
    finishes = [
        FinishRegistration(c.ceremony_id, r, "手机", enrolment_id=enrolment_id)
        for c, r, enrolment_id in zip(ceremonies, responses, (first, second), strict=True)
    ]
    await world.risk.finish_registration(finishes[0])
    with pytest.raises(HasWallet):
        await world.risk.finish_registration(finishes[1])


async def test_a_person_id_is_used_once(world: World) -> None:
    person = await world.person()
    enrolment_id = await world.prove(phone())
    begin = BeginRegistration(person.person_id, "小红", enrolment_id=enrolment_id)
    with pytest.raises(IdReused):
        await world.register(begin, Passkey())


async def test_registration_takes_exactly_one_leave(world: World) -> None:
    person_id = ids.new("usr")
    for begin in (
        BeginRegistration(person_id, "小明"),
        BeginRegistration(person_id, "小明", enrolment_id=ids.new("enr"), grant="g" * 43),
    ):
        with pytest.raises(BadRequest):
            await world.risk.begin_registration(begin)
    with pytest.raises(GrantInvalid):
        await world.risk.begin_registration(BeginRegistration(person_id, "小明", grant="g" * 43))


async def test_the_database_counts_tries_itself(world: World) -> None:
    await world.risk.start_enrolment(asked())
    with pytest.raises(asyncpg.CheckViolationError):
        await SEC.query("update risk.enrolment set tries = 6")
