"""Passkey and device key are bound in one ceremony, and a key belongs to one device for ever."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from backend import ids
from backend.clock import FixedClock
from backend.db import SEC
from backend.risk import (
    Approval,
    BeginRegistration,
    Ceremony,
    CeremonyInvalid,
    DeviceKeyTaken,
    DeviceProofInvalid,
    DeviceUnknown,
    FinishRegistration,
    FinishSignIn,
    GrantInvalid,
    HasWallet,
    PasskeyRefused,
    SignedIn,
)
from backend.risk.operations import Operation
from backend.risk.rules import NEW_DEVICE_COOL_DOWN
from backend.risk.service import DemoService, build
from backend.settings import Settings
from tests.device_key import DeviceKey
from tests.passkey import Passkey
from tests.risk.people import Outbox, Person, World, phone
from tests.risk.phones import API, call_of, challenge_of, handset, proof_for, register, sign_in

Falsehood = Callable[[World, DeviceKey, Ceremony, Ceremony, Operation], str]


def elsewhere(world: World, key: DeviceKey, this: Ceremony, **more: Any) -> str:
    claims = {"chl": challenge_of(this)} | more
    return key.proof("POST", "https://elsewhere.example/api/x", _now(world), **claims)


def for_reading(world: World, key: DeviceKey, this: Ceremony, to: Operation) -> str:
    return key.proof("GET", call_of(to)[1], _now(world), chl=challenge_of(this))


def of_another(world: World, key: DeviceKey, this: Ceremony, to: Operation) -> str:
    return proof_for(world, DeviceKey(), this, to=to, header={"jwk": key.jwk})


def _now(world: World) -> float:
    return world.clock.now().timestamp()


# (this ceremony, another one of the same kind, the call that ends it)
FALSE: dict[str, Falsehood] = {
    "no challenge": lambda w, k, this, other, to: proof_for(w, k, this, to=to, chl=None),
    "empty challenge": lambda w, k, this, other, to: proof_for(w, k, this, to=to, chl=""),
    "another ceremony's": lambda w, k, this, other, to: proof_for(w, k, other, to=to),
    "late": lambda w, k, this, other, to: proof_for(w, k, this, to=to, iat=int(_now(w)) - 61),
    "early": lambda w, k, this, other, to: proof_for(w, k, this, to=to, iat=int(_now(w)) + 61),
    "elsewhere": lambda w, k, this, other, to: elsewhere(w, k, this),
    "for reading": lambda w, k, this, other, to: for_reading(w, k, this, to),
    "forged": lambda w, k, this, other, to: of_another(w, k, this, to),
    "to freeze": lambda w, k, this, other, to: proof_for(w, k, this, to=Operation.FREEZE),
    "no proof": lambda w, k, this, other, to: "x" * 43,
}


@pytest.mark.parametrize("false", FALSE)
async def test_registering_takes_the_keys_own_proof(world: World, false: str) -> None:
    key, passkey = DeviceKey(), Passkey()
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=await world.prove(phone()))
    other = await world.risk.begin_registration(begin)
    this = await world.risk.begin_registration(begin)
    finish = FinishRegistration(
        this.ceremony_id,
        passkey.register(this.options_json),
        "手机",
        device_proof=FALSE[false](world, key, this, other, Operation.REGISTER),
        enrolment_id=begin.enrolment_id,
    )
    with pytest.raises(DeviceProofInvalid):
        await world.risk.finish_registration(finish)
    assert await SEC.query("select 1 from risk.device") == []
    with pytest.raises(CeremonyInvalid):  # used up by the try
        await world.risk.finish_registration(finish)


@pytest.mark.parametrize("false", FALSE)
async def test_signing_in_takes_the_keys_own_proof(world: World, false: str) -> None:
    person, key = await world.person(), DeviceKey()
    other = await world.risk.begin_sign_in()
    this = await world.risk.begin_sign_in()
    finish = FinishSignIn(
        this.ceremony_id,
        person.key.sign(this.options_json),
        "手机",
        device_proof=FALSE[false](world, key, this, other, Operation.SIGN_IN),
    )
    with pytest.raises(DeviceProofInvalid):
        await world.risk.finish_sign_in(finish)
    assert len(await world.risk.devices(person.person_id)) == 1


async def test_a_proof_without_a_sound_passkey_binds_nothing(world: World) -> None:
    owner, key = await handset(world), DeviceKey()
    stranger = Passkey()
    stranger.user_handle = b"x" * 32
    with pytest.raises(PasskeyRefused):
        await sign_in(world, stranger, key)
    owner.owner.key.user_verified = False
    with pytest.raises(PasskeyRefused):
        await sign_in(world, owner.owner.key, key)
    assert len(await world.risk.devices(owner.owner.person_id)) == 1


async def test_a_proof_is_no_device_secret_of_a_sign_in(world: World) -> None:
    """Where a browser gives its secret, a phone's proof says nothing about the ceremony."""
    owner = await handset(world)
    ceremony = await world.risk.begin_sign_in()
    response = owner.owner.key.sign(ceremony.options_json)
    signed_in = await world.risk.finish_sign_in(
        FinishSignIn(ceremony.ceremony_id, response, "浏览器", owner.proof())
    )
    assert signed_in.new_device
    assert signed_in.device_secret


