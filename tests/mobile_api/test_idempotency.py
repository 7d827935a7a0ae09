"""One key, one write: what is answered, what is kept, and what a row tells."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextvars import Context
from datetime import timedelta
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from backend import ids
from backend.db import TX
from backend.errors import DomainError, Unavailable
from backend.idempotency import KEPT_FOR, LEASE, KeyInvalid, KeyMissing, KeyReused, WriteRunning
from backend.identity import ProofReplayed
from backend.payments import InsufficientBalance
from mobile_api.app import create_app
from mobile_api.auth import ProofRefused
from mobile_api.caller import Once
from mobile_api.idempotent import FRESH
from mobile_api.shapes import Money
from tests.device_key import DeviceKey
from tests.phone import hashed
from tests.world import Crash, World

OPEN = {"open": True}
BODY = {"money": {"amount": 23_00, "currency": "CNY"}}


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    money: Money
    note: str = ""


class Probe:
    """A route whose answers the test chooses; it counts how often it ran."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.runs = asyncio.Event()
        self.before: Callable[[], Awaitable[None]] | None = None
        self.refusal: BaseException | None = None

    async def run(self, once: Once) -> str:
        self.ids.append(once.id("pay"))
        self.runs.set()
        if self.before is not None:
            await self.before()
        if self.refusal is not None:
            raise self.refusal
        return self.ids[-1]


class Proving(httpx.Auth):
    """By a device key: nobody is signed in here, and the key is whose answers they are."""

    requires_request_body = True

    def __init__(self, world: World) -> None:
        self._world, self._key = world, DeviceKey()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["dpop"] = self._key.proof(
            request.method,
            f"{self._world.settings.public_origin}/api{request.url.path}",
            self._world.clock.now().timestamp(),
            nonce=self._world.services.nonces.current(),
            bsh=hashed(request.content) if request.content else None,
        )
        yield request


@pytest.fixture
def probe() -> Probe:
    return Probe()


@pytest.fixture
async def client(world: World, probe: Probe) -> AsyncIterator[httpx.AsyncClient]:
    @post("/v1/probes/{name:str}", opt=OPEN)
    async def handler(
        name: FromPath[str], data: JSONBody[Asked], once: NamedDependency[Once]
    ) -> Response[dict[str, str]]:
        made = await probe.run(once)
        return Response(
            {"id": made, "now": secrets.token_hex(8), "name": name},
            headers={"location": f"/v1/probes/{made}"},
        )

    @post("/v1/fresh/{name:str}", opt=OPEN | FRESH)
    async def fresh(name: FromPath[str], once: NamedDependency[Once]) -> dict[str, str]:
        return {"id": await probe.run(once), "now": secrets.token_hex(8), "name": name}

    app = create_app(world.settings, world.clock, [handler, fresh])
    app.state.services = world.services
    transport = httpx.ASGITransport(cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        made.auth = Proving(world)
        yield made


async def _write(
    client: httpx.AsyncClient, key: str | None, body: object = BODY, name: str = "a"
) -> httpx.Response:
    headers = {} if key is None else {"idempotency-key": key}
    return await client.post(f"/v1/probes/{name}", json=body, headers=headers)


def _key() -> str:
    return secrets.token_hex(16)


def _refused(answer: httpx.Response, status: int, kind: type[DomainError]) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, kind.code)


async def test_a_write_without_a_key_is_refused(client: httpx.AsyncClient, probe: Probe) -> None:
    _refused(await _write(client, None), 400, KeyMissing)
    for key in ("", "short", "x" * 256, "with space in the middle", '"' + "x" * 15 + '"'):
        _refused(await _write(client, key), 400, KeyInvalid)
    assert probe.ids == []
    for key in ("x" * 16, "y" * 255, f'"{_key()}"'):
        assert (await _write(client, key)).status_code == 201


