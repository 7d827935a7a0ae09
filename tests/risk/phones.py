"""Phones: people whose device proves itself by a key of its own."""

from typing import Any

import msgspec

from backend import ids
from backend.risk import BeginRegistration, Ceremony, Enrolled, FinishRegistration, FinishSignIn
from backend.risk.operations import CALLS, Operation
from tests.device_key import DeviceKey
from tests.passkey import Passkey
from tests.risk.people import Person, World, phone

API = "http://localhost:8000/api"
PAYMENTS = f"{API}/v1/payments"


class Handset(msgspec.Struct):
    """A person's phone. `person()` shows a fresh proof wherever a browser shows its secret."""

    world: World
    owner: Person
    key: DeviceKey

    def proof(self, method: str = "POST", url: str = PAYMENTS, late_s: int = 0, **more: Any) -> str:
        """late_s: by how much its clock is behind ours."""
        at = self.world.clock.now().timestamp() - late_s
        return self.key.proof(method, url, at, **more)

    def proof_to(self, operation: Operation) -> str:
        return self.proof(*call_of(operation))

    def person(self, proof: str = "", to: Operation = Operation.PAY) -> Person:
        return msgspec.structs.replace(self.owner, secret=proof or self.proof_to(to))


def call_of(operation: Operation, nth: int = 0) -> tuple[str, str]:
    """Method and address of one of its calls."""
    method, _, path = CALLS[operation][nth].partition(" ")
    return method, API + path.replace("{}", "x_1")


def proof_for(
    world: World,
    key: DeviceKey,
    ceremony: Ceremony,
    challenge: str | None = None,
    to: Operation = Operation.REGISTER,
    **more: Any,
) -> str:
    """Of the request that ends the ceremony."""
    claims = {"chl": challenge or challenge_of(ceremony)} | more
    return key.proof(*call_of(to), world.clock.now().timestamp(), **claims)


def challenge_of(ceremony: Ceremony) -> str:
    found: str = msgspec.json.decode(ceremony.options_json)["challenge"]
    return found


async def register(
    world: World, begin: BeginRegistration, passkey: Passkey, key: DeviceKey
) -> Enrolled:
    ceremony = await world.risk.begin_registration(begin)
    response = passkey.register(ceremony.options_json)
    return await world.risk.finish_registration(
        FinishRegistration(
            ceremony.ceremony_id,
            response,
            "手机",
            device_proof=proof_for(world, key, ceremony),
            enrolment_id=begin.enrolment_id,
        )
    )


async def sign_in(world: World, passkey: Passkey, key: DeviceKey, **proof: Any) -> Any:
    ceremony = await world.risk.begin_sign_in()
    response = passkey.sign(ceremony.options_json)
    proven = proof_for(world, key, ceremony, to=Operation.SIGN_IN, **proof)
    return await world.risk.finish_sign_in(
        FinishSignIn(ceremony.ceremony_id, response, "手机", device_proof=proven)
    )


async def handset(world: World, algorithm: str = "ES256", *, synced: bool = False) -> Handset:
    """A new wallet on a phone."""
    number, passkey, key = phone(), Passkey(synced=synced), DeviceKey(algorithm)
    enrolment_id = await world.prove(number, address=ids.new("adr"))
    begin = BeginRegistration(ids.new("usr"), "小明", enrolment_id=enrolment_id)
    enrolled = await register(world, begin, passkey, key)
    owner = Person(enrolled.person_id, enrolled.device_id, "", number, passkey)
    return Handset(world, owner, key)