async def test_a_known_key_is_the_known_device(world: World) -> None:
    owner = await handset(world)
    world.clock.move(timedelta(hours=1))
    signed_in = await sign_in(world, owner.owner.key, owner.key)
    assert signed_in == SignedIn(
        owner.owner.person_id, owner.owner.device_id, "", False, owner.owner.phone
    )
    [device] = await world.risk.devices(owner.owner.person_id)
    assert device.last_used_at == world.clock.now()


async def test_a_new_key_is_a_new_device(world: World) -> None:
    owner, key = await handset(world), DeviceKey("EdDSA")
    signed_in = await sign_in(world, owner.owner.key, key)
    assert (signed_in.new_device, signed_in.device_secret) == (True, "")
    devices = {d.device_id: d for d in await world.risk.devices(owner.owner.person_id)}
    new = devices[signed_in.device_id]
    assert (new.key, new.passkey) == (True, False)
    assert new.trusted_at == world.clock.now() + NEW_DEVICE_COOL_DOWN
    proof = key.proof("POST", f"{API}/v1/freeze", _now(world))
    assert await world.risk.device_of(proof) == signed_in.device_id


async def test_a_key_belongs_to_one_person(world: World) -> None:
    one, two = await handset(world), await handset(world)
    browser = await world.person()
    for passkey in (two.owner.key, browser.key):
        with pytest.raises(DeviceKeyTaken):
            await sign_in(world, passkey, one.key)
    begin = BeginRegistration(ids.new("usr"), "小红", enrolment_id=await world.prove(phone()))
    with pytest.raises(DeviceKeyTaken):
        await register(world, begin, Passkey(), one.key)
    # The number was not used up: with a key of its own it goes on.
    assert (await register(world, begin, Passkey(), DeviceKey())).device_secret == ""
    assert await world.risk.device_of(one.proof()) == one.owner.device_id


async def test_a_removed_devices_key_does_not_come_back(world: World) -> None:
    owner = await handset(world)
    other = await world.second_device(owner.owner)
    removal = f"remove_device:{owner.owner.device_id}"
    approval = await world.approve(owner.owner, removal, other.key)
    await world.risk.remove_device(approval, owner.owner.device_id)
    with pytest.raises(DeviceKeyTaken):
        await sign_in(world, other.key, owner.key)
    assert (await sign_in(world, other.key, DeviceKey())).new_device


async def grant(world: World, person: Person, key: Passkey | None = None) -> BeginRegistration:
    given = await world.risk.grant_device(await world.approve(person, "add_device", key))
    return BeginRegistration(person.person_id, "小明", grant=given.grant)


async def test_a_further_phone_is_added_by_an_older_device(world: World) -> None:
    browser, key = await world.person(), DeviceKey()
    enrolled = await register(world, await grant(world, browser), Passkey(), key)
    assert (enrolled.device_secret, enrolled.person_id) == ("", browser.person_id)
    devices = {d.device_id: d for d in await world.risk.devices(browser.person_id)}
    assert devices[enrolled.device_id].key
    assert not devices[browser.device_id].key


async def test_a_phone_that_has_signed_in_gets_a_passkey_of_its_own(world: World) -> None:
    """It stays one device: known by its key, and as new as it is."""
    browser, key, own = await world.person(), DeviceKey(), Passkey()
    signed_in = await sign_in(world, browser.key, key)
    world.clock.move(timedelta(hours=3))
    enrolled = await register(world, await grant(world, browser), own, key)
    assert enrolled.device_id == signed_in.device_id
    devices = {d.device_id: d for d in await world.risk.devices(browser.person_id)}
    assert len(devices) == 2
    assert devices[enrolled.device_id].passkey
    assert devices[enrolled.device_id].trusted_at > world.clock.now()
    with pytest.raises(DeviceKeyTaken):  # one passkey for a device
        await register(world, await grant(world, browser), Passkey(), key)


async def test_a_first_passkey_goes_to_the_device_that_asked(world: World) -> None:
    demo, key = await world.demo_person(), DeviceKey()
    given = await world.risk.grant_first_passkey(demo.person_id, demo.secret)
    begin = BeginRegistration(demo.person_id, "演示", grant=given.grant)
    enrolled = await register(world, begin, Passkey(), key)
    assert (enrolled.device_id, enrolled.device_secret) == (demo.device_id, "")
    proof = key.proof("POST", f"{API}/v1/freeze", _now(world))
    assert await world.risk.device_of(proof) == demo.device_id
    with pytest.raises(DeviceUnknown):  # its secret is dead
        await world.risk.grant_first_passkey(demo.person_id, demo.secret)
    asking = key.proof(*call_of(Operation.FIRST_PASSKEY), _now(world))
    with pytest.raises(GrantInvalid):  # and it has a passkey now
        await world.risk.grant_first_passkey(demo.person_id, asking)