async def test_the_first_answer_comes_back_bit_for_bit(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    first = await _write(client, key)
    again = await _write(client, f'"{key}"')  # the same key as a structured field
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    for name in ("content-type", "content-length", "location"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["request-id"] != first.headers["request-id"]
    assert len(probe.ids) == 1


async def test_the_order_of_fields_and_defaults_are_no_other_content(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    await _write(client, key)
    turned = {"note": "", "money": {"currency": "CNY", "amount": 23_00}}
    assert (await _write(client, key, turned)).status_code == 201
    assert len(probe.ids) == 1


async def test_another_content_under_the_key_is_refused(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    await _write(client, key)
    other = {"money": {"amount": 24_00, "currency": "CNY"}}
    _refused(await _write(client, key, other), 422, KeyReused)
    _refused(await _write(client, key, name="b"), 422, KeyReused)
    assert len(probe.ids) == 1


async def test_two_at_once_run_once(client: httpx.AsyncClient, probe: Probe) -> None:
    go = asyncio.Event()

    async def wait() -> None:
        await go.wait()

    probe.before, key = wait, _key()
    first = asyncio.create_task(_write(client, key))
    await probe.runs.wait()
    others = await asyncio.gather(*(_write(client, key) for _ in range(4)))
    for other in others:
        _refused(other, 409, WriteRunning)
        assert other.json()["retryable"] is True
        assert other.json()["money_moved"] == "unknown"
    go.set()
    done = await first
    assert done.status_code == 201
    assert (await _write(client, key)).content == done.content
    assert len(probe.ids) == 1


async def test_a_storm_of_one_key_runs_once(client: httpx.AsyncClient, probe: Probe) -> None:
    key = _key()
    answers = await asyncio.gather(*(_write(client, key) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert len(probe.ids) == 1


async def test_two_contents_of_one_key_at_once(client: httpx.AsyncClient, probe: Probe) -> None:
    key, other = _key(), {"money": {"amount": 24_00, "currency": "CNY"}}
    answers = await asyncio.gather(*(_write(client, key, body) for body in (BODY, other) * 3))
    ran = [n for n, answer in enumerate(answers) if answer.status_code == 201]
    assert ran
    assert len({n % 2 for n in ran}) == 1
    assert len(probe.ids) == 1
    for n, answer in enumerate(answers):
        if n % 2 != ran[0] % 2:
            _refused(answer, 422, KeyReused)


async def test_who_is_cancelled_while_the_lease_is_taken_gives_it_back(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    async with TX.transaction():
        await TX.query("lock table idempotency.write in exclusive mode")
        gone = asyncio.create_task(_write(client, key), context=Context())
        while not await TX.query("select pg_sleep(0.01) from pg_locks where not granted"):
            pass
        gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert probe.ids == []
    assert len(await TX.query("select 1 from idempotency.write")) == 1
    assert (await _write(client, key)).status_code == 201


async def test_a_process_that_died_blocks_for_its_lease_only(
    client: httpx.AsyncClient, probe: Probe, world: World
) -> None:
    hangs = asyncio.Event()

    async def hang() -> None:
        await hangs.wait()

    probe.before, key = hang, _key()
    dead = asyncio.create_task(_write(client, key))
    await probe.runs.wait()
    probe.before = None
    world.clock.move(LEASE - timedelta(seconds=1))
    _refused(await _write(client, key), 409, WriteRunning)
    world.clock.move(timedelta(seconds=1))
    taken_over = await _write(client, key)
    assert taken_over.status_code == 201
    assert probe.ids[0] == probe.ids[1]  # so whatever the dead one did is found again

    # It was not dead but slow: the answer that was kept stands, its own is dropped.
    hangs.set()
    assert (await dead).content == taken_over.content


async def test_a_refusal_that_may_pass_is_tried_again_with_the_same_ids(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    probe.refusal = Unavailable()
    _refused(await _write(client, key), 503, Unavailable)
    _refused(await _write(client, key, {"money": BODY["money"], "note": "x"}), 422, KeyReused)
    probe.refusal = RuntimeError("a bug")
    assert (await _write(client, key)).status_code == 500
    probe.refusal = None
    assert (await _write(client, key)).status_code == 201
    assert len(probe.ids) == 3
    assert len(set(probe.ids)) == 1


async def test_a_refusal_for_good_is_kept(client: httpx.AsyncClient, probe: Probe) -> None:
    key = _key()
    probe.refusal = InsufficientBalance(short_fen=5)
    first = await _write(client, key)
    probe.refusal = None
    again = await _write(client, key)
    assert first.status_code == again.status_code == 422
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert len(probe.ids) == 1


async def test_a_mended_body_may_come_under_the_same_key(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    wrong = await _write(client, key, {"money": {"amount": "23", "currency": "CNY"}})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_request")
    assert (await _write(client, key)).status_code == 201
    assert len(probe.ids) == 1


async def test_kept_for_thirty_days_and_then_forgotten(
    client: httpx.AsyncClient, probe: Probe, world: World
) -> None:
    key, sweep = _key(), world.services.idempotency.sweep
    first = await _write(client, key)
    world.clock.move(KEPT_FOR)
    assert await sweep() == 0
    assert (await _write(client, key)).content == first.content
    world.clock.move(timedelta(seconds=1))
    assert await sweep() == 1
    assert (await _write(client, key)).status_code == 201
    assert probe.ids[0] == probe.ids[1]


async def test_a_row_alone_reveals_nothing(client: httpx.AsyncClient, probe: Probe) -> None:
    key = _key()
    first = (await _write(client, key)).json()
    [row] = await TX.query("select w::text as whole, w.* from idempotency.write w")
    seen = row["whole"].encode() + row["lookup"] + row["fingerprint"] + row["answer"]
    for secret in (key, first["id"], first["now"], "probes", "CNY", "2300"):
        assert secret.encode() not in seen
        assert secret.encode().hex() not in row["whole"]
    # The same write under another key leaves nothing that can be compared.
    await _write(client, _key())
    rows = await TX.query("select lookup, fingerprint from idempotency.write")
    assert len({row["lookup"] for row in rows}) == len({row["fingerprint"] for row in rows}) == 2


async def test_a_kept_answer_cannot_be_changed_or_moved(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    await _write(client, key)
    with pytest.raises(Exception, match="first answer"):
        await TX.query("update idempotency.write set answer = 'x'")


async def test_an_exception_of_ours_lets_the_key_go(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    key = _key()
    probe.refusal = Crash("mid-request")
    assert (await _write(client, key)).status_code == 500
    probe.refusal = None
    assert (await _write(client, key)).status_code == 201
    assert ids.is_id(probe.ids[0], "pay")


async def test_a_kept_answer_is_for_the_key_that_asked_first(
    client: httpx.AsyncClient, probe: Probe, world: World
) -> None:
    """Neither without a proof, nor with another phone's, nor with the same proof again."""
    key = _key()
    first = await _write(client, key)
    headers = {"idempotency-key": key}

    async def again(auth: httpx.Auth | None, **more: str) -> httpx.Response:
        return await client.post(
            "/v1/probes/a", json=BODY, headers=headers | more, auth=auth or httpx.Auth()
        )

    _refused(await again(None), 401, ProofRefused)
    other = await again(Proving(world))
    assert other.status_code == 201
    assert other.json()["id"] != first.json()["id"]
    spent = first.request.headers["dpop"]
    _refused(await again(None, dpop=spent), 401, ProofReplayed)
    assert (await _write(client, key)).content == first.content


async def test_what_is_not_to_be_kept_is_made_again(
    client: httpx.AsyncClient, probe: Probe
) -> None:
    headers = {"idempotency-key": _key()}
    first = await client.post("/v1/fresh/a", headers=headers)
    again = await client.post("/v1/fresh/a", headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["now"] != first.json()["now"]
    assert "idempotent-replayed" not in again.headers
    _refused(await client.post("/v1/fresh/b", headers=headers), 422, KeyReused)
    assert await TX.query("select 1 from idempotency.write where answer is not null") == []
