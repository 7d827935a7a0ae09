"""What a phone has signed for one call is good for no other, and for one piece of money alone."""

import asyncio
from datetime import timedelta

import pytest

from backend.db import SEC
from backend.risk import Authorize, DeviceUnknown, OpenerRefused, Prepare
from backend.risk.operations import CALLS, KNOWN, Operation, may_come_from
from backend.risk.purge import purge
from tests.risk.people import Person, World
from tests.risk.phones import API, call_of, handset
from tests.risk.pots import judged, sent, shares

READING = f"{API}/v1/notices/read"


async def spent() -> int:
    [row] = await SEC.query("select count(*) as n from risk.spent_proof")
    return int(row["n"])


async def pays(world: World, person: Person, amount_fen: int = 20_00) -> str:
    wanted = world.intent(person, amount_fen)
    await world.free(person, wanted)
    return wanted.intent_id


async def test_reading_notices_pays_for_nothing(world: World) -> None:
    """The proof of a call that moves nothing, kept back and shown for orders."""
    phone = await handset(world)
    person = phone.person(phone.proof("POST", READING))
    for _ in range(2):
        with pytest.raises(DeviceUnknown):
            await pays(world, person)
    assert await spent() == 0


async def test_a_proof_pays_once_and_may_be_asked_again(world: World) -> None:
    phone = await handset(world)
    person = phone.person()
    wanted = world.intent(person)
    given = await world.free(person, wanted)
    world.clock.move(timedelta(seconds=30))
    assert await world.free(person, wanted) == given
    assert await spent() == 1
    with pytest.raises(DeviceUnknown):
        await pays(world, person)
    assert await pays(world, phone.person())


async def test_what_was_asked_for_is_what_can_be_allowed(world: World) -> None:
    """Prepared for one, which takes a passkey; shown for another, which takes none."""
    phone = await handset(world)
    person, other = phone.person(), phone.person()
    large, small = world.intent(person, 600_00), world.intent(person)
    await world.risk.prepare(Prepare(large, person.secret))
    await world.risk.prepare(Prepare(small, other.secret))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(small.intent_id, person.secret))
    await world.risk.authorize(Authorize(small.intent_id, other.secret))


async def test_a_proof_that_came_with_a_passkey_is_spent_too(world: World) -> None:
    phone = await handset(world)
    large, small = world.intent(phone.owner, 600_00), world.intent(phone.owner)
    signed = await world.sign(phone.person(), large)
    confirming = phone.proof("POST", f"{API}/v1/payments/{large.intent_id}/confirm")
    await world.risk.authorize(
        Authorize(large.intent_id, confirming, signed.ceremony_id, signed.response_json)
    )
    await world.risk.prepare(Prepare(small, phone.proof()))
    with pytest.raises(DeviceUnknown):
        await world.risk.authorize(Authorize(small.intent_id, confirming))


async def test_many_at_once_with_one_proof(world: World) -> None:
    """In one batch or in several: one of them is paid."""
    phone = await handset(world)
    person = phone.person()
    answers = await asyncio.gather(
        *(pays(world, person, 1_00) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, str) for answer in answers) == 1
    assert sum(isinstance(answer, DeviceUnknown) for answer in answers) == 5


async def test_two_proofs_may_have_one_name_each_by_its_own_key(world: World) -> None:
    one, two = await handset(world), await handset(world)
    for phone in (one, two):
        person = phone.person(phone.proof(jti="same"))
        await pays(world, person)
        with pytest.raises(DeviceUnknown):  # another text, the same name
            await pays(world, phone.person(phone.proof(jti="same", more="text")))


async def test_a_proof_opens_one_packet(world: World) -> None:
    phone, sender = await handset(world), await world.demo_person()
    first, second = await sent(world, sender), await sent(world, sender)
    opener = phone.person(to=Operation.OPEN)
    assert await judged(world, first, opener) == [""]
    assert await judged(world, second, opener) == ["device_unknown"]
    with pytest.raises(OpenerRefused):
        await world.risk.authorize_shares(shares(second, (opener, 1_00)))
    await world.risk.authorize_shares(shares(first, (opener, 10_00)))


async def test_strangers_keys_fill_no_table(world: World) -> None:
    phone, stranger = await handset(world), await handset(world)
    gone = phone.person()
    await SEC.query(
        "update risk.device set removed_at = now() where device_id = $1", phone.owner.device_id
    )
    with pytest.raises(DeviceUnknown):
        await pays(world, gone)
    assert await spent() == 0
    await pays(world, stranger.person())
    assert await spent() == 1


async def test_it_is_forgotten_once_the_proof_is_nothing_any_more(world: World) -> None:
    phone = await handset(world)
    person = phone.person(phone.proof(late_s=-60))  # good for two minutes more
    await pays(world, person)
    world.clock.move(timedelta(seconds=120))
    await purge(world.clock)
    assert await spent() == 1
    with pytest.raises(DeviceUnknown):
        await pays(world, person)
    world.clock.move(timedelta(seconds=61))
    await purge(world.clock)
    assert await spent() == 0
    with pytest.raises(DeviceUnknown):
        await pays(world, person)


@pytest.mark.parametrize("operation", [o for o in Operation if o is not Operation.WHICH])
def test_an_operation_comes_from_its_own_calls_alone(operation: Operation) -> None:
    """Nothing that reads may change anything, and ids are ids."""
    own = set(CALLS[operation])
    assert own <= KNOWN
    for call in KNOWN | {"POST /v1/notices/read", "GET /v1/me", "POST /v1/payments/{}"}:
        method, _, path = call.replace("{}", "x_1").partition(" ")
        assert may_come_from(operation, method, path) is (call in own)
        other = "GET" if method != "GET" else "POST"
        for wrong in (f"{path}/", f"/x{path}", path.replace("x_1", "x/1") + "/", path + "%2f"):
            assert not may_come_from(operation, method, wrong)
        if f"{other} {call.partition(' ')[2]}" not in own:
            assert not may_come_from(operation, other, path)
    reads = {call.startswith("GET") for call in own}
    assert reads == {operation in (Operation.QUOTE, Operation.LIMITS)}
    assert call_of(operation)[1].startswith(API)
