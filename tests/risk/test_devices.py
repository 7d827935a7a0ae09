"""Signing in, further devices by grant, approvals of one purpose, and the death of a device."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from backend import ids
from backend.db import SEC
from backend.errors import BadRequest, DomainError, IdReused, NotFound
from backend.risk import (
    Approval,
    Authorize,
    BeginRegistration,
    CeremonyInvalid,
    DeviceUnknown,
    FinishRegistration,
    FinishSignIn,
    GrantInvalid,
    LastDevice,
    NeedsPasskey,
    PasskeyRefused,
    Prepare,
)
from backend.risk.demo import MAX_DEVICES
from tests.passkey import Passkey
from tests.risk.people import Person, World

HOURS_12 = timedelta(hours=12)


async def events(person: Person) -> list[str]:
    rows = await SEC.query(
        "select kind from risk.security_event where person_id = $1 order by event_seq",
        person.person_id,
    )
    return [row["kind"] for row in rows]


async def test_a_known_browser_stays_the_same_device(world: World) -> None:
    person = await world.person()
    world.clock.move(timedelta(days=1))
    signed_in = await world.sign_in(person.key, person.secret)
    assert (signed_in.person_id, signed_in.device_id) == (person.person_id, person.device_id)
    assert (signed_in.device_secret, signed_in.new_device) == ("", False)
    [device] = await world.risk.devices(person.person_id)
    assert (device.passkey, device.synced, device.label) == (True, False, "手机")
    assert device.last_used_at == world.clock.now()
    assert device.trusted_at == device.created_at


async def test_an_unknown_browser_becomes_a_new_device(world: World) -> None:
    person, other = await world.person(), await world.person()
    for secret in ("", "x" * 43, other.secret):
        signed_in = await world.sign_in(person.key, secret)
        assert signed_in.new_device
        assert await world.risk.device_of(signed_in.device_secret) == signed_in.device_id
    devices = await world.risk.devices(person.person_id)
    assert len(devices) == 4
    new = [d for d in devices if d.device_id != person.device_id]
    assert all(d.trusted_at == world.clock.now() + HOURS_12 and not d.passkey for d in new)
    begun = ["wallet_opened", "card_bound"]
    assert await events(person) == begun + ["signed_in", "new_device"] * 3


async def test_secrets_are_kept_as_hashes(world: World) -> None:
    person = await world.person()
    [row] = await SEC.query("select * from risk.device")
    assert person.secret not in str(dict(row))
    with pytest.raises(NotFound):
        await world.risk.device_of("x" * 43)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("user_verified", False),
        ("cross_origin", True),
        ("top_origin", "https://evil.example"),
        ("origin", "https://evil.example"),
        ("backup_eligible", True),
        ("user_handle", None),  # without it nobody said whose passkey it is
        ("user_handle", b"?" * 32),
    ],
)
async def test_sign_in_refuses_what_misbehaves(world: World, attribute: str, value: Any) -> None:
    person = await world.person()
    setattr(person.key, attribute, value)
    with pytest.raises(PasskeyRefused):
        await world.sign_in(person.key, person.secret)


async def test_an_unknown_passkey_does_not_sign_in(world: World) -> None:
    stranger = Passkey()
    stranger.user_handle = b"s" * 32
    with pytest.raises(PasskeyRefused):
        await world.sign_in(stranger)


async def test_a_challenge_serves_once_and_for_two_minutes(world: World) -> None:
    person = await world.person()
    ceremony = await world.risk.begin_sign_in()
    finish = FinishSignIn(ceremony.ceremony_id, person.key.sign(ceremony.options_json), "浏览器")
    await world.risk.finish_sign_in(finish)
    with pytest.raises(CeremonyInvalid):
        await world.risk.finish_sign_in(finish)
    late = await world.risk.begin_sign_in()
    assert late.expires_at == world.clock.now() + timedelta(minutes=2)
    world.clock.move(timedelta(minutes=2))
    finish = FinishSignIn(late.ceremony_id, person.key.sign(late.options_json), "浏览器")
    with pytest.raises(CeremonyInvalid):
        await world.risk.finish_sign_in(finish)


async def test_a_failed_answer_uses_the_challenge_up(world: World) -> None:
    person = await world.person()
    ceremony = await world.risk.begin_sign_in()
    with pytest.raises(PasskeyRefused):
        await world.risk.finish_sign_in(FinishSignIn(ceremony.ceremony_id, b"{}", "浏览器"))
    finish = FinishSignIn(ceremony.ceremony_id, person.key.sign(ceremony.options_json), "浏览器")
    with pytest.raises(CeremonyInvalid):
        await world.risk.finish_sign_in(finish)


async def test_ceremonies_of_other_kinds_are_not_taken(world: World) -> None:
    person = await world.person()
    sign_in = await world.risk.begin_sign_in()
    unfreeze = await world.risk.begin_approval(person.person_id, "unfreeze")
    add = await world.risk.begin_approval(person.person_id, "add_device")
    response = person.key.sign(unfreeze.options_json)
    with pytest.raises(CeremonyInvalid):
        await world.risk.finish_sign_in(FinishSignIn(unfreeze.ceremony_id, response, "浏览器"))
    with pytest.raises(CeremonyInvalid):
        await world.risk.finish_registration(
            FinishRegistration(sign_in.ceremony_id, response, "手机")
        )
    with pytest.raises(CeremonyInvalid):
        await world.risk.grant_device(Approval(person.person_id, unfreeze.ceremony_id, response))
    with pytest.raises(CeremonyInvalid):
        await world.risk.unfreeze(Approval(person.person_id, add.ceremony_id, response))
    with pytest.raises(CeremonyInvalid):
        await world.risk.remove_device(
            Approval(person.person_id, add.ceremony_id, response), person.device_id
        )


async def test_an_approval_is_the_persons_own(world: World) -> None:
    person, thief = await world.person(), await world.person()
    ceremony = await world.risk.begin_approval(person.person_id, "add_device")
    signed = thief.key.sign(ceremony.options_json)
    with pytest.raises(PasskeyRefused):
        await world.risk.grant_device(Approval(person.person_id, ceremony.ceremony_id, signed))
    own = await world.risk.begin_approval(thief.person_id, "add_device")
    signed = thief.key.sign(own.options_json)
    with pytest.raises(CeremonyInvalid):
        await world.risk.grant_device(Approval(person.person_id, own.ceremony_id, signed))


@pytest.mark.parametrize("purpose", ["", "pay", "remove_device:", "remove_device:dev_x", "add"])
async def test_approvals_have_a_closed_set_of_purposes(world: World, purpose: str) -> None:
    person = await world.person()
    with pytest.raises(BadRequest):
        await world.risk.begin_approval(person.person_id, purpose)


async def test_a_grant_adds_a_device_that_cools_down(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person, synced=True)
    devices = {d.device_id: d for d in await world.risk.devices(person.person_id)}
    assert len(devices) == 2
    assert devices[second.device_id].synced
    assert devices[second.device_id].trusted_at == world.clock.now() + HOURS_12
    signed_in = await world.sign_in(second.key, second.secret)
    assert signed_in.person_id == person.person_id


async def test_a_grant_serves_once_for_five_minutes_and_one_person(world: World) -> None:
    person, other = await world.person(), await world.person()
    grant = await world.risk.grant_device(await world.approve(person, "add_device"))
    begin = BeginRegistration(person.person_id, "小明", grant=grant.grant)
    with pytest.raises(GrantInvalid):
        await world.risk.begin_registration(
            BeginRegistration(other.person_id, "小红", grant=grant.grant)
        )
    answers = await asyncio.gather(
        *(world.register(begin, Passkey()) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(a, GrantInvalid) for a in answers) == 2
    with pytest.raises(GrantInvalid):
        await world.register(begin, Passkey())
    late = await world.risk.grant_device(await world.approve(person, "add_device"))
    world.clock.move(timedelta(minutes=5))
    with pytest.raises(GrantInvalid):
        await world.register(
            BeginRegistration(person.person_id, "小明", grant=late.grant), Passkey()
        )


async def test_a_credential_id_is_registered_once(world: World) -> None:
    person, other = await world.person(), await world.person()
    grant = await world.risk.grant_device(await world.approve(person, "add_device"))
    twin = Passkey()
    twin.credential_id = other.key.credential_id
    with pytest.raises(PasskeyRefused):
        await world.register(BeginRegistration(person.person_id, "小明", grant=grant.grant), twin)


async def test_a_removed_device_is_dead_at_once(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    approval = await world.approve(person, f"remove_device:{second.device_id}")
    await world.risk.remove_device(approval, second.device_id)
    assert [d.device_id for d in await world.risk.devices(person.person_id)] == [person.device_id]
    with pytest.raises(NotFound):
        await world.risk.device_of(second.secret)
    with pytest.raises(PasskeyRefused):
        await world.sign_in(second.key, second.secret)
    with pytest.raises(DeviceUnknown):
        await world.risk.prepare(Prepare(world.intent(person), second.secret))
    with pytest.raises(DeviceUnknown):
        await world.risk.freeze(person.person_id, second.secret)
    signed = await world.sign(person, world.intent(person, 600_00))
    with pytest.raises(PasskeyRefused):
        await world.risk.authorize(await resign(world, person, signed, second.key))


async def resign(world: World, person: Person, asked: Authorize, key: Passkey) -> Authorize:
    """The same ceremony answered with another key."""
    rows = await SEC.query(
        "select options from risk.ceremony where ceremony_id = $1", asked.ceremony_id
    )
    response = key.sign(rows[0]["options"])
    return Authorize(asked.intent_id, asked.device_secret, asked.ceremony_id, response)


async def test_the_last_passkey_can_not_be_removed(world: World) -> None:
    person = await world.person()
    await world.sign_in(person.key)  # a device without a passkey of its own is no help
    approval = await world.approve(person, f"remove_device:{person.device_id}")
    with pytest.raises(LastDevice):
        await world.risk.remove_device(approval, person.device_id)


async def test_another_device_approves_a_removal(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    purpose = f"remove_device:{person.device_id}"
    with pytest.raises(PasskeyRefused):
        await world.risk.remove_device(await world.approve(person, purpose), person.device_id)
    approval = await world.approve(person, purpose, second.key)
    await world.risk.remove_device(approval, person.device_id)


async def test_two_removals_at_once_leave_one(world: World) -> None:
    person = await world.person()
    second = await world.second_device(person)
    first_goes = await world.approve(person, f"remove_device:{person.device_id}", second.key)
    second_goes = await world.approve(person, f"remove_device:{second.device_id}")
    answers = await asyncio.gather(
        world.risk.remove_device(first_goes, person.device_id),
        world.risk.remove_device(second_goes, second.device_id),
        return_exceptions=True,
    )
    assert sum(isinstance(a, DomainError) for a in answers) == 1
    assert len(await world.risk.devices(person.person_id)) == 1


async def test_devices_of_others_are_not_found(world: World) -> None:
    person, other = await world.person(), await world.person()
    approval = await world.approve(person, f"remove_device:{other.device_id}")
    with pytest.raises(NotFound):
        await world.risk.remove_device(approval, other.device_id)
    assert await world.risk.device_of(other.secret) == other.device_id


async def test_a_demo_person_has_a_bound_device_and_no_passkey(world: World) -> None:
    person = await world.demo_person()
    [device] = await world.risk.devices(person.person_id)
    assert (device.passkey, device.trusted_at) == (False, world.clock.now())
    with pytest.raises(NeedsPasskey):
        await world.risk.begin_approval(person.person_id, "unfreeze")
    for _ in range(MAX_DEVICES + 2):
        world.clock.move(timedelta(seconds=1))
        again = await world.risk.demo_enrol(person.person_id, "演示", person.phone, "浏览器")
    assert len(await world.risk.devices(person.person_id)) == MAX_DEVICES
    assert await world.risk.device_of(again.device_secret) == again.device_id
    with pytest.raises(IdReused):
        await world.risk.demo_enrol(ids.new("usr"), "演示", person.phone, "浏览器")


async def test_a_first_passkey_joins_the_bound_device(world: World) -> None:
    person = await world.demo_person()
    grant = await world.risk.grant_first_passkey(person.person_id, person.secret)
    spare = await world.risk.grant_first_passkey(person.person_id, person.secret)
    begin = BeginRegistration(person.person_id, "演示", grant=grant.grant)
    enrolled = await world.register(begin, person.key)
    assert enrolled.device_id == person.device_id
    assert await world.risk.device_of(enrolled.device_secret) == person.device_id
    [device] = await world.risk.devices(person.person_id)
    assert device.passkey
    assert device.trusted_at == device.created_at
    with pytest.raises(GrantInvalid):
        await world.risk.grant_first_passkey(person.person_id, enrolled.device_secret)
    begin = BeginRegistration(person.person_id, "演示", grant=spare.grant)
    with pytest.raises(GrantInvalid):
        await world.register(begin, Passkey())


async def test_a_first_passkey_takes_the_persons_own_device(world: World) -> None:
    person, other = await world.demo_person(), await world.demo_person()
    with pytest.raises(DeviceUnknown):
        await world.risk.grant_first_passkey(person.person_id, other.secret)


async def test_signals_of_a_sound_assertion_are_kept(world: World) -> None:
    person = await world.person(synced=True)
    await world.sign_in(person.key, person.secret)
    person.key.sign_count = 0
    person.key.backed_up = False
    await world.sign_in(person.key, person.secret)
    assert (await events(person))[-3:] == ["signed_in", "counter_regression", "backup_changed"]