async def test_signing_in_twice_at_once_makes_one_device(world: World) -> None:
    owner, key = await handset(world), DeviceKey()
    answers = await asyncio.gather(
        *(sign_in(world, owner.owner.key, key) for _ in range(4)), return_exceptions=True
    )
    made = [a for a in answers if isinstance(a, SignedIn)]
    assert len(made) + sum(isinstance(a, DeviceKeyTaken) for a in answers) == 4
    assert len({a.device_id for a in made}) == 1
    assert len(await world.risk.devices(owner.owner.person_id)) == 2


async def test_a_number_has_one_wallet_on_phones_too(world: World) -> None:
    owner = await handset(world)
    begin = BeginRegistration(
        ids.new("usr"), "小明", enrolment_id=await _proven(world, owner.owner.phone)
    )
    with pytest.raises(HasWallet):
        await world.risk.begin_registration(begin)


async def _proven(world: World, number: str) -> str:
    world.clock.move(timedelta(minutes=2))
    return await world.prove(number)


# the database itself -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "secret_hash = sha256('s')",  # both
        "key_thumbprint = null, device_key = null",  # nothing
        "key_thumbprint = null",
        "device_key = null",
        "device_key = device_key || ' '",  # not what the thumbprint says
        "key_thumbprint = translate(key_thumbprint, 'abc', 'bca') || 'x'",
        "key_thumbprint = null, device_key = null, secret_hash = sha256('s')",
    ],
)
async def test_the_database_keeps_a_devices_key(world: World, change: str) -> None:
    await handset(world)
    with pytest.raises(asyncpg.PostgresError):
        await SEC.query(f"update risk.device set {change} where key_thumbprint is not null")


async def test_the_database_gives_a_key_to_nobody_else(world: World) -> None:
    one, two = await handset(world), await world.person()
    with pytest.raises(asyncpg.PostgresError, match="its own for ever"):
        await SEC.query(
            "update risk.device set person_id = $1 where device_id = $2",
            two.person_id,
            one.owner.device_id,
        )
    with pytest.raises(asyncpg.UniqueViolationError):
        await SEC.query(
            "insert into risk.device (device_id, person_id, label, created_at, last_used_at, "
            "trusted_at, device_key, key_thumbprint) select $1, $2, label, created_at, "
            "last_used_at, trusted_at, device_key, key_thumbprint from risk.device "
            "where device_id = $3",
            ids.new("dev"),
            two.person_id,
            one.owner.device_id,
        )


async def test_an_approval_takes_the_passkey_not_the_key(world: World) -> None:
    owner = await handset(world)
    ceremony = await world.risk.begin_approval(owner.owner.person_id, "unfreeze")
    with pytest.raises(PasskeyRefused):
        await world.risk.unfreeze(
            Approval(owner.owner.person_id, ceremony.ceremony_id, owner.proof().encode())
        )


ANDROID = bytes(range(32))
ORIGIN = "android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


@pytest.fixture
async def ours(sec: Settings, clock: FixedClock, outbox: Outbox) -> World:
    """Where we have apps of our own, in this process."""
    settings = msgspec.structs.replace(
        sec, android_apps=f"cn.yipay.wallet:{ANDROID.hex()}", apple_apps="ABCDE12345.cn.yipay"
    )
    service = build(settings, clock, outbox)
    assert isinstance(service, DemoService)
    return World(service, clock, outbox)


@pytest.mark.parametrize("origin", [ORIGIN, "https://localhost", "http://localhost:8000"])
async def test_our_apps_use_passkeys_too(ours: World, origin: str) -> None:
    passkey, key = Passkey(origin=origin), DeviceKey()
    enrolment_id = await ours.prove(phone())
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
    enrolled = await register(ours, begin, passkey, key)
    signed_in = await sign_in(ours, passkey, key)
    assert signed_in.device_id == enrolled.device_id
    person = Person(enrolled.person_id, enrolled.device_id, "", "", passkey)
    proven = msgspec.structs.replace(
        person, secret=key.proof("POST", f"{API}/v1/payments", _now(ours))
    )
    assert (await ours.pay(proven, ours.intent(proven, 600_00))).verdict.level == "A"


@pytest.mark.parametrize(
    "origin",
    [
        ORIGIN.replace("AAEC", "AAED"),
        ORIGIN + "=",
        ORIGIN.lower(),
        "android:apk-key-hash:",
        f"android:apk-key-hash-sha256:{ORIGIN.split(':')[2]}",
        "https://elsewhere.example",
        "ios:bundle-id:cn.yipay",
    ],
)
async def test_apps_of_others_are_refused(ours: World, origin: str) -> None:
    enrolment_id = await ours.prove(phone())
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
    with pytest.raises(PasskeyRefused):
        await register(ours, begin, Passkey(origin=origin), DeviceKey())
    person = await ours.person()
    person.key.origin = origin
    with pytest.raises(PasskeyRefused):
        await sign_in(ours, person.key, DeviceKey())


async def test_no_app_is_ours_where_none_is_set(world: World) -> None:
    person = await world.person()
    for origin in (ORIGIN, "https://localhost"):
        person.key.origin = origin
        with pytest.raises(PasskeyRefused):
            await sign_in(world, person.key, DeviceKey())
