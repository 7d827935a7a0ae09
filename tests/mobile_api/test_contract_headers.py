"""Whatever stands in Authorization and DPoP, a call that they don't carry is a documented 401."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx
import jwt
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from tests.api_client import Operation, committed, filled
from tests.device_key import DeviceKey, b64
from tests.mobile_api.heard import Heard
from tests.phone import API, Phone
from tests.world import World

EXAMPLES = 300
CALLS_A_MINUTE = 200
HUGE = 60_000
CODES = {"signed_out", "token_invalid", "proof_refused", "use_dpop_nonce", "proof_replayed"}
SECRET = "s" * 32

PROVEN = [each for each in committed().operations.values() if not each.is_open]
WORDS = some.text(some.characters(exclude_categories=("Cs", "Cc")), max_size=200)
Make = Callable[[Phone, Operation], bytes | None]  # the header's value; None: it is missing


def _of(text: str) -> Make:
    return lambda phone, operation: text.encode()


def _proof(**changes: Any) -> Make:
    """The right one for this call, but for that."""

    def make(phone: Phone, operation: Operation) -> bytes:
        return phone.prove(operation.method.upper(), path(operation), b"", True, **changes).encode()

    return make


def _hmac(phone: Phone, operation: Operation) -> bytes:
    """Signed by a secret, in the name of the phone's public key."""
    url = phone.origin + API + path(operation)
    said = {
        "jti": "1",
        "htm": operation.method.upper(),
        "htu": url,
        "iat": int(phone.now().timestamp()),
    }
    head = {"typ": "dpop+jwt", "jwk": phone.key.jwk}
    return jwt.encode(said, SECRET, "HS256", head).encode()


def _unsigned(phone: Phone, operation: Operation) -> bytes:
    right = phone.prove(operation.method.upper(), path(operation), b"", True)
    head = b64(json.dumps({"typ": "dpop+jwt", "alg": "none", "jwk": phone.key.jwk}).encode())
    return f"{head}.{right.split('.')[1]}.".encode()


def _by_another(phone: Phone, operation: Operation) -> bytes | None:
    own, phone.key = phone.key, DeviceKey()
    made = _proof()(phone, operation)
    phone.key = own
    return made


def _none_at_all(phone: Phone, operation: Operation) -> None:
    return None


def _token(phone: Phone, operation: Operation) -> bytes:
    return f"DPoP {phone.access_token}".encode()


def _other_alg(phone: Phone, operation: Operation) -> bytes:
    claims = jwt.decode(phone.access_token, options={"verify_signature": False})
    return b"DPoP " + jwt.encode(claims, SECRET, "HS256", {"typ": "at+jwt"}).encode()


PROOFS: tuple[Make, ...] = (
    _none_at_all,
    _hmac,
    _unsigned,
    _by_another,
    _of(""),
    _of("."),
    _of("a.b.c"),
    _of("面.面.面"),
    _of("e" * HUGE),
    _of(".".join(["e" * HUGE] * 3)),
    _proof(iat=-1),
    _proof(iat=10**30),
    _proof(jti="面" * 50),
    _proof(jti="j" * 5000),
    _proof(htm="面"),
    _proof(htu="https://elsewhere.example/"),
    _proof(ath=None),
    _proof(nonce="面"),
    _proof(header={"typ": "jwt"}),
    _proof(header={"alg": "HS256"}),
    _proof(header={"jwk": {"kty": "oct", "k": "AAAA"}}),
    _proof(header={"jwk": [], "crit": ["b64"]}),
)
TOKENS: tuple[Make, ...] = (
    _none_at_all,
    _other_alg,
    _of(""),
    _of("DPoP"),
    _of("DPoP "),
    _of("Bearer x"),
    _of("DPoP a.b.c"),
    _of("DPoP 面.面.面"),
    _of("DPoP " + "e" * HUGE),
    _of("面"),
)


def path(operation: Operation) -> str:
    return filled(operation, dict.fromkeys(operation.inside, "x"))


class Door:
    """Knocks with any headers, and looks that nobody is let in."""

    def __init__(self, phone: Phone, world: World, heard: Heard) -> None:
        self.phone, self.world, self.heard = phone, world, heard

    async def knock(self, operation: Operation, token: Make, proof: Make) -> None:
        if self.heard.by.total() % CALLS_A_MINUTE == CALLS_A_MINUTE - 1:
            self.world.clock.move(timedelta(seconds=61))
            await self.phone.refresh()
        made = {"authorization": token, "dpop": proof, "idempotency-key": _of("k" * 20)}
        values = {name: make(self.phone, operation) for name, make in made.items()}
        headers = [(name.encode(), value) for name, value in values.items() if value is not None]
        answer = await self.phone.client.request(
            operation.method.upper(), API + path(operation), headers=headers
        )
        told = f"{operation.name} {values}: {answer.status_code} {answer.text}"
        assert answer.status_code == 401, told
        assert answer.json()["code"] in CODES, told
        assert answer.headers["www-authenticate"].startswith("DPoP "), told


@pytest.fixture
async def door(phone: Phone, world: World, api: httpx.AsyncClient) -> Door:
    heard = Heard()
    await phone.api.get_me()
    api.event_hooks["response"].append(heard.hear)
    return Door(phone, world, heard)


async def test_no_wrong_header_is_let_in(door: Door) -> None:
    for place, proof in enumerate(PROOFS):
        await door.knock(PROVEN[place], _token, proof)
    for place, token in enumerate(TOKENS):
        await door.knock(PROVEN[-place], token, _proof())
    assert door.heard.wrong == []


async def test_anything_in_the_headers_of_any_operation(
    door: Door, figure: Callable[[str], None]
) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        operation=some.sampled_from(PROVEN),
        token=some.sampled_from((_token, *TOKENS)) | WORDS.map(_of),
        proof=some.sampled_from(PROOFS) | WORDS.map(_of),
    )
    def knock(operation: Operation, token: Make, proof: Make) -> None:
        anyio.from_thread.run(door.knock, operation, token, proof)

    await anyio.to_thread.run_sync(knock)
    assert door.heard.wrong == [], "\n".join(door.heard.wrong)
    figure(f"any headers: {door.heard.calls()}")
