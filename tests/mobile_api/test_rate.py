"""Whom the brakes count, and whom they stop."""

from mobile_api.rate import ADDRESS, PERSON, WINDOW_S, TooManyCalls
from tests.mobile_api.problem import is_problem
from tests.phone import Phone


async def test_a_persons_calls_are_their_own(phone: Phone) -> None:
    policy = (await phone.get("/v1/balance")).headers["ratelimit-policy"]
    assert policy == f'"person";q={PERSON.most};w={WINDOW_S}'
    stranger = await phone.client.get("/api/v1/balance")
    assert stranger.status_code == 401
    assert stranger.headers["ratelimit-policy"].startswith('"address"')


async def test_strangers_do_not_stop_who_is_let_in(phone: Phone) -> None:
    """All at one address: who is signed in goes on calling, and gets further tokens."""
    for _ in range(ADDRESS.most):
        await phone.client.get("/api/v1/balance")
    is_problem(await phone.client.get("/api/v1/balance"), 429, TooManyCalls.code)
    is_problem(await phone.client.get("/api/v1/version"), 429, TooManyCalls.code)
    assert (await phone.get("/v1/balance")).status_code == 200
    phone.nonce = ""
    assert (await phone.get("/v1/balance")).status_code == 200
    phone.nonce = ""
    await phone.refresh()
    is_problem(await phone.client.get("/api/v1/balance"), 429, TooManyCalls.code)


async def test_asking_for_a_nonce_does_not_count(phone: Phone) -> None:
    async def left() -> str:
        told = (await phone.client.get("/api/v1/version")).headers["ratelimit"]
        return str(told.partition(";t=")[0])

    def less(by: int) -> str:
        return f'"address";r={int(before.rpartition("=")[2]) - by}'

    before = await left()
    phone.nonce = ""
    assert (await phone.get("/v1/balance")).status_code == 200
    assert (await phone.call("GET", "/v1/me", nonce="x")).status_code == 401
    body = {"grant": "x"}
    for nonce in ("x", "y"):  # the second of each call is right, and counts
        phone.nonce = nonce
        is_problem(
            await phone.call("POST", "/v1/devices/ceremony", body, signed_in=False),
            410,
            "grant_invalid",
        )
    assert await left() == less(3)
